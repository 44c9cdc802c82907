// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/metrics/table.hpp>

#include <cmath>

namespace sda {

/// The weighted mean of (estimate - truth)².
inline double mean_squared_error(std::span<double const> estimate, std::span<double const> truth, std::span<double const> weights = {}) {
  require(estimate.size() == truth.size(), "mean_squared_error: an estimate of ", estimate.size(), " for a truth of ", truth.size());
  std::vector<double> squares(estimate.size());
  for (std::size_t i = 0; i < squares.size(); ++i) squares[i] = (estimate[i] - truth[i]) * (estimate[i] - truth[i]);
  return weighted_mean(squares, weights);
}

/// The root mean square error of an estimate.
inline double rmse(std::span<double const> estimate, std::span<double const> truth, std::span<double const> weights = {}) {
  return std::sqrt(mean_squared_error(estimate, truth, weights));
}

/// ... and of the mean of an ensemble.
inline double rmse(host_table const& e, std::span<double const> truth, std::span<double const> weights = {}) {
  return rmse(mean_of_members(e), truth, weights);
}

}  // namespace sda
