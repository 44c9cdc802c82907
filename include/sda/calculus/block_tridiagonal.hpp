// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/small_matrix.hpp>

namespace sda {

/// A symmetric positive definite matrix of T x T blocks of n x n, zero but for diagonal[i] and upper[i] at (i, i + 1): what a
/// least-squares problem on a chain leads to.
struct block_tridiagonal {
  std::vector<small_matrix> diagonal, upper;

  /// The solution of A x = b, block by block, by block Cholesky: O(T n³).
  std::vector<double> solve(std::vector<double> b) const {
    index_t const t = index_t(diagonal.size()), n = t > 0 ? diagonal[0].height : 0;
    require(index_t(upper.size()) + 1 == t && index_t(b.size()) == t * n, "block_tridiagonal: ", t, " blocks of ", n, " with ", upper.size(),
            " beside them for ", b.size(), " numbers");
    std::vector<small_matrix> factor, turned;  // of D_i = A_ii - U_(i-1)ᵀ D_(i-1)⁻¹ U_(i-1); (D_i⁻¹ U_i)ᵀ
    small_matrix x(1, n);
    auto const part = [&](index_t i) { return b.begin() + i * n; };
    for (index_t i = 0; i < t; ++i) {
      small_matrix d = diagonal[std::size_t(i)];
      if (i > 0) {
        small_matrix const less = product(turned.back(), upper[std::size_t(i - 1)]);
        for (std::size_t e = 0; e < d.elements.size(); ++e) d.elements[e] -= less.elements[e];
        subtract(turned.back(), part(i - 1), part(i));
      }
      factor.push_back(cholesky(std::move(d)));
      if (i + 1 == t) break;
      turned.push_back(transposed(upper[std::size_t(i)]));
      cholesky_solve(factor.back(), turned.back());
    }
    for (index_t i = t; i-- > 0;) {
      if (i + 1 < t) subtract(upper[std::size_t(i)], part(i + 1), part(i));
      std::copy_n(part(i), n, x.elements.begin());
      cholesky_solve(factor[std::size_t(i)], x);
      std::copy_n(x.elements.begin(), n, part(i));
    }
    return b;
  }

 private:
  template <class In, class Out> static void subtract(small_matrix const& m, In x, Out y) {  // y -= m x
    for (index_t i = 0; i < m.height; ++i) y[i] -= std::inner_product(m[i], m[i] + m.width, x, 0.0);
  }
};

}  // namespace sda
