// SPDX-License-Identifier: Apache-2.0
#pragma once
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
  // Gram-Schmidt, twice for orthogonality to rounding, on (1, ..., 1) and N - 1 Gaussian rows; Helmert's fixed basis beside it.
  small_matrix drawn(n, n), fixed(n, n);
  std::vector<double> along(static_cast<std::size_t>(n));
  for (index_t i = 0; i < n; ++i) {
    double* const row = drawn[i];
    for (index_t j = 0; j < n; ++j) {
      row[j] = i == 0 ? 1.0 : normal<double>(k, i, j);
      double const scale = 1 / std::sqrt(double(i == 0 ? n : i * (i + 1)));
      fixed[i][j] = i == 0 || j < i ? scale : j == i ? -double(i) * scale : 0;
    }
    for (int pass = 0; pass < 2; ++pass) {
      for (index_t p = 0; p < i; ++p) along[std::size_t(p)] = inner_product_of(row, drawn[p], n);
      for (index_t p = 0; p < i; ++p) {
        double const s = along[std::size_t(p)];
        double const* const other = drawn[p];
        SDA_ELEMENTWISE
        for (index_t j = 0; j < n; ++j) row[j] -= s * other[j];
      }
    }
    double const length = std::sqrt(inner_product_of(row, row, n));
    for (index_t j = 0; j < n; ++j) row[j] /= length;
  }
  return product(transposed(fixed), drawn);
}

}  // namespace sda
