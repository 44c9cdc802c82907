// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>
#include <sda/state/state.hpp>

#include <span>
#include <vector>

namespace sda {

/// An ensemble in host memory, as the metrics see it: members x columns numbers, row-major.
struct host_table {
  index_t members = 0, columns = 0;
  std::vector<double> values;

  double operator()(index_t m, index_t c) const { return values[std::size_t(m * columns + c)]; }
};

/// The rows of a state as members; waits for the device.
template <State S> host_table to_host(S const& x) {
  std::vector<value_t<S>> numbers(static_cast<std::size_t>(rows(x) * columns(x)));
  store(x, std::span<value_t<S>>(numbers));
  return {rows(x), columns(x), std::vector<double>(numbers.begin(), numbers.end())};
}

namespace detail {

inline void check_table(host_table const& e, std::span<double const> truth) {
  require(e.members >= 1 && index_t(e.values.size()) == e.members * e.columns, "metrics: ", e.values.size(), " numbers for ", e.members,
          " members of ", e.columns);
  require(index_t(truth.size()) == e.columns, "metrics: a truth of ", truth.size(), " columns for an ensemble of ", e.columns);
}

}  // namespace detail

/// Σ w v / Σ w, all weights 1 if there are none. Columns of weight 0 do not count, whatever they hold.
inline double weighted_mean(std::span<double const> values, std::span<double const> weights = {}) {
  require(weights.empty() || weights.size() == values.size(), "weighted_mean: ", weights.size(), " weights for ", values.size(), " values");
  double total = 0, weight = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    double const w = weights.empty() ? 1 : weights[i];
    require(w >= 0, "weighted_mean: weight ", i, " is ", w);
    if (w > 0) total += w * values[i], weight += w;
  }
  require(weight > 0, "weighted_mean: no weight in ", values.size(), " values");
  return total / weight;
}

/// The mean of the members, column by column.
inline std::vector<double> mean_of_members(host_table const& e) {
  std::vector<double> mean(static_cast<std::size_t>(e.columns));
  for (index_t m = 0; m < e.members; ++m)
    for (index_t c = 0; c < e.columns; ++c) mean[std::size_t(c)] += e(m, c);
  for (double& x : mean) x /= double(e.members);
  return mean;
}

}  // namespace sda
