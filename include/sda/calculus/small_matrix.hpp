// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/config.hpp>
#include <sda/core/error.hpp>
#include <sda/state/host.hpp>
#include <sda/state/state.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
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
  std::vector<value_t<S>> const numbers(m.elements.begin(), m.elements.end());
  S out = zeros(like, m.height, m.width);
  load(out, std::span<value_t<S> const>(numbers));
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

// y += a x
inline void add_scaled(double* y, double a, double const* x, index_t n) {
  SDA_ELEMENTWISE
  for (index_t i = 0; i < n; ++i) y[i] += a * x[i];
}

// y += Σ_i a[i] (row i of m rows, `stride` apart), four rows a pass
inline void add_rows(double* y, double const* a, double const* rows_of, index_t stride, index_t m, index_t n) {
  index_t i = 0;
  for (; i + 4 <= m; i += 4) {
    double const *const p = rows_of + i * stride, *const q = p + stride, *const r = q + stride, *const s = r + stride;
    double const b = a[i], c = a[i + 1], d = a[i + 2], e = a[i + 3];
    SDA_ELEMENTWISE
    for (index_t j = 0; j < n; ++j) y[j] += (b * p[j] + c * q[j]) + (d * r[j] + e * s[j]);
  }
  for (; i < m; ++i) add_scaled(y, a[i], rows_of + i * stride, n);
}
// row i -= a[i] x + b[i] y, of m rows, two rows a pass
inline void subtract_outer(double* rows_of, index_t stride, index_t m, index_t n, double const* a, double const* x, double const* b, double const* y) {
  index_t i = 0;
  for (; i + 2 <= m; i += 2) {
    double *const p = rows_of + i * stride, *const q = p + stride;
    double const a0 = a[i], b0 = b[i], a1 = a[i + 1], b1 = b[i + 1];
    SDA_ELEMENTWISE
    for (index_t j = 0; j < n; ++j) {
      double const u = x[j], v = y[j];
      p[j] -= a0 * u + b0 * v;
      q[j] -= a1 * u + b1 * v;
    }
  }
  for (index_t j = 0; i < m && j < n; ++j) rows_of[i * stride + j] -= a[i] * x[j] + b[i] * y[j];
}

/// Householder's reduction of a symmetric matrix to tridiagonal form, which it leaves in `diagonal` and `off`. Row k of the
/// result is v_k (from k + 1 on) of the k-th reflection 1 - v vᵀ: a = Q t Qᵀ, Q = Π_k (1 - v_k v_kᵀ).
inline small_matrix reflect_to_tridiagonal(small_matrix& a, std::vector<double>& diagonal, std::vector<double>& off) {
  index_t const n = a.height;
  small_matrix reflectors(n, n);
  std::vector<double> product(static_cast<std::size_t>(n));  // a v
  for (index_t k = 0; k < n; ++k) {
    diagonal[std::size_t(k)] = a[k][k];
    off[std::size_t(k)] = k + 1 < n ? a[k][k + 1] : 0;
    if (k + 2 >= n) continue;
    index_t const first = k + 1, m = n - first;
    double const norm = std::sqrt(inner_product_of(a[k] + first, a[k] + first, m));
    if (norm == 0) continue;
    double const alpha = a[k][first] > 0 ? -norm : norm, scale = 1 / std::sqrt(norm * (norm + std::abs(a[k][first])));
    double* const v = reflectors[k] + first;
    for (index_t i = 0; i < m; ++i) v[i] = a[k][first + i] * scale;
    v[0] -= alpha * scale;
    off[std::size_t(k)] = alpha;
    // a <- (1 - v vᵀ) a (1 - v vᵀ) on the trailing block: a -= v qᵀ + q vᵀ, q = a v - ½ (vᵀ a v) v
    std::fill(product.begin(), product.begin() + m, 0.0);
    add_rows(product.data(), v, a[first] + first, n, m, m);
    add_scaled(product.data(), -0.5 * inner_product_of(product.data(), v, m), v, m);
    subtract_outer(a[first] + first, n, m, m, v, product.data(), product.data(), v);
  }
  return reflectors;
}

/// Q m Qᵀ in place, for a symmetric m.
inline void reflect_back(small_matrix& m, small_matrix const& reflectors) {
  index_t const n = m.height;
  std::vector<double> along(static_cast<std::size_t>(n)), padded(along);
  for (index_t k = n - 2; k-- > 0;) {
    index_t const first = k + 1, size = n - first;
    double const* const v = reflectors[k] + first;
    std::fill(along.begin(), along.end(), 0.0);
    add_rows(along.data(), v, m[first], n, size, n);  // vᵀ m
    double const half = 0.5 * inner_product_of(along.data() + first, v, size);
    add_scaled(along.data() + first, -half, v, size);
    for (index_t i = 0; i < first; ++i) add_scaled(m[i] + first, -along[std::size_t(i)], v, size);
    std::fill(padded.begin(), padded.begin() + first, 0.0);
    std::copy_n(v, size, padded.begin() + first);
    subtract_outer(m[first], n, size, n, v, along.data(), along.data() + first, padded.data());
  }
}

/// Householder's reduction; `a` becomes Qᵀ, its rows the new basis.
inline void tridiagonalise(small_matrix& a, std::vector<double>& diagonal, std::vector<double>& off) {
  index_t const n = a.height;
  small_matrix const reflectors = reflect_to_tridiagonal(a, diagonal, off);
  small_matrix q = identity_matrix(n);  // from the last reflection on, each touches the trailing block alone
  std::vector<double> along(static_cast<std::size_t>(n));
  for (index_t k = n - 2; k-- > 0;) {
    index_t const first = k + 1, size = n - first;
    double const* const v = reflectors[k] + first;
    std::fill(along.begin(), along.begin() + size, 0.0);
    add_rows(along.data(), v, q[first] + first, n, size, size);
    for (index_t i = 0; i < size; ++i) add_scaled(q[first + i] + first, -v[i], along.data(), size);
  }
  a = transposed(q);
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
  detail::tridiagonalise(a, d, e);
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
