// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/guidance/gain.hpp>

#include <cmath>
#include <vector>

namespace sda {

/// The steps of a run of DDIM(eta), x_s = pull x̂ + keep x_t + noise, as far as a level tells which step it starts: for methods
/// that were written as a change of x_s, not of x̂. A change g of x_s is a change g / pull of x̂. `levels` are those the
/// sampler is given.
struct ddim_steps {
  std::vector<level> levels;
  double eta = 0;

  level after(level l) const {
    for (std::size_t i = 0; i + 1 < levels.size(); ++i)
      if (levels[i] == l) return levels[i + 1];
    throw error(detail::text("no step of the run starts at alpha ", l.alpha, ", sigma ", l.sigma, " (", levels.size(), " levels)"));
  }
  double pull(level from) const {
    level const to = after(from);
    double const cleaned = from.alpha * to.sigma / (to.alpha * from.sigma), fresh = std::min(1.0, eta * (1 - cleaned * cleaned));
    return to.alpha - to.sigma / from.sigma * std::sqrt(1 - fresh) * from.alpha;
  }
};

/// How far dps moves x̂ along -∇_{x_t} |y - A(x̂)|, per unit of zeta. As published: what moves x_s by zeta in the
/// given steps.
struct per_step {
  ddim_steps steps;
  double operator()(level l) const { return 1 / steps.pull(l); }
};
/// As SDA's code compares it: the gradient stands for 2 zeta ∇ log p(y | x_t), at any level and for any sampler.
struct per_score {
  double operator()(level l) const { return 2 * l.sigma * l.sigma / l.alpha; }
};

namespace detail {
// c / √x, and 0 at 0. Not a member of dps: a kernel could not be named after a lambda among its parameters.
struct over_root {
  double c;
  template <class T> SDA_HD T operator()(T const& x) const {
    using std::sqrt;
    return (x != 0) * c / sqrt(x + (x == 0));
  }
};
}  // namespace detail

/// Diffusion posterior sampling (Chung et al., 2023, arXiv:2209.14687): x_s = step(x_t) - ζ ∇_{x_t} |y - A(x̂)|, written as
///
///   x̂ + ζ c(l) ∂x̂/∂x_tᵀ Aᵀ (y - A(x̂)) / |y - A(x̂)|
///
/// with c = per_step{{levels, eta}}: then a DDIM(eta) step through these levels is DPS to the letter, DDPM (eta = 1) being
/// the published one. Norms are taken row by row. R is not used. One evaluation and one vjp; no linearisation is
/// offered, for the step's length does not depend on the innovation's.
template <class D, class O, class C = per_score> struct dps {
  D denoiser;
  O seen;
  double zeta = 1;
  C conversion{};

  template <State S>
    requires Guidable<dps, S>
  S operator()(S const& x, level l) const {
    if (columns(seen.y) == 0) return denoiser(x, l);
    auto const prior = linearize(denoiser, x, l);
    auto const sight = linearize(seen.op, prior.value());
    auto const d = detail::innovation(seen.y, sight.value());
    S out = prior.vjp(sight.vjp(d));
    auto step = dot(d, d);
    transform(step, detail::over_root{zeta * conversion(l)}, step);
    lincomb(out, term{1.0, prior.value()}, term{each{step}, out});
    return out;
  }
};
template <class D, class O> dps(D, O) -> dps<D, O>;
template <class D, class O> dps(D, O, double) -> dps<D, O>;
template <class D, class O, class C> dps(D, O, double, C) -> dps<D, O, C>;

}  // namespace sda
