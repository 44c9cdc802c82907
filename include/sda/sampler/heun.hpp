// SPDX-License-Identifier: Apache-2.0
// x_s = α_s (x_t/α_t + (u_s - u_t) (ẑ_t + ẑ_s) / 2),  u = σ/α,  ẑ_s at the end of an Euler step
// Karras et al. (2022), Elucidating the Design Space of Diffusion-Based Generative Models, Algorithm 1.
#pragma once
#include <sda/sampler/sampler.hpp>

namespace sda {

/// Heun's method in σ/α: second order, two evaluations a step; the step to sigma = 0 is Euler's, with one.
struct heun {
  none memory(State auto const&) const { return {}; }

  template <State S, Denoiser<S> D> void step(D const& d, S& x, none&, transition t, key) const {
    double const keep = t.to.sigma / t.from.sigma, pull = t.to.alpha - keep * t.from.alpha;
    S const clean = d(x, t.from);
    if (t.to.sigma == 0 || t.from.alpha == 0) return lincomb(x, term{pull, clean}, term{keep, x});
    S ahead = zeros_like(x);
    lincomb(ahead, term{pull, clean}, term{keep, x});
    S const cleaner = d(ahead, t.to);
    // With x_e = pull x̂ + keep x the Euler step, x_s = x_e + h (ẑ_s - ẑ_t),  h = α_s (u_s - u_t) / 2.
    double const h = (t.to.sigma - t.from.sigma * t.to.alpha / t.from.alpha) / 2, at = h / t.from.sigma, as = h / t.to.sigma;
    lincomb(x, term{1 + as, ahead}, term{-as * t.to.alpha, cleaner}, term{-at, x}, term{at * t.from.alpha, clean});
  }
};

}  // namespace sda
