// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/statistics.hpp"
#include "evaluate/climate.hpp"
#include "observe/sight.hpp"
#include "sphere/harmonics.hpp"

#include <sda/core/random.hpp>
#include <sda/eigen.hpp>

#include <functional>
#include <vector>

namespace appa {

/// What optimal interpolation knows beforehand: a Gaussian of standardised anomalies whose covariances depend on the distance along
/// great circles alone, one for every pair of channels, times a deviation that depends on channel and latitude,
///
///     x(t, λ, φ) = D(φ) Σ_lm L_l e_lm(t) Y_lm(λ, φ) + what degrees beyond the last leave,   L_l L_lᵀ = P_l  (channels x channels),
///     e_lm(t + 1) = ρ_l e_lm(t) + √(1 - ρ_l²) N(0, 1).
///
/// A control holds the independent N(0, 1) that make a trajectory: states x (coefficients x 2 channels, as `harmonics` has spectra).
struct static_gaussian {
  harmonics sphere;
  index_t width = 0;                       // columns of the grid
  std::vector<Eigen::MatrixXd> roots;      // L_l, symmetric
  Eigen::VectorXd memory;                  // ρ_l from one state to the next
  Eigen::MatrixXd deviation;               // D, rows x channels, in units of a channel's deviation
  Eigen::VectorXd beyond;                  // by channel, the part of the variance D² that lies beyond the last degree

  index_t channels() const { return beyond.size(); }
  index_t numbers() const { return sphere.size() * 2 * channels(); }   // of a control, for each state

  /// Calls f(t, anomalies), points x channels, for all states of a control. One state is in memory at a time.
  void states_of(std::span<double const> control, std::function<void(index_t t, Eigen::MatrixXd const&)> const& f) const;
  /// The adjoint: anomalies(t) gives those of state t.
  std::vector<double> adjoint(index_t states, std::function<Eigen::MatrixXd(index_t t)> const& anomalies) const;
};

struct gaussian_settings {
  period over;             // which states it is estimated from
  index_t samples = 200;   // pairs of states, evenly spread
  int degrees = 0;         // the last degree; 0: two thirds of the grid's rows, 63 at the most
  int step = 1;            // hours from one state of trajectories to the next
  int lag = 6;             // hours between the states of a pair, which tell memory
};
/// Estimated from anomalies of states from the climate.
static_gaussian estimate_gaussian(archive const& data, statistics const& standard, climate const& normal, gaussian_settings const& s);

struct interpolation_settings {
  index_t members = 10;
  int iterations = 200;
  double tolerance = 1e-2;   // of the gradient, relative; conjugate gradients stop there
};
/// The posterior of anomalies given observations of each state (of standardised anomalies, [points, channels]): its mean and draws from it,
/// which are exact but for the tolerance. Each draw solves for what observations change of a draw from the prior, given errors drawn like the
/// observations' own. f(t, anomalies) gets the states, points x channels, in order. Member -1 is the mean.
void interpolate(static_gaussian const& prior, std::vector<sight> const& seen, index_t member, interpolation_settings const& s, sda::key k,
                 std::function<void(index_t t, Eigen::MatrixXd const&)> const& f);

}  // namespace appa
