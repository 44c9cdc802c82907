// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/channels.hpp"
#include "data/grid.hpp"
#include "evaluate/histogram.hpp"

#include <span>
#include <vector>

namespace appa {

/// What dry air and the Earth are made of.
namespace physics {
inline constexpr double gravity = 9.80665;          // m/s²
inline constexpr double gas_constant = 287.05;      // of dry air, J/(kg K)
inline constexpr double heat_capacity = 1005;       // at constant pressure, J/(kg K)
inline constexpr double kappa = gas_constant / heat_capacity;   // 0.2856
inline constexpr double radius = 6371008.8;         // m
inline constexpr double rotation = 7.2921e-5;       // 1/s
inline constexpr double virtual_part = 0.6078;      // T_v = T (1 + 0.6078 q)
}  // namespace physics

/// Geopotential heights (m) of pressure levels (hPa, ascending) above where the pressure is `base` (Pa), by the hypsometric equation
///
///     Δz = R_d / g · ln(p_lower / p_upper) / mean(1 / T_v)
///
/// layer by layer from the ground up, the mean over a layer's two ends. The air below the lowest level has its potential temperature.
/// Without humidity (q empty) air is dry.
std::vector<double> hypsometric_heights(std::span<int const> levels, std::span<double const> temperature, std::span<double const> humidity, double base);

/// The wind in balance with a geopotential (m²/s²) on one level,
///
///     u = -1 / (f a) ∂Φ/∂φ,   v = 1 / (f a cos φ) ∂Φ/∂λ,
///
/// by central differences on a grid that goes all the way round. NaN in the first and the last row and within `tropics` degrees of
/// the equator, where f vanishes.
struct wind {
  std::vector<double> u, v;
};
wind geostrophic_wind(grid const& g, std::span<double const> geopotential, double tropics = 20);

/// How far states are from the balances of the atmosphere, over everything that was added, weighted by area.
class balance {
 public:
  /// Of one pressure level.
  struct of_level {
    int level;                                    // hPa
    histogram height{-0.3, 0.3};                  // hypsometric height - geopotential / g, km
    histogram cosine{-1, 1}, sine{-1, 1};         // of the angle from the geostrophic wind to the wind
    // Weighted sums: of 1, of the speeds of both winds, their squares and product, and of the squared difference of the vectors.
    double weight = 0, speed = 0, balanced = 0, speed2 = 0, balanced2 = 0, both = 0, difference2 = 0;

    /// Of the speeds of the wind and of the geostrophic wind.
    double correlation() const;
    /// The root mean square of their difference as vectors, over that of the wind.
    double departure() const { return std::sqrt(difference2 / speed2); }
  };

  /// What can be checked of these channels: heights with geopotential and temperature on two levels or, with mean sea level pressure,
  /// one; winds where both components and the geopotential are.
  balance(grid const& g, channel_set const& channels);

  bool anything() const { return heights_ || winds_; }
  /// A state in physical units: channels x points numbers.
  void add(std::span<float const> state);
  std::vector<of_level> const& levels() const { return levels_; }

 private:
  grid where_;
  channel_set channels_;
  std::vector<double> weights_;   // of points
  bool heights_, winds_;
  std::vector<of_level> levels_;

  void add_heights(std::span<float const> state);
  void add_winds(std::span<float const> state);
  float const* field(std::span<float const> state, char const* name, int level) const;
};

}  // namespace appa
