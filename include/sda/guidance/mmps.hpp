// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/guidance/gain.hpp>

namespace sda {

/// Where the vectors of a solver live: as many numbers as there are observations, or as a state has.
enum class solve_in { observations, states };

/// No preconditioner at any level.
struct no_preconditioner {
  identity operator()(level) const { return {}; }
};

/// Moment-matching posterior sampling (Rozet et al., 2024, arXiv:2405.13712):
///
///   E[x_0 | x_t, y] ≈ x̂ + V Aᵀ (R + A V Aᵀ)⁻¹ (y - A(x̂)),   V = (σ²/α) ∂x̂/∂x_t,
///
/// exact for Gaussian priors, linear operators and enough iterations. V is the denoiser's vjp (a trained network's Jacobian is
/// not quite symmetric: hence GMRES by default). Costs one evaluation and iterations + 1 vjps of the denoiser, whichever space
/// the solver works in: with many more observations than unknowns solve_in::states keeps its vectors small, by
/// (I + V Aᵀ R⁻¹ A) u = V Aᵀ R⁻¹ (y - A(x̂)). `precondition(l)` is an approximate inverse of what is solved at level l.
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

  template <class P, class A> struct gain_at {
    mmps const& of;
    A const& sight;
    detail::tweedie_at<P> spread;   // V
    level l;

    auto operator()(auto const& d) const {
      return of.space == solve_in::observations ? spread(sight.vjp(weighed(d))) : pushed(sight.vjp(of.seen.error.solve(d)));
    }
    auto adjoint(auto const& u) const {
      return of.space == solve_in::observations ? weighed(sight.jvp(spread(u))) : of.seen.error.solve(sight.jvp(pushed(u)));
    }

   private:
    auto weighed(auto const& d) const { return innovation_weight{of.solve, of.seen.error, sight, spread, of.precondition(l)}(d); }
    auto pushed(auto const& g) const {   // (I + V N)⁻¹ V g,  N = Aᵀ R⁻¹ A
      return push_through(of.solve, spread, [this](auto const& u) { return sight.vjp(of.seen.error.solve(sight.jvp(u))); }, g);
    }
  };
  template <class P, class A> gain_at<P, A> gain(P const& prior, A const& sight, level l) const {
    return {*this, sight, tweedie{}.at(prior, l), l};
  }
};
template <class D, class O> mmps(D, O) -> mmps<D, O>;
template <class D, class O, class Solve> mmps(D, O, Solve) -> mmps<D, O, Solve>;
template <class D, class O, class Solve> mmps(D, O, Solve, solve_in) -> mmps<D, O, Solve>;
template <class D, class O, class Solve, class Precondition> mmps(D, O, Solve, solve_in, Precondition) -> mmps<D, O, Solve, Precondition>;

}  // namespace sda
