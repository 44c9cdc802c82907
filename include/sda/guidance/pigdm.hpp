// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/guidance/dps.hpp>

namespace sda {

/// The spread with which a DDIM(eta) step of pigdm is the published one, without observation errors: x_s moves by
/// α_s α_t ∂x̂/∂x_tᵀ A† (y - A(x̂)).
struct pigdm_steps {
  static constexpr bool needs_jacobian = false;
  ddim_steps steps;
  double variance(level l) const { return l.sigma * l.sigma * steps.pull(l) / (l.alpha * l.alpha * steps.after(l).alpha); }
  auto at(auto const&, level l) const { return detail::scaled{variance(l)}; }
};

/// Pseudo-inverse guided diffusion (Song, Vahdat, Mardani & Kautz, 2023):
///
///   x̂ + V Aᵀ (R + r² A Aᵀ)⁻¹ (y - A(x̂)),   V = (σ²/α) ∂x̂/∂x_t,   r² = σ²/(α² + σ²)
///
/// The spread that weighs the innovation is not the one that distributes it: one evaluation and one vjp, the solve is
/// free of the network. `assumed` is the former (any spread).
template <class D, class O, class Solve = gmres, class Assumed = unit_prior> struct pigdm {
  D denoiser;
  O seen;
  Solve solve{2};
  Assumed assumed{};

  template <State S>
    requires Guidable<pigdm, S>
  S operator()(S const& x, level l) const {
    return guided(*this, x, l);
  }
  template <State S>
    requires DifferentiableGuidable<pigdm, S>
  auto linearize(S const& x, level l) const {
    return linear_guidance<pigdm, S>(*this, x, l);
  }

  auto gain(auto const& prior, auto const& sight, level l) const {
    return kalman_gain{sight, tweedie{}.at(prior, l), innovation_weight{solve, seen.error, sight, assumed.at(prior, l)}};
  }
};
template <class D, class O> pigdm(D, O) -> pigdm<D, O>;
template <class D, class O, class Solve> pigdm(D, O, Solve) -> pigdm<D, O, Solve>;
template <class D, class O, class Solve, class C> pigdm(D, O, Solve, C) -> pigdm<D, O, Solve, C>;

}  // namespace sda
