// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/solve/krylov.hpp>

namespace sda {

/// BiCGSTAB (van der Vorst, 1992) for any invertible a, two products with it an iteration, seven states. The
/// preconditioner stands on the right, so residuals are true: it stops early, with a tolerance, on ‖r‖ / ‖b‖.
struct bicgstab {
  int iterations = 4;
  double tolerance = 0;

  template <State S, LinearOperator<S> A, Preconditioner<S> M = identity>
  S operator()(A const& a, S const& b, M const& precondition = {}) const {
    using krylov::map, krylov::ratio, krylov::where;
    S x = zeros_like(b), r = clone(b), p = clone(b);
    auto const first = dot(b, b);
    auto rho = clone(first), rr = clone(first);  // b·r and r·r
    double const least = std::max(tolerance, krylov::rounding<S>);
    for (int i = 0; i < iterations; ++i) {
      transform(rr, krylov::above{least * least}, rr, first);  // zero from here on for a row that is solved
      if (tolerance > 0 && !krylov::any<S>(rr)) break;
      transform(rho, where{}, rho, rr);
      S const& mp = precondition(p);
      S const v = a(mp);
      auto const step = map(ratio{}, rho, dot(b, v));
      lincomb(r, term{1.0, r}, term{-each{step}, v});  // the residual half way
      S const& mr = precondition(r);
      S const t = a(mr);
      auto omega = map(ratio{}, dot(t, r), dot(t, t));
      transform(omega, where{}, omega, rr);
      lincomb(x, term{1.0, x}, term{each{step}, mp}, term{each{omega}, mr});
      lincomb(r, term{1.0, r}, term{-each{omega}, t});
      auto next = dot(b, r);
      auto turn = map(ratio{}, next, rho), back = map(ratio{}, step, omega);
      lincomb(turn, weighted{1.0, turn, back});  // (ρ' / ρ) (step / ω)
      lincomb(back, weighted{1.0, turn, omega});
      lincomb(p, term{1.0, r}, term{each{turn}, p}, term{-each{back}, v});
      rho = std::move(next);
      rr = dot(r, r);
    }
    return x;
  }
};

}  // namespace sda
