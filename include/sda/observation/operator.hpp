// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/linearize.hpp>

namespace sda {

/// What an instrument sees of a state, with the products of its Jacobian both ways.
template <class A, class S, class Y = S> concept ObservationOperator = State<S> && State<Y> && requires(A const& a, S const& x) {
  { a(x) } -> std::same_as<Y>;
  { linearize(a, x) } -> Linearization<S, Y>;
};

/// The covariance R of observation errors: apply(v) = R v, solve(v) = R⁻¹ v, row by row, and draw(k, like) ~ N(0, R) in
/// the shape of `like`.
template <class R, class Y> concept ErrorCovariance = State<Y> && requires(R const& r, Y const& v, key k) {
  { r.apply(v) } -> std::same_as<Y>;
  { r.solve(v) } -> std::same_as<Y>;
  { r.draw(k, v) } -> std::same_as<Y>;
};

/// What was seen, how, and how well: y = A(x) + N(0, R). `y` has one row for all samples, or one a sample.
template <class A, State Y, ErrorCovariance<Y> R> struct observation {
  A op;
  Y y;
  R error;
};
template <class A, class Y, class R> observation(A, Y, R) -> observation<A, Y, R>;

}  // namespace sda
