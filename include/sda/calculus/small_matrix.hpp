// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/config.hpp>
#include <sda/core/error.hpp>
#include <sda/state/host.hpp>
#include <sda/state/state.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <numeric>
#include <span>
#include <vector>

namespace sda {

/// A small dense matrix on the host, row-major: ensemble space, local analyses, Krylov space. Not for states.
struct small_matrix {
  index_t height = 0, width = 0;
  std::vector<double> elements;

  small_matrix() = default;
  small_matrix(index_t h, index_t w) : height(h), width(w), elements(std::size_t(h * w)) {}

  /// A copy of any matrix m(i, j) of m.rows() x m.cols(): Eigen's, say.
  template <class M>
    requires requires(M const& m, index_t i) {
      { m(i, i) + m.rows() + m.cols() } -> std::convertible_to<double>;
    }
  small_matrix(M const& m) : small_matrix(index_t(m.rows()), index_t(m.cols())) {
    for (index_t i = 0; i < height; ++i)
      for (index_t j = 0; j < width; ++j) (*this)[i][j] = double(m(i, j));
  }

  double* operator[](index_t i) { return elements.data() + i * width; }
  double const* operator[](index_t i) const { return elements.data() + i * width; }
};

/// Σ x y in eight chains that run beside one another; the order depends on n alone.
inline double inner_product_of(double const* x, double const* y, index_t n) {
  constexpr index_t chains = 8;
  double chain[chains] = {}, total = 0;
  index_t i = 0;
  for (; i + chains <= n; i += chains)
    for (index_t c = 0; c < chains; ++c) chain[c] += x[i + c] * y[i + c];
  for (; i < n; ++i) total += x[i] * y[i];
  for (double const c : chain) total += c;
  return total;
}

inline small_matrix identity_matrix(index_t n, double scale = 1) {
  small_matrix m(n, n);
  for (index_t i = 0; i < n; ++i) m[i][i] = scale;
  return m;
}

/// a b
inline small_matrix product(small_matrix const& a, small_matrix const& b) {
  require(a.width == b.height, "product: ", a.height, " x ", a.width, " times ", b.height, " x ", b.width);
  small_matrix c(a.height, b.width);
  host::add_product(c.elements.data(), c.width, a.elements.data(), a.width, b.elements.data(), b.width, a.height, a.width, b.width);
  return c;
}

inline small_matrix transposed(small_matrix const& a) {
  small_matrix b(a.width, a.height);
  for (index_t i = 0; i < a.height; ++i)
    for (index_t j = 0; j < a.width; ++j) b[j][i] = a[i][j];
  return b;
}

/// The matrix as a state that lives where `like` lives.
template <State S> S to_state(S const& like, small_matrix const& m) {
  S out = zeros(like, m.height, m.width);
  if constexpr (std::same_as<value_t<S>, double>) load(out, std::span<double const>(m.elements));
  else {
    std::vector<value_t<S>> const numbers(m.elements.begin(), m.elements.end());
    load(out, std::span<value_t<S> const>(numbers));
  }
  return out;
}

/// Throws with the numbers unless `a` is square, finite and symmetric but for rounding.
inline void require_symmetric(small_matrix const& a, char const* name) {
  require(a.height == a.width, name, ": ", a.height, " x ", a.width, " is not square");
  double size = 0, skew = 0;
  for (index_t i = 0; i < a.height; ++i)
    for (index_t j = 0; j < a.width; ++j) {
      require(std::isfinite(a[i][j]), name, ": element (", i, ", ", j, ") is ", a[i][j]);
      size = std::max(size, std::abs(a[i][j]));
      skew = std::max(skew, std::abs(a[i][j] - a[j][i]));
    }
  require(skew <= 1e-10 * size, name, ": not symmetric, elements of up to ", size, " differ by ", skew);
}

/// The lower Cholesky factor L of a symmetric positive definite matrix, a = L Lᵀ; throws with the pivot if it is not one.
inline small_matrix cholesky(small_matrix a) {
  require(a.height == a.width, "cholesky: ", a.height, " x ", a.width, " is not square");
  index_t const n = a.height;
  for (index_t i = 0; i < n; ++i) {
    double* const row = a[i];
    for (index_t j = 0; j <= i; ++j) {
      double const s = inner_product_of(row, a[j], j);
      if (j < i) row[j] = (row[j] - s) / a[j][j];
      else {
        require(row[i] - s > 0, "cholesky: pivot ", i, " of ", n, " is ", row[i] - s, ", the matrix is not positive definite");
        row[i] = std::sqrt(row[i] - s);
      }
    }
    std::fill(row + i + 1, row + n, 0.0);
  }
  return a;
}

/// Solves L Lᵀ x = b in place, for every row b of `rhs`.
inline void cholesky_solve(small_matrix const& factor, small_matrix& rhs) {
  index_t const n = factor.height;
  require(rhs.width == n, "cholesky_solve: right-hand sides of ", rhs.width, " for a matrix of ", n);
  for (index_t r = 0; r < rhs.height; ++r) {
    double* const x = rhs[r];
    for (index_t i = 0; i < n; ++i) x[i] = (x[i] - inner_product_of(x, factor[i], i)) / factor[i][i];
    for (index_t i = n - 1; i >= 0; --i) {
      x[i] /= factor[i][i];
      for (index_t j = 0; j < i; ++j) x[j] -= factor[i][j] * x[i];
    }
  }
}

namespace detail {
// y += a x
inline void add_scaled(double* y, double a, double const* x, index_t n) {
  SDA_ELEMENTWISE
  for (index_t i = 0; i < n; ++i) y[i] += a * x[i];
}
}  // namespace detail

}  // namespace sda
