// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/dates.hpp"
#include "sphere/earth.hpp"
#include "sphere/harmonics.hpp"

#include <sda/core/random.hpp>

#include <array>

namespace appa {

struct atmosphere_settings {
  int truncation = 21;           // highest degree
  double relaxation = 10;        // days, towards the radiative temperatures
  double friction = 2;           // days, of the lowest level's vorticity
  double diffusion = 1;        // days, of potential vorticity at the highest degree, by the fourth power of the Laplacian
  double shear_above = 40, shear_below = 29;   // m/s between the levels that radiation alone would make, in winter
};

/// A quasi-geostrophic atmosphere of three levels (200, 500, 800 hPa) on the sphere, with spherical harmonics (as Marshall & Molteni,
/// 1993): potential vorticity q_i is carried by its own winds,
///
///     dq_i/dt = -J(ψ_i, q_i) + relaxation of ψ_1 - ψ_2 and ψ_2 - ψ_3 + friction at the ground - diffusion,
///     q = ∇²ψ + f + stretching by the neighbours' ψ (+ f h / 9 km at the ground).
///
/// The temperatures it relaxes to have seasons and know land from sea. Beside it live the water of the column, carried by the winds of
/// the lower levels, and the temperature of a sea that follows the air slowly. One hour is a step of Runge and Kutta, so its whole
/// memory is state(): a run is stopped and resumed without a trace.
class atmosphere {
 public:
  static constexpr int levels = 3;
  static constexpr std::array<double, levels> pressures{200, 500, 800};   // hPa
  static constexpr double radius = 6371e3, rotation = 7.292e-5;

  /// At rest but for random waves and half of the radiative shear; spin it up.
  atmosphere(atmosphere_settings const& s, hours start, sda::key seed);

  hours now() const { return now_; }
  /// coefficients x 12: real and imaginary parts of q_1 - f ... q_3 - f (1/s), water (kg/m²), the sea's anomaly (K) and ascent().
  Eigen::MatrixXd const& state() const { return x_; }
  void restore(hours now, Eigen::MatrixXd state);
  harmonics const& sphere() const { return sphere_; }

  /// One hour on.
  void advance();

  /// ψ (m²/s) of the three levels.
  Eigen::MatrixXd streamfunctions() const { return invert(x_.leftCols(2 * levels)); }
  /// Geopotential (m²/s²) in linear balance with ψ, ∇²Φ = ∇·(f ∇ψ), its mean 0.
  Eigen::MatrixXd balanced(Eigen::MatrixXd const& psi) const;
  Eigen::MatrixXd water() const { return x_.middleCols(6, 2); }
  Eigen::MatrixXd sea() const { return x_.middleCols(8, 2); }
  /// How strongly air rises between the lower levels, about 1 in a storm: as the last hour left it.
  Eigen::MatrixXd ascent() const { return x_.middleCols(10, 2); }

  /// The rain (mm/h) from water, the water that air can hold and ascent.
  static double rain(double water, double capacity, double ascent);
  /// The water that a column can hold (kg/m²), by its temperature at 800 hPa.
  static double capacity(double temperature);
  /// The mean ascent of the tropical rain belt and the dry subtropics.
  static double mean_ascent(double t, double latitude);

 private:
  atmosphere_settings settings_;
  harmonics sphere_;
  grid where_;
  hours now_;
  Eigen::MatrixXd x_;
  Eigen::MatrixXd mean_shear_, season_shear_, planetary_;   // radiative ψ differences, and f + mountains, as spectra
  std::vector<Eigen::Matrix3d> inverse_;                    // q to ψ, by degree
  Eigen::ArrayXd inverse_cos2_;                             // on the grid
  Eigen::ArrayXd land_;

  Eigen::MatrixXd invert(Eigen::MatrixXd const& q) const;
  Eigen::MatrixXd winds(Eigen::MatrixXd const& psi) const;   // spectra of u cos, v cos times radius
  Eigen::MatrixXd radiative(double t) const;                 // ψ_1 - ψ_2, ψ_2 - ψ_3
  Eigen::MatrixXd tendency(Eigen::MatrixXd const& x, double t) const;
  void radiative_shear();
  void rain_and_evaporate(Eigen::MatrixXd const& before);
};

}  // namespace appa
