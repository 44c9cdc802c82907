// SPDX-License-Identifier: Apache-2.0
// LO-SDA (2025, arXiv:2510.22562): in place of one gradient step, an inner optimisation makes the denoised latent agree with
// the observations through the decoder,
//
//   z* = argmin_z ½ |y - A(z)|²_{R⁻¹} + ½ |z - ẑ|² / ρ²,   ẑ = E[z_0 | z_t] (given a background, if the denoiser is),
//
// started at ẑ. The paper's settings are not public; here the inner solver and ρ are policies.
#pragma once
#include <sda/calculus/lbfgs.hpp>
#include <sda/guidance/gain.hpp>

#include <cmath>

namespace sda {

namespace detail {

// The objective of LO-SDA around one ẑ, row by row: cost, gradient, and products with its Gauss-Newton Hessian.
template <class O, State S> struct latent_objective {
  O const& seen;
  S const& centre;
  double precision;  // 1 / ρ²

  /// The cost and its gradient: what lbfgs minimises.
  scalars_t<S> operator()(S const& z, S& gradient_of_z) const {
    auto const at = sight(z);
    gradient_of_z = gradient(at, z);
    auto const d = innovation(seen.y, at.value());
    S away = zeros_like(z);
    lincomb(away, term{1.0, z}, term{-1.0, centre});
    auto cost = dot(away, away);
    lincomb(cost, term{0.5 * precision, cost}, term{0.5, dot(d, seen.error.solve(d))});
    return cost;
  }

  auto sight(S const& z) const { return linearize(seen.op, z); }
  S gradient(auto const& at, S const& z) const {
    auto const d = innovation(seen.y, at.value());
    S g = at.vjp(seen.error.solve(d));
    lincomb(g, term{-1.0, g}, term{precision, z}, term{-precision, centre});
    return g;
  }
  S hessian(auto const& at, S const& p) const {
    S h = at.vjp(seen.error.solve(at.jvp(p)));
    lincomb(h, term{1.0, h}, term{precision, p});
    return h;
  }
};

struct adam_direction {
  double first, second;  // what makes the running means unbiased
  template <class T> SDA_HD T operator()(T const& m, T const& v) const {
    using std::sqrt;
    return m * first / (sqrt(v * second) + 1e-8);
  }
};
struct safe_ratio {  // a / b, and 0 where b is 0
  template <class T> SDA_HD T operator()(T const& a, T const& b) const { return (b != 0) * a / (b + (b == 0)); }
};
template <class C> C ratio_of(C const& a, C const& b) {
  C out = zeros_like(a);
  transform(out, safe_ratio{}, a, b);
  return out;
}

}  // namespace detail

/// Steepest descent; each row's step is the best along its gradient for the linearised operator. rate > 0: that step instead.
struct gradient_descent {
  int steps = 10;
  double rate = 0;

  template <class F, State S> S operator()(F const& objective, S z) const {
    for (int i = 0; i < steps; ++i) {
      auto const at = objective.sight(z);
      S const g = objective.gradient(at, z);
      if (rate > 0) lincomb(z, term{1.0, z}, term{-rate, g});
      else {
        auto const step = detail::ratio_of(dot(g, g), dot(g, objective.hessian(at, g)));
        lincomb(z, term{1.0, z}, term{-each{step}, g});
      }
    }
    return z;
  }
};

/// Adam (Kingma & Ba, 2015), element by element.
struct adam {
  int steps = 50;
  double rate = 0.05, beta1 = 0.9, beta2 = 0.999;

  template <class F, State S> S operator()(F const& objective, S z) const {
    S mean = zeros_like(z), square = zeros_like(z), step = zeros_like(z);
    for (int i = 1; i <= steps; ++i) {
      S const g = objective.gradient(objective.sight(z), z);
      lincomb(mean, term{beta1, mean}, term{1 - beta1, g});
      lincomb(square, term{beta2, square}, weighted{1 - beta2, g, g});
      transform(step, detail::adam_direction{1 / (1 - std::pow(beta1, i)), 1 / (1 - std::pow(beta2, i))}, mean, square);
      lincomb(z, term{1.0, z}, term{-rate, step});
    }
    return z;
  }
};

/// Gauss-Newton with an inner solver (conjugate gradients): the minimum at once where A is linear and the solver gets there;
/// no line search, so A has to be nearly linear between ẑ and z*.
template <class Solve = cg> struct gauss_newton_cg {
  int steps = 3;
  Solve solve{10};

  template <class F, State S> S operator()(F const& objective, S z) const {
    for (int i = 0; i < steps; ++i) {
      auto const at = objective.sight(z);
      S const p = solve([&](S const& v) { return objective.hessian(at, v); }, objective.gradient(at, z));
      lincomb(z, term{1.0, z}, term{-1.0, p});
    }
    return z;
  }
};
gauss_newton_cg(int) -> gauss_newton_cg<>;
template <class Solve> gauss_newton_cg(int, Solve) -> gauss_newton_cg<Solve>;

/// The denoiser of LO-SDA: z* in place of ẑ. `optimise` is gauss_newton_cg, lbfgs (safeguarded by a line search that reads costs
/// back to the host), gradient_descent or adam. `spread` gives ρ² (any with a variance(l); unit_prior is ReSample's and DAPS's
/// choice, a large one demands strict agreement). A DDIM step re-noises around z* (hard consistency); `mixing` < 1 returns
/// ẑ + mixing (z* - ẑ) instead (soft). Costs one evaluation of the denoiser and no vjp, and those of the operator the optimiser asks for.
template <class D, class O, class Optimise = gauss_newton_cg<>, class Spread = unit_prior> struct latent_optimization {
  static constexpr bool needs_jacobian = false;

  D denoiser;
  O seen;
  Optimise optimise{};
  Spread spread{};
  double mixing = 1;

  template <State S>
    requires Guidable<latent_optimization, S>
  S operator()(S const& x, level l) const {
    S out = denoiser(x, l);
    double const variance = spread.variance(l);
    if (columns(seen.y) == 0 || variance == 0) return out;
    S const best = optimise(detail::latent_objective<O, S>{seen, out, 1 / variance}, clone(out));
    lincomb(out, term{1 - mixing, out}, term{mixing, best});
    return out;
  }
};
template <class D, class O> latent_optimization(D, O) -> latent_optimization<D, O>;
template <class D, class O, class Opt> latent_optimization(D, O, Opt) -> latent_optimization<D, O, Opt>;
template <class D, class O, class Opt, class C> latent_optimization(D, O, Opt, C) -> latent_optimization<D, O, Opt, C>;
template <class D, class O, class Opt, class C> latent_optimization(D, O, Opt, C, double) -> latent_optimization<D, O, Opt, C>;

}  // namespace sda
