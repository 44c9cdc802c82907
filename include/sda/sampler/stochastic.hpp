// SPDX-License-Identifier: Apache-2.0
// The reverse SDE dx = (f x - g² ∇log p) dt + g dw (Anderson, 1982), stepped from levels alone:
//   f dt = (α_t - α_s) / α_t,   g² dt = σ_t² - σ_s² - 2 σ_t² f dt,   ∇log p = (α_t x̂ - x_t) / σ_t²
#pragma once
#include <sda/sampler/sampler.hpp>

#include <algorithm>
#include <cmath>

namespace sda {

/// Euler-Maruyama for the reverse SDE: first order, stochastic. With EnSF's levels, linear in α and σ², it is EnSF's step
/// (Bao, Zhang & Zhang, 2024) exactly. `churn` scales the noise; churn = 0 is Euler for the probability-flow ODE in t.
struct euler_maruyama {
  double churn = 1;

  none memory(State auto const&) const { return {}; }

  template <State S, Denoiser<S> D> void step(D const& d, S& x, none&, transition t, key k) const {
    double const s2 = t.from.sigma * t.from.sigma, f = (t.from.alpha - t.to.alpha) / t.from.alpha;
    double const g2 = std::max(0.0, s2 - t.to.sigma * t.to.sigma - 2 * f * s2), pull = (1 + churn * churn) / 2 * g2 / s2;
    S const clean = d(x, t.from);
    if (churn == 0) lincomb(x, term{1 - f - pull, x}, term{pull * t.from.alpha, clean});
    else lincomb(x, term{1 - f - pull, x}, term{pull * t.from.alpha, clean}, noise{churn * std::sqrt(g2), k});
  }
};

/// azula's Itô sampler: an Euler step in σ/α with the score scaled by (1 + eta²) / temperature, and the noise that goes with it,
///   x_s = (α_s/α_t) x + (1+η²)/T (σ_s/σ_t - α_s/α_t) (x - α_t x̂) + η α_s √(u_t² - u_s²) ξ,  u = σ/α.
/// First order; eta = 0 and temperature = 1 give ddim{}.
struct ito {
  double eta = 1, temperature = 1;

  none memory(State auto const&) const { return {}; }

  template <State S, Denoiser<S> D> void step(D const& d, S& x, none&, transition t, key k) const {
    double const keep = t.to.alpha / t.from.alpha, pull = (1 + eta * eta) / temperature * (t.to.sigma / t.from.sigma - keep);
    double const ut = t.from.sigma / t.from.alpha, us = t.to.sigma / t.to.alpha;
    S const clean = d(x, t.from);
    lincomb(x, term{keep + pull, x}, term{-pull * t.from.alpha, clean}, noise{eta * t.to.alpha * std::sqrt(std::max(0.0, ut * ut - us * us)), k});
  }
};

}  // namespace sda
