// SPDX-License-Identifier: Apache-2.0
// x_s = α_s x̂ + σ_s √(1-ητ) ẑ + σ_s √(ητ) ξ,  ẑ = (x_t - α_t x̂) / σ_t,  τ = 1 - (α_t σ_s / α_s σ_t)²
// Song, Meng & Ermon (2021), Denoising Diffusion Implicit Models; η = 1: Ho, Jain & Abbeel (2020), DDPM.
#pragma once
#include <sda/sampler/sampler.hpp>

#include <algorithm>
#include <cmath>

namespace sda {

/// The first-order sampler, from deterministic (eta = 0: Euler's method in σ/α, exactly) to ancestral (eta = 1: DDPM).
struct ddim {
  double eta = 0;

  none memory(State auto const&) const { return {}; }

  template <State S, Denoiser<S> D> void step(D const& d, S& x, none&, transition t, key k) const {
    double const cleaned = t.from.alpha * t.to.sigma / (t.to.alpha * t.from.sigma), fresh = std::min(1.0, eta * (1 - cleaned * cleaned));
    double const keep = t.to.sigma / t.from.sigma * std::sqrt(1 - fresh), pull = t.to.alpha - keep * t.from.alpha;
    S const clean = d(x, t.from);
    if (eta == 0) lincomb(x, term{pull, clean}, term{keep, x});
    else lincomb(x, term{pull, clean}, term{keep, x}, noise{t.to.sigma * std::sqrt(fresh), k});
  }
};

/// Ancestral sampling: the reverse of the Markov chain through the levels.
inline constexpr ddim ddpm{1};

}  // namespace sda
