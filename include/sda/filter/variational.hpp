// SPDX-License-Identifier: Apache-2.0
// J(x) = ½ |x - x_b|²_B + ½ |y - G(x)|²_R
#pragma once
#include <sda/calculus/lbfgs.hpp>
#include <sda/calculus/solve/cg.hpp>
#include <sda/observation/operator.hpp>

namespace sda {

/// Variational assimilation: a background with covariance B (an ErrorCovariance) and what was seen through any operator G.
/// G of a state is 3D-Var; G after trajectory_from{model, length} is strong-constraint 4D-Var, G after
/// forced_trajectory{...} the weak-constraint one. Rows are independent; background and y have one row for all, or one each.
template <class B, State X, class O> struct variational_problem {
  X background;
  B error;
  O seen;

  /// J row by row, and its gradient: an Objective, for lbfgs.
  scalars_t<X> operator()(X const& x, X& gradient) const {
    auto const at = linearize(seen.op, x);
    X const moved = difference(x, background), pulled = error.solve(moved);
    auto const misfit = difference(at.value(), seen.y), weighed = seen.error.solve(misfit);
    lincomb(gradient, term{1.0, pulled}, term{1.0, at.vjp(weighed)});
    auto cost = dot(moved, pulled);
    lincomb(cost, term{0.5, cost}, term{0.5, dot(misfit, weighed)});
    return cost;
  }

  /// Background and observations perturbed by draws of their errors, a pair for each of `members` rows: their minimisers are
  /// posterior samples where all is linear and Gaussian (randomised maximum likelihood; Kitanidis, 1995).
  variational_problem randomised(index_t members, key k) const {
    return {perturbed_by(background, error, members, k.fold(0)), error, {seen.op, perturbed_by(seen.y, seen.error, members, k.fold(1)), seen.error}};
  }

  /// a - b, with as many rows as the taller of the two
  template <State S> static S difference(S const& a, S const& b) {
    S out = zeros(a, std::max(rows(a), rows(b)), columns(a));
    lincomb(out, term{1.0, a}, term{-1.0, b});
    return out;
  }
  template <State S, class R> static S perturbed_by(S const& x, R const& error, index_t members, key k) {
    S out = zeros(x, members, columns(x));
    lincomb(out, term{1.0, x}, term{1.0, error.draw(k, out)});
    return out;
  }
};
template <class B, class X, class O> variational_problem(X, B, O) -> variational_problem<B, X, O>;

/// Incremental minimisation by Gauss-Newton (Courtier et al., 1994): outer linearisations, each solved by conjugate gradients
/// on (B⁻¹ + Gᵀ R⁻¹ G) δ = B⁻¹ (x_b - x) + Gᵀ R⁻¹ (y - G(x)), preconditioned by B. One outer iteration is exact where G is linear.
struct gauss_newton {
  int outer = 5;
  cg solve{50, 1e-8};

  template <class B, State X, class O> X operator()(variational_problem<B, X, O> const& p, X const& start) const {
    X x = clone(start);
    for (int i = 0; i < outer; ++i) {
      auto const at = linearize(p.seen.op, x);
      X downhill = p.error.solve(p.difference(p.background, x));
      lincomb(downhill, term{1.0, downhill}, term{1.0, at.vjp(p.seen.error.solve(p.difference(p.seen.y, at.value())))});
      auto const hessian = [&](X const& v) {
        X out = p.error.solve(v);
        lincomb(out, term{1.0, out}, term{1.0, at.vjp(p.seen.error.solve(at.jvp(v)))});
        return out;
      };
      X const step = solve(hessian, downhill, [&](X const& v) { return p.error.apply(v); });
      lincomb(x, term{1.0, x}, term{1.0, step});
    }
    return x;
  }
};

/// 3D-Var as a filter: every row is a background of its own, with the same static B.
template <class B> struct three_d_var {
  B error;
  gauss_newton minimise{};
  template <State X, class O> void analyse(X& e, O const& seen, key) const { e = minimise(variational_problem{clone(e), error, seen}, e); }
};
template <class B> three_d_var(B) -> three_d_var<B>;
template <class B> three_d_var(B, gauss_newton) -> three_d_var<B>;

/// Optimal interpolation between a fixed background (the climate) and what is seen: the forecast is not used.
template <State X, class B> struct optimal_interpolation {
  X background;
  B error;
  gauss_newton minimise{};
  template <class O> void analyse(X& e, O const& seen, key) const {
    lincomb(e, term{1.0, background});
    e = minimise(variational_problem{clone(background), error, seen}, e);
  }
};
template <class X, class B> optimal_interpolation(X, B) -> optimal_interpolation<X, B>;
template <class X, class B> optimal_interpolation(X, B, gauss_newton) -> optimal_interpolation<X, B>;

}  // namespace sda
