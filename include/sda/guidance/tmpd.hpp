// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/guidance/gain.hpp>

namespace sda {

/// Tweedie moment projected diffusion (Boys et al., 2023, arXiv:2310.06721):
///
///   x̂ + V Aᵀ (R + A diag(V 1) Aᵀ)⁻¹ (y - A(x̂)),   V = (σ²/α) ∂x̂/∂x_t
///
/// The row sums of V stand for V: one evaluation and two vjps, the solve is free of the network.
template <class D, class O, class Solve = gmres> struct tmpd {
  D denoiser;
  O seen;
  Solve solve{2};

  template <State S>
    requires Guidable<tmpd, S>
  S operator()(S const& x, level l) const {
    return guided(*this, x, l);
  }
  template <State S>
    requires DifferentiableGuidable<tmpd, S>
  auto linearize(S const& x, level l) const {
    return linear_guidance<tmpd, S>(*this, x, l);
  }

  auto gain(auto const& prior, auto const& sight, level l) const {
    auto const spread = tweedie{}.at(prior, l);
    auto sums = zeros_like(prior.value());
    transform(sums, one{}, sums);
    sums = spread(sums);
    return kalman_gain{sight, spread, innovation_weight{solve, seen.error, sight, detail::diagonal_map{std::move(sums)}}};
  }

 private:
  struct one {
    template <class T> SDA_HD T operator()(T const& x) const { return x * 0.0 + 1.0; }
  };
};
template <class D, class O> tmpd(D, O) -> tmpd<D, O>;
template <class D, class O, class Solve> tmpd(D, O, Solve) -> tmpd<D, O, Solve>;

}  // namespace sda
