// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/linearize.hpp>

namespace sda {

/// What an instrument sees of a state, with the products of its Jacobian both ways.
template <class A, class S, class Y = S> concept ObservationOperator = State<S> && State<Y> && requires(A const& a, S const& x) {
  { a(x) } -> std::same_as<Y>;
  { linearize(a, x) } -> Linearization<S, Y>;
};

/// Put `static_assert(sda::check_operator<A, S>())` beside a new operator: one plain sentence per fault.
template <class A, class S, class Y = S> consteval bool check_operator() {
  static_assert(State<S> && State<Y>, "sda: an ObservationOperator maps a State to a State; check_state<S>() says what one lacks");
  constexpr bool callable = requires(A const& a, S const& x) { a(x); };
  constexpr bool observes = requires(A const& a, S const& x) {
    { a(x) } -> std::same_as<Y>;
  };
  constexpr bool linearizes = requires(A const& a, S const& x) { linearize(a, x); };
  static_assert(callable, "sda: an ObservationOperator needs a(x), callable while const");
  static_assert(!callable || observes, "sda: an ObservationOperator's a(x) must return the type of y");
  static_assert(!observes || linearizes, "sda: an ObservationOperator needs adjoint(u) if it is linear, or else linearize(x)");
  static_assert(!observes || !linearizes || ObservationOperator<A, S, Y>,
                "sda: an ObservationOperator's linearize(x) must return an object with value(), jvp(v) of the type of y and vjp(u) of the type of x");
  return true;
}

/// The covariance R of observation errors: apply(v) = R v, solve(v) = R⁻¹ v, row by row, and draw(k, like) ~ N(0, R) in
/// the shape of `like`.
template <class R, class Y> concept ErrorCovariance = State<Y> && requires(R const& r, Y const& v, key k) {
  { r.apply(v) } -> std::same_as<Y>;
  { r.solve(v) } -> std::same_as<Y>;
  { r.draw(k, v) } -> std::same_as<Y>;
};

/// Put `static_assert(sda::check_error_covariance<R, Y>())` beside a new covariance: one plain sentence per fault.
template <class R, class Y> consteval bool check_error_covariance() {
  constexpr bool applies = requires(R const& r, Y const& v) {
    { r.apply(v) } -> std::same_as<Y>;
  };
  constexpr bool solves = requires(R const& r, Y const& v) {
    { r.solve(v) } -> std::same_as<Y>;
  };
  constexpr bool draws = requires(R const& r, Y const& v, key k) {
    { r.draw(k, v) } -> std::same_as<Y>;
  };
  static_assert(applies, "sda: an ErrorCovariance needs apply(v), R v");
  static_assert(solves, "sda: an ErrorCovariance needs solve(v), the w with R w = v");
  static_assert(draws, "sda: an ErrorCovariance needs draw(key, like), errors in the shape of `like`");
  return true;
}

/// What was seen, how, and how well: y = A(x) + N(0, R). `y` has one row for all samples, or one a sample.
template <class A, State Y, ErrorCovariance<Y> R> struct observation {
  A op;
  Y y;
  R error;
};
template <class A, class Y, class R> observation(A, Y, R) -> observation<A, Y, R>;

}  // namespace sda
