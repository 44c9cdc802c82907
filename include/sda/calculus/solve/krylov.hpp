// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/state/state.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

// What the Krylov solvers share. They solve a(x) = b for every row at once: scalars (one a row) never leave the
// device, and what a row no longer needs is multiplied by zero instead of branched around. With a tolerance the host
// looks at the residuals after every iteration and stops once all rows are done.

namespace sda {

/// A linear map of states: a(x) is a new state in the shape of x.
template <class A, class S> concept LinearOperator = State<S> && requires(A const& a, S const& x) {
  { a(x) } -> std::same_as<S>;
};
/// An approximate inverse, m(r) ≈ a⁻¹ r.
template <class M, class S> concept Preconditioner = State<S> && requires(M const& m, S const& r) {
  { m(r) } -> std::convertible_to<S const&>;
};

/// The preconditioner that does nothing, at no cost.
struct identity {
  template <class S> S const& operator()(S const& x) const { return x; }
};

namespace krylov {

// Functions of scalars. Comparisons are used as numbers, so that tensors serve too.

/// a / b, and 0 where b is 0: a row that has converged stops moving.
struct ratio {
  template <class T> SDA_HD T operator()(T const& a, T const& b) const { return (b != 0) * (a / (b + (b == 0))); }
};
/// 1 / a, and 0 where a is 0
struct inverse {
  template <class T> SDA_HD T operator()(T const& a) const { return (a != 0) / (a + (a == 0)); }
};
/// a where b is not 0, else 0
struct where {
  template <class T> SDA_HD T operator()(T const& a, T const& b) const { return (b != 0) * a; }
};
/// a where |a| > least b, else 0
struct above {
  double least;
  template <class T> SDA_HD T operator()(T const& a, T const& b) const {
    using std::abs;
    return (abs(a) > least * b) * a;
  }
};
struct root {
  template <class T> SDA_HD T operator()(T const& a) const {
    using std::sqrt;
    return sqrt(a);
  }
};
struct hypotenuse {
  template <class T> SDA_HD T operator()(T const& a, T const& b) const {
    using std::sqrt;
    return sqrt(a * a + b * b);
  }
};

/// f of scalars, as new scalars.
template <class C, class F, class... X> C map(F const& f, C const& x, X const&... more) {
  C out = zeros_like(x);
  transform(out, f, x, more...);
  return out;
}
/// What is smaller than this, relatively, is rounding.
template <State S> inline constexpr double rounding = double(std::numeric_limits<value_t<S>>::epsilon());

/// Whether any row is not zero; waits for the device.
template <State S> bool any(scalars_t<S> const& c) {
  std::vector<double> numbers(static_cast<std::size_t>(rows(c)));
  algebra<S>::store(c, std::span<double>(numbers));
  return std::any_of(numbers.begin(), numbers.end(), [](double x) { return x != 0; });
}

}  // namespace krylov
}  // namespace sda
