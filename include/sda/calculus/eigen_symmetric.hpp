// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/tridiagonal.hpp>

#include <limits>

namespace sda {

/// a = Σ_k value[k] vector[k] vector[k]ᵀ, values ascending, vectors the rows of `vectors`.
struct symmetric_eigen {
  std::vector<double> values;
  small_matrix vectors;

  /// Σ_k f(value[k]) vector[k] vector[k]ᵀ
  template <class F> small_matrix apply(F const& f) const {
    index_t const n = vectors.height;
    small_matrix scaled = vectors;
    for (index_t k = 0; k < n; ++k) {
      double const s = f(values[std::size_t(k)]);
      for (index_t j = 0; j < n; ++j) scaled[k][j] *= s;
    }
    return product(transposed(vectors), scaled);
  }
};

namespace detail {

/// Qᵀ, its rows the basis in which `a` is tridiagonal.
inline small_matrix tridiagonalise(small_matrix const& a, std::vector<double>& diagonal, std::vector<double>& off) {
  index_t const n = a.height;
  small_matrix const reflectors = reflect_to_tridiagonal(a, diagonal, off);
  small_matrix q(n, reflectors.width), basis(n, n);
  for (index_t i = 0; i < n; ++i) q[i][i] = 1;
  back_transformation(reflectors, n).from_left(q);
  for (index_t i = 0; i < n; ++i)
    for (index_t j = 0; j < n; ++j) basis[j][i] = q[i][j];
  return basis;
}

}  // namespace detail

/// Householder tridiagonalisation and implicit QL with Wilkinson shifts (Golub & Van Loan, §8.3), O(n³).
inline symmetric_eigen eigen_symmetric(small_matrix a) {
  require(a.height == a.width, "eigen_symmetric: ", a.height, " x ", a.width, " is not square");
  index_t const n = a.height;
  std::vector<double> d(static_cast<std::size_t>(n)), e(d);
  double scale = 0;  // the problem is solved at unit scale: no overflow, and rounding is relative to the largest element
  for (double const x : a.elements) scale = std::max(scale, std::abs(x));
  for (double& x : a.elements) x /= scale > 0 ? scale : 1;
  a = detail::tridiagonalise(a, d, e);
  double const negligible = std::numeric_limits<double>::epsilon();
  for (index_t l = 0; l < n; ++l)
    for (int iteration = 0;; ++iteration) {
      index_t m = l;
      while (m + 1 < n && std::abs(e[std::size_t(m)]) > negligible) ++m;
      if (m == l) break;
      require(iteration < 60, "eigen_symmetric: eigenvalue ", l, " of ", n, " did not converge; is the matrix finite?");
      auto const L = std::size_t(l);
      double g = (d[L + 1] - d[L]) / (2 * e[L]);
      g = d[std::size_t(m)] - d[L] + e[L] / (g + std::copysign(std::sqrt(g * g + 1), g));
      double s = 1, c = 1, p = 0;
      for (index_t i = m - 1; i >= l; --i) {
        auto const I = std::size_t(i);
        double const f = s * e[I], b = c * e[I], r = std::sqrt(f * f + g * g);
        e[I + 1] = r;
        if (r == 0) {
          d[I + 1] -= p;
          e[std::size_t(m)] = 0;
          break;
        }
        s = f / r, c = g / r;
        g = d[I + 1] - p;
        double const turn = (d[I] - g) * s + 2 * c * b;
        p = s * turn;
        d[I + 1] = g + p;
        g = c * turn - b;
        double* const upper = a[i];
        double* const lower = a[i + 1];
        SDA_ELEMENTWISE
        for (index_t k = 0; k < n; ++k) {
          double const x = lower[k], y = upper[k];
          lower[k] = s * y + c * x;
          upper[k] = c * y - s * x;
        }
        if (i == l) d[L] -= p, e[L] = g, e[std::size_t(m)] = 0;
      }
    }
  std::vector<index_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), index_t{0});
  std::sort(order.begin(), order.end(), [&](index_t i, index_t j) { return d[std::size_t(i)] < d[std::size_t(j)]; });
  symmetric_eigen out{std::vector<double>(std::size_t(n)), small_matrix(n, n)};
  for (index_t k = 0; k < n; ++k) {
    out.values[std::size_t(k)] = scale * d[std::size_t(order[std::size_t(k)])];
    std::copy_n(a[order[std::size_t(k)]], n, out.vectors[k]);
  }
  return out;
}

}  // namespace sda
