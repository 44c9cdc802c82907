// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "observe/sight.hpp"

#include <sda/observation/error_covariance.hpp>
#include <sda/observation/interpolating.hpp>

namespace appa {

/// A sight as the library's observation of states of `width` numbers: operator, values and R.
template <sda::State S> sda::observation<sda::interpolating<S>, S, sda::diagonal_error<S>> observation_of(S const& like, sight const& s, index_t width) {
  std::size_t const n = std::size_t(s.count()), corners = std::size_t(s.corners);
  sda::stencil read{std::vector(corners, std::vector<std::int64_t>(n)), std::vector(corners, std::vector<double>(n, 1.0))};
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < corners; ++k) {
      read.columns[k][i] = s.columns[i * corners + k];
      if (!s.weights.empty()) read.weights[k][i] = s.weights[i * corners + k];
    }
  std::vector<sda::value_t<S>> const values(s.values.begin(), s.values.end());
  std::vector<double> const variances(s.variances.begin(), s.variances.end());
  S y = sda::zeros(like, 1, s.count());
  sda::load(y, std::span<sda::value_t<S> const>(values));
  return {sda::interpolating<S>(like, read, width), std::move(y), sda::diagonal_error<S>(like, variances)};
}

}  // namespace appa
