// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/level.hpp>
#include <sda/calculus/linearize.hpp>

namespace sda {

/// d(x, l) is E[x_0 | x_t = x] at noise level l, row by row. Everything that shapes a posterior (guidance, windows, ranks,
/// conditioning) is a Denoiser that wraps a Denoiser; samplers only ever see a Denoiser.
template <class D, class S> concept Denoiser = State<S> && requires(D const& d, S const& x, level l) {
  { d(x, l) } -> std::same_as<S>;
};

/// ... one whose linearize(d, x, l) also gives products with the transpose of ∂E[x_0 | x_t]/∂x_t.
template <class D, class S> concept DifferentiableDenoiser = Denoiser<D, S> && requires(D const& d, S const& x, level l) {
  { linearize(d, x, l) } -> Pullback<S, S>;
};

/// Put `static_assert(sda::check_denoiser<D, S>())` beside a new denoiser: one plain sentence per fault.
template <class D, class S> consteval bool check_denoiser() {
  static_assert(State<S>, "sda: a Denoiser works on a State; check_state<S>() says what S lacks");
  constexpr bool callable = requires(D const& d, S const& x, level l) { d(x, l); };
  static_assert(callable, "sda: a Denoiser needs d(x, level), the mean of x_0 given x_t = x, callable while const");
  static_assert(!callable || !State<S> || Denoiser<D, S>, "sda: a Denoiser's d(x, level) must return a state of the type of x");
  return true;
}

/// ... and beside one that guidance is to differentiate.
template <class D, class S> consteval bool check_differentiable_denoiser() {
  constexpr bool linearizes = requires(D const& d, S const& x, level l) { linearize(d, x, l); };
  static_assert(check_denoiser<D, S>() && linearizes, "sda: a DifferentiableDenoiser needs a const member linearize(x, level)");
  static_assert(!linearizes || DifferentiableDenoiser<D, S>,
                "sda: a DifferentiableDenoiser's linearize(x, level) must return an object with value() and vjp(u), both of the type of x");
  return true;
}

/// A conditional prior is bound to its context (a background, dates, a parameter) to become a Denoiser: n.at(context).
template <class N, class S, class Context = S> concept ConditionalDenoiser = requires(N const& n, Context const& c) {
  { n.at(c) } -> Denoiser<S>;
};

}  // namespace sda
