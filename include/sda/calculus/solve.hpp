// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/solve/bicgstab.hpp>
#include <sda/calculus/solve/cg.hpp>
#include <sda/calculus/solve/gmres.hpp>
#include <sda/calculus/solve/warm_start.hpp>

namespace sda {

/// A way to solve a(x) = b.
template <class K, class A, class S> concept Solver = LinearOperator<A, S> && requires(K const& k, A const& a, S const& b) {
  { k(a, b) } -> std::same_as<S>;
};

/// Improves a guess: guess + a⁻¹ (b - a(guess)).
template <State S, LinearOperator<S> A, Solver<A, S> K> S improve(K const& solve, A const& a, S const& b, S const& guess) {
  S residual = a(guess);
  lincomb(residual, term{1.0, b}, term{-1.0, residual});
  S x = solve(a, residual);
  lincomb(x, term{1.0, guess}, term{1.0, x});
  return x;
}

/// (I + V N)⁻¹ V g, the push-through form of V Aᵀ (R + A V Aᵀ)⁻¹ d with N = Aᵀ R⁻¹ A and g = Aᵀ R⁻¹ d: the solver's vectors
/// are then states, not observations. I + V N is not symmetric: solve with gmres or bicgstab.
template <State S, LinearOperator<S> V, LinearOperator<S> N, Solver<V, S> K>
S push_through(K const& solve, V const& covariance, N const& information, S const& g) {
  auto const apply = [&](S const& u) {
    S out = covariance(information(u));
    lincomb(out, term{1.0, u}, term{1.0, out});
    return out;
  };
  return solve(apply, covariance(g));
}

}  // namespace sda
