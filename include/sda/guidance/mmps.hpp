// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/guidance/gain.hpp>

namespace sda {

/// No preconditioner at any level.
struct no_preconditioner {
  identity operator()(level) const { return {}; }
};

/// Moment-matching posterior sampling (Rozet et al., 2024, arXiv:2405.13712):
///
///   E[x_0 | x_t, y] ≈ x̂ + V Aᵀ (R + A V Aᵀ)⁻¹ (y - A(x̂)),   V = (σ²/α) ∂x̂/∂x_t,
///
/// exact for Gaussian priors, linear operators and enough iterations. V is the denoiser's vjp (a trained network's Jacobian is
/// not quite symmetric: hence GMRES by default). Costs one evaluation and iterations + 1 vjps of the denoiser, in whichever
/// space the solver works. `precondition(l)` gives an approximate inverse of R + A V Aᵀ at level l, for solve_in::observations.
template <class D, class O, class Solve = gmres, class Precondition = no_preconditioner> struct mmps {
  D denoiser;
  O seen;
  Solve solve{2};
  solve_in space = solve_in::observations;
  Precondition precondition{};

  template <State S>
    requires Guidable<mmps, S>
  S operator()(S const& x, level l) const {
    return guided(*this, x, l);
  }
  template <State S>
    requires Guidable<mmps, S>
  auto linearize(S const& x, level l) const {
    return linear_guidance<mmps, S>(*this, x, l);
  }

  auto gain(auto const& prior, auto const& sight, level l) const {
    return solved_gain{solve, seen.error, sight, tweedie{}.at(prior, l), space, precondition(l)};
  }
};
template <class D, class O> mmps(D, O) -> mmps<D, O>;
template <class D, class O, class Solve> mmps(D, O, Solve) -> mmps<D, O, Solve>;
template <class D, class O, class Solve> mmps(D, O, Solve, solve_in) -> mmps<D, O, Solve>;
template <class D, class O, class Solve, class Precondition> mmps(D, O, Solve, solve_in, Precondition) -> mmps<D, O, Solve, Precondition>;

}  // namespace sda
