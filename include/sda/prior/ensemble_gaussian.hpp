// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/gaspari_cohn.hpp>
#include <sda/prior/gaussian_full.hpp>
#include <sda/prior/low_rank.hpp>

// The Gaussian of an ensemble as a prior: its mean and its covariance, inflated and localised. With MMPS and an exact
// solve this is the EnKF's analysis.

namespace sda {

namespace detail {
// The mean, and rows whose sum of outer products is the covariance times inflation².
template <State S> std::pair<S, S> mean_and_spread(S const& members, double inflation) {
  index_t const n = rows(members);
  require(n >= 2 && inflation > 0, "ensemble_gaussian: ", n, " members, inflation ", inflation);
  S weights = zeros(members, 1, n), mean = zeros(members, 1, columns(members)), spread = zeros_like(members);
  std::vector<value_t<S>> const equal(std::size_t(n), value_t<S>(1.0 / double(n)));
  load(weights, std::span<value_t<S> const>(equal));
  multiply(mean, weights, members);
  double const a = inflation / std::sqrt(double(n - 1));
  lincomb(spread, term{a, members}, term{-a, mean});
  return {std::move(mean), std::move(spread)};
}
}  // namespace detail

/// N(mean, inflation² cov) of the members (rows) as it is, of rank N − 1: for any d, without localisation. σ > 0.
template <State S> gaussian_low_rank<S> ensemble_gaussian(S const& members, double inflation = 1) {
  auto [mean, spread] = detail::mean_and_spread(members, inflation);
  S nothing = zeros_like(mean);
  return {std::move(mean), std::move(nothing), std::move(spread)};
}

/// N(mean, inflation² taper ∘ cov): taper(i, j) is the weight of the covariance of columns i and j, 1 for i = j. Dense: the
/// eigenproblem of d columns is solved on the host, O(d³) once; for d of some hundreds. Negative eigenvalues, which a taper
/// that is not positive definite may cause (Gaspari-Cohn wider than its ring), count as zero.
template <State S, class Taper>
  requires requires(Taper const& taper, index_t i) {
    { taper(i, i) } -> std::convertible_to<double>;
  }
gaussian<S, dense_basis<S>> localised_ensemble_gaussian(S const& members, Taper const& taper, double inflation = 1) {
  auto [mean, spread] = detail::mean_and_spread(members, inflation);
  index_t const n = rows(spread), d = columns(spread);
  std::vector<value_t<S>> host(std::size_t(n * d));
  store(spread, std::span<value_t<S>>(host));
  small_matrix c(d, d);
  for (index_t i = 0; i < d; ++i)
    for (index_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (index_t r = 0; r < n; ++r) sum += double(host[std::size_t(r * d + i)]) * double(host[std::size_t(r * d + j)]);
      c[i][j] = c[j][i] = taper(i, j) * sum;
    }
  symmetric_eigen axes = eigen_symmetric(std::move(c));
  for (double& v : axes.values) v = std::max(v, 0.0);
  return gaussian_along(std::move(mean), axes);
}

/// Gaspari and Cohn's taper between columns of a ring; the half width is in columns.
struct ring_taper {
  index_t circumference;
  double half_width;
  double operator()(index_t i, index_t j) const { return gaspari_cohn(ring_distance{double(circumference)}(double(i), double(j)), half_width); }
};

}  // namespace sda
