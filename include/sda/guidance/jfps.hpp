// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/guidance/gain.hpp>

namespace sda {

/// Jacobian-free posterior sampling: the update with a covariance chosen beforehand,
///
///   x̂ + C Aᵀ (R + A C Aᵀ)⁻¹ (y - A(x̂))
///
/// One evaluation and no vjp of the denoiser. C is a spread: unit_prior, independent_prior{variances}, or any struct with
/// at(prior, l). Unobserved coordinates move only as far as C correlates them with observed ones.
template <class D, class O, class Spread = unit_prior, class Solve = gmres> struct jfps {
  static constexpr bool needs_jacobian = Spread::needs_jacobian;

  D denoiser;
  O seen;
  Spread spread{};
  Solve solve{2};
  solve_in space = solve_in::observations;

  template <State S>
    requires Guidable<jfps, S>
  S operator()(S const& x, level l) const {
    return guided(*this, x, l);
  }
  template <State S>
    requires DifferentiableGuidable<jfps, S>
  auto linearize(S const& x, level l) const {
    return linear_guidance<jfps, S>(*this, x, l);
  }

  auto gain(auto const& prior, auto const& sight, level l) const { return solved_gain{solve, seen.error, sight, spread.at(prior, l), space}; }
};
template <class D, class O> jfps(D, O) -> jfps<D, O>;
template <class D, class O, class C> jfps(D, O, C) -> jfps<D, O, C>;
template <class D, class O, class C, class Solve> jfps(D, O, C, Solve) -> jfps<D, O, C, Solve>;
template <class D, class O, class C, class Solve> jfps(D, O, C, Solve, solve_in) -> jfps<D, O, C, Solve>;

}  // namespace sda
