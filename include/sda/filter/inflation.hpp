// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/fill_normal.hpp>
#include <sda/filter/ensemble.hpp>

#include <cmath>

namespace sda {

namespace detail {
struct squared {
  template <class T> SDA_HD T operator()(T const& x) const { return x * x; }
};
// 1 + amount (σᵇ - σᵃ) / σᵃ, of variances
struct relaxed_spread {
  double amount;
  template <class T> SDA_HD T operator()(T const& before, T const& after) const {
    using std::sqrt;
    return T(1 + amount * (sqrt(before) - sqrt(after)) / sqrt(after + 1e-30));
  }
};
}  // namespace detail

/// What keeps an analysis ensemble from collapsing; neutral by default. Applied to the analysis anomalies in this order:
/// relaxation to prior perturbations (Zhang et al., 2004), to prior spread (Whitaker & Hamill, 2012), multiplication.
struct inflation {
  double factor = 1;  // anomalies times this
  double rtpp = 0;    // in [0, 1]: share of the prior anomalies mixed in
  double rtps = 0;    // in [0, 1]: how far the spread of every column goes back to the prior's

  template <State S> void operator()(S& analysed, S const& prior) const {
    if (rtpp != 0) lincomb(analysed, term{1 - rtpp, analysed}, term{rtpp, prior});
    if (rtps != 0) {
      auto const variance = [](S const& x) {
        S squares = zeros_like(x);
        transform(squares, detail::squared{}, x);
        return ensemble_mean(squares);
      };
      S const before = variance(prior), after = variance(analysed);
      S gain = zeros_like(before);
      transform(gain, detail::relaxed_spread{rtps}, before, after);
      lincomb(analysed, weighted{1.0, gain, analysed});
    }
    if (factor != 1) lincomb(analysed, term{factor, analysed});
  }
};

/// A random orthogonal N x N matrix that keeps the mean of N rows: Haar distributed on the complement of (1, ..., 1).
inline small_matrix random_rotation(index_t n, key k) {
  // Stewart (1980): reflections that send the first axis to random directions, of 2, 3, ..., N - 1 coordinates in turn
  small_matrix q = identity_matrix(n);
  std::vector<double> v(static_cast<std::size_t>(n)), along(v);
  auto const reflect_rows = [&](index_t first, double scale, double sign) {  // rows and columns from `first` on: sign (1 - scale v vᵀ) q
    std::fill(along.begin(), along.end(), 0.0);
    for (index_t i = first; i < n; ++i) detail::add_scaled(along.data() + first, v[std::size_t(i)], q[i] + first, n - first);
    for (index_t i = first; i < n; ++i) {
      double const s = sign * scale * v[std::size_t(i)];
      double* const row = q[i];
      SDA_ELEMENTWISE
      for (index_t j = first; j < n; ++j) row[j] = sign * row[j] - s * along[std::size_t(j)];
    }
  };
  for (index_t first = n - 1; first >= 1; --first) {
    fill_normal(v.data() + first, k, first, 0, n - first);
    double const head = v[std::size_t(first)], length = std::sqrt(inner_product_of(v.data() + first, v.data() + first, n - first));
    v[std::size_t(first)] += std::copysign(length, head);
    reflect_rows(first, 1 / (length * (length + std::abs(head))), head > 0 ? -1 : 1);
  }
  // from the complement of the first axis to that of (1, ..., 1), by the reflection that exchanges the two
  double const level = 1 / std::sqrt(double(n));
  std::fill(v.begin(), v.end(), level);
  v[0] -= 1;
  double const scale = n > 1 ? 1 / (1 - level) : 0;
  reflect_rows(0, scale, 1);
  for (index_t i = 0; i < n; ++i) detail::add_scaled(q[i], -scale * inner_product_of(q[i], v.data(), n), v.data(), n);
  return q;
}

}  // namespace sda
