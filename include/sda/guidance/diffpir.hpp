// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/guidance/gain.hpp>

namespace sda {

/// DiffPIR (Zhu et al., 2023, arXiv:2305.08995): the state nearest to x̂ that agrees with the observations,
///
///   argmin_x (y - A x)ᵀ R⁻¹ (y - A x) + |x - x̂|² / ρ = x̂ + ρ Aᵀ (R + ρ A Aᵀ)⁻¹ (y - A x̂),   ρ = σ²/(λ α²),
///
/// one Gauss-Newton step of it where A is not linear. One evaluation and no vjp of the denoiser.
template <class D, class O, class Solve = gmres> struct diffpir {
  static constexpr bool needs_jacobian = false;

  D denoiser;
  O seen;
  double lambda = 8;
  Solve solve{2};
  solve_in space = solve_in::states;

  template <State S>
    requires Guidable<diffpir, S>
  S operator()(S const& x, level l) const {
    return guided(*this, x, l);
  }
  template <State S>
    requires DifferentiableGuidable<diffpir, S>
  auto linearize(S const& x, level l) const {
    return linear_guidance<diffpir, S>(*this, x, l);
  }

  auto gain(auto const&, auto const& sight, level l) const {
    require(lambda > 0, "diffpir: lambda = ", lambda);
    return solved_gain{solve, seen.error, sight, detail::scaled{flat_prior{}.variance(l) / lambda}, space};
  }
};
template <class D, class O> diffpir(D, O) -> diffpir<D, O>;
template <class D, class O> diffpir(D, O, double) -> diffpir<D, O>;
template <class D, class O, class Solve> diffpir(D, O, double, Solve) -> diffpir<D, O, Solve>;
template <class D, class O, class Solve> diffpir(D, O, double, Solve, solve_in) -> diffpir<D, O, Solve>;

}  // namespace sda
