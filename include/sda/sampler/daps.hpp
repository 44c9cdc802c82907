// SPDX-License-Identifier: Apache-2.0
// Decoupled annealing posterior sampling (Zhang et al., 2024, arXiv:2407.01521): at every level a clean sample is drawn,
//
//   x_0 ~ N(y | A(x_0), R) N(x_0 | x̂(x_t), r² I),   x_s = α_s x_0 + σ_s ξ,
//
// where x̂(x_t) is the end of the probability-flow ODE from x_t, so that errors of one level are forgotten at the next.
#pragma once
#include <sda/guidance/gain.hpp>
#include <sda/sampler/ddim.hpp>

#include <cstring>

namespace sda {

/// A DDIM whose noise is all new, x_s = α_s x̂ + σ_s ξ: DAPS's step.
inline constexpr ddim annealing{1e300};

/// The draw of x_0 as a denoiser, to be sampled with `annealing`. The paper's inner Langevin chain is replaced by what it
/// aims at: x̂ + r ξ moved by Kalman's update to y + ε, which is an exact draw where A is linear, and one Gauss-Newton step else
/// (randomised maximum likelihood). The ODE takes `ode_steps` steps (Euler in σ/α, levels in equal ratios down to `ode_end`
/// of the noise), each one evaluation; r comes from `spread`. It draws from k, folded by the level: for rows of a whole give
/// it k.from_row(r). The denoiser is asked between the levels of the schedule too: wrap a network in `reschedule`.
template <class D, class O, class Solve = cg, class Spread = unit_prior> struct daps {
  static constexpr bool needs_jacobian = false;

  D denoiser;
  O seen;
  key k;
  int ode_steps = 5;
  Solve solve{10};
  Spread spread{};
  double ode_end = 1e-3;

  template <State S>
    requires Guidable<daps, S>
  S operator()(S const& x, level l) const {
    require(ode_steps > 0 && ode_end > 0 && ode_end < 1, "daps: ", ode_steps, " steps down to ", ode_end, " of the noise");
    double const variance = spread.variance(l);
    key const here = k.fold(bits(l.sigma / l.alpha));
    S drawn = flowed(x, l);
    lincomb(drawn, term{1.0, drawn}, noise{std::sqrt(variance), here.fold(0)});
    if (columns(seen.y) == 0) return drawn;
    auto const sight = sda::linearize(seen.op, drawn);
    auto d = detail::innovation(seen.y, sight.value());
    lincomb(d, term{1.0, d}, term{1.0, seen.error.draw(here.fold(1), d)});
    S const moved = solved_gain{solve, seen.error, sight, detail::scaled{variance}, solve_in::observations}(d);
    lincomb(drawn, term{1.0, drawn}, term{1.0, moved});
    return drawn;
  }

 private:
  template <State S> S flowed(S const& x, level l) const {
    S y = clone(x);
    level from = l;
    none memory;
    for (int i = 1; i < ode_steps; ++i) {
      level const to{l.alpha, l.sigma * std::pow(ode_end, double(i) / (ode_steps - 1))};
      ddim{}.step(denoiser, y, memory, {from, to}, key{});
      from = to;
    }
    return denoiser(y, from);
  }
  static std::uint64_t bits(double x) {
    std::uint64_t b;
    std::memcpy(&b, &x, sizeof b);
    return b;
  }
};
template <class D, class O> daps(D, O, key) -> daps<D, O>;
template <class D, class O> daps(D, O, key, int) -> daps<D, O>;
template <class D, class O, class Solve> daps(D, O, key, int, Solve) -> daps<D, O, Solve>;
template <class D, class O, class Solve, class C> daps(D, O, key, int, Solve, C) -> daps<D, O, Solve, C>;

}  // namespace sda
