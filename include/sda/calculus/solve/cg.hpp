// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/solve/krylov.hpp>

#include <concepts>

namespace sda {

/// x += (ρ / p·q) p,  r -= (ρ / p·q) q,  ρ' = r·r,  p = r + (ρ' / ρ) p;  returns ρ'. Rows with ρ = 0 keep their x and r.
/// algebra<S> may offer the four as one fused static member of this name.
inline constexpr auto cg_step = []<State S>(S& x, S& r, S& p, S const& q, scalars_t<S> const& rr) -> scalars_t<S> {
  if constexpr (requires { algebra<S>::cg_step(x, r, p, q, rr); }) {
    return algebra<S>::cg_step(x, r, p, q, rr);
  } else {
    auto const step = krylov::map(krylov::ratio{}, rr, dot(p, q));
    lincomb(x, term{1.0, x}, term{each{step}, p});
    lincomb(r, term{1.0, r}, term{-each{step}, q});
    auto next = dot(r, r);
    auto const turn = krylov::map(krylov::ratio{}, next, rr);
    lincomb(p, term{1.0, r}, term{each{turn}, p});
    return next;
  }
};

/// Conjugate gradients (Hestenes & Stiefel, 1952) for a symmetric positive definite a; the preconditioner too. Stops early
/// only with a tolerance: on √(r·Mr) / √(b·Mb) of every row.
struct cg {
  int iterations = 4;
  double tolerance = 0;

  template <State S, LinearOperator<S> A, Preconditioner<S> M = identity>
  S operator()(A const& a, S const& b, M const& precondition = {}) const {
    S x = zeros_like(b), r = clone(b), p = clone(precondition(r));
    auto rr = dot(r, p);
    auto const first = clone(rr);
    double const least = std::max(tolerance, krylov::rounding<S>);
    for (int i = 0; i < iterations; ++i) {
      transform(rr, krylov::above{least * least}, rr, first);  // zero from here on for a row that is solved
      if (tolerance > 0 && !krylov::any<S>(rr)) break;
      S const q = a(p);
      if constexpr (std::same_as<M, identity>) rr = cg_step(x, r, p, q, rr);
      else rr = preconditioned_step(x, r, p, q, rr, precondition);
    }
    return x;
  }

 private:
  template <State S, class M>
  static scalars_t<S> preconditioned_step(S& x, S& r, S& p, S const& q, scalars_t<S> const& rr, M const& precondition) {
    auto const step = krylov::map(krylov::ratio{}, rr, dot(p, q));
    lincomb(x, term{1.0, x}, term{each{step}, p});
    lincomb(r, term{1.0, r}, term{-each{step}, q});
    S const& z = precondition(r);
    auto next = dot(r, z);
    auto const turn = krylov::map(krylov::ratio{}, next, rr);
    lincomb(p, term{1.0, z}, term{each{turn}, p});
    return next;
  }
};

}  // namespace sda
