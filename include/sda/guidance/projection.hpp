// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/guidance/gain.hpp>

namespace sda {

/// The nearest state with A x = y: x + Aᵀ (A Aᵀ)⁻¹ (y - A x). For an A that is not linear, one Gauss-Newton step towards it.
template <class A, State Y, class Solve = cg> struct onto {
  A op;
  Y y;
  Solve solve{};

  template <State S>
    requires ObservationOperator<A, S, Y>
  S operator()(S const& x) const {
    auto const sight = sda::linearize(op, x);
    S out = pulled(sight, detail::innovation(y, sight.value()));
    lincomb(out, term{1.0, x}, term{1.0, out});
    return out;
  }

  /// The derivative with A held fixed, I - Aᵀ (A Aᵀ)⁻¹ A: symmetric.
  template <class L, State S> struct linear_projection {
    onto const& of;
    L sight;
    S at;
    S const& value() const { return at; }
    S jvp(S const& v) const {
      S out = of.pulled(sight, sight.jvp(v));
      lincomb(out, term{1.0, v}, term{-1.0, out});
      return out;
    }
    S vjp(S const& u) const { return jvp(u); }
  };
  template <State S>
    requires ObservationOperator<A, S, Y>
  auto linearize(S const& x) const {
    auto sight = sda::linearize(op, x);
    return linear_projection<decltype(sight), S>{*this, std::move(sight), (*this)(x)};
  }

 private:
  auto pulled(auto const& sight, Y const& d) const {
    return sight.vjp(solve([&](Y const& v) { return sight.jvp(sight.vjp(v)); }, d));
  }
};
template <class A, class Y> onto(A, Y) -> onto<A, Y>;
template <class A, class Y, class Solve> onto(A, Y, Solve) -> onto<A, Y, Solve>;

/// A denoiser whose posterior mean is put where a constraint holds, P(x̂): hard constraints (conserved quantities, perfect
/// observations, bounds). P is a function of states, differentiable if the result is to be; `onto` is one.
template <class D, class P> struct projected {
  D denoiser;
  P project;

  template <State S>
    requires Denoiser<D, S> && requires(P const& p, S const& x) {
      { p(x) } -> std::same_as<S>;
    }
  S operator()(S const& x, level l) const {
    return project(denoiser(x, l));
  }
  template <State S>
    requires DifferentiableDenoiser<D, S> && requires(P const& p, S const& x) { sda::linearize(p, x); }
  auto linearize(S const& x, level l) const {
    auto prior = sda::linearize(denoiser, x, l);
    auto after = sda::linearize(project, prior.value());
    return chained<decltype(after), decltype(prior)>{std::move(after), std::move(prior)};
  }
};
template <class D, class P> projected(D, P) -> projected<D, P>;

}  // namespace sda
