// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/linearize.hpp>
#include <sda/core/error.hpp>
#include <sda/state/matrix.hpp>

namespace sda {

/// y = A x for a dense matrix A, a state of a row for each number seen. Keeps A and its transpose.
template <State S> class linear {
 public:
  explicit linear(S a) : matrix_(std::move(a)), transposed_(transpose(matrix_)) {}

  S operator()(S const& x) const { return times(x, transposed_); }
  S adjoint(S const& u) const { return times(u, matrix_); }

  linear_view<linear, S> linearize(S const& x) const { return {*this, (*this)(x)}; }
  index_t seen() const { return rows(matrix_); }
  index_t width() const { return columns(matrix_); }

 private:
  static S times(S const& x, S const& m) {
    require(columns(x) == rows(m), "linear: ", columns(x), " columns where ", rows(m), " are expected");
    return product(x, m);
  }
  S matrix_, transposed_;
};

}  // namespace sda
