// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/parallel.hpp>
#include <sda/metrics/table.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

// The continuous ranked probability score, E|X - y| - ½ E|X - X'| with X, X' independent draws (Gneiting & Raftery, 2007).

namespace sda {

/// How E|X - X'| is estimated from M members: over their M (M - 1) pairs, which is fair to small ensembles (Ferro, 2014),
/// or over all M² as if the members were the whole distribution.
enum class crps_kind { fair, standard };

/// E|X - y| and E|X - X'|, column by column.
struct crps_terms {
  std::vector<double> skill, spread;
};

/// In O(M log M) a column: sorted, the pairs sum to Σ_{i<j} (x_j - x_i) = Σ_i (2i - M + 1) x_i.
inline crps_terms crps_terms_of(host_table const& e, std::span<double const> truth, crps_kind kind = crps_kind::fair) {
  detail::check_table(e, truth);
  index_t const n = e.members;
  require(kind == crps_kind::standard || n >= 2, "crps: ", n, " member has no fair spread");
  double const pairs = kind == crps_kind::fair ? double(n) * double(n - 1) : double(n) * double(n);
  crps_terms out{std::vector<double>(truth.size()), std::vector<double>(truth.size())};
  parallel_chunks(e.columns, 64, 8 * e.members * e.columns, [&](index_t first, index_t last) {
    std::vector<double> x(static_cast<std::size_t>(n));
    for (index_t c = first; c < last; ++c) {
      double distance = 0, between = 0;
      for (index_t m = 0; m < n; ++m) x[std::size_t(m)] = e(m, c);
      for (double const member : x) distance += std::abs(member - truth[std::size_t(c)]);
      std::sort(x.begin(), x.end());
      for (index_t i = 0; i < n; ++i) between += double(2 * i - n + 1) * (x[std::size_t(i)] - x[0]);
      out.skill[std::size_t(c)] = distance / double(n);
      out.spread[std::size_t(c)] = 2 * between / pairs;
    }
  });
  return out;
}

/// The CRPS of an ensemble, column by column, in units of the variable.
inline std::vector<double> crps(host_table const& e, std::span<double const> truth, crps_kind kind = crps_kind::fair) {
  auto terms = crps_terms_of(e, truth, kind);
  for (std::size_t c = 0; c < terms.skill.size(); ++c) terms.skill[c] -= terms.spread[c] / 2;
  return std::move(terms.skill);
}

/// The CRPS of N(mean, deviation²) in closed form.
inline double crps_gaussian(double mean, double deviation, double truth) {
  require(deviation >= 0, "crps_gaussian: a deviation of ", deviation);
  if (deviation == 0) return std::abs(truth - mean);
  double const z = (truth - mean) / deviation, density = std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
  return deviation * (z * std::erf(z / std::numbers::sqrt2) + 2 * density - std::numbers::inv_sqrtpi);
}

}  // namespace sda
