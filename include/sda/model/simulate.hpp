// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>
#include <sda/state/state.hpp>

#include <cmath>

namespace sda {

/// A model carries a state one time step on: m(x), or m(x, k) when it is random.
template <class M, class S> concept Model = State<S> && (requires(M const& m, S const& x) {
  { m(x) } -> std::same_as<S>;
} || requires(M const& m, S const& x, key k) {
  { m(x, k) } -> std::same_as<S>;
});

/// One time step of any model; the key is for random ones.
template <State S, Model<S> M> S advance(M const& m, S const& x, key k) {
  if constexpr (requires { m(x, k); }) return m(x, k);
  else return m(x);
}

/// A model with additive noise: m(x) + deviation ξ. Stochastic forcing of variance q per unit time has deviation √(q dt).
template <class M> struct perturbed {
  M model;
  double deviation = 0;

  template <State S>
    requires Model<M, S>
  S operator()(S const& x, key k) const {
    S y = advance(model, x, k.fold(0));
    lincomb(y, term{1.0, y}, noise{deviation, k.fold(1)});
    return y;
  }
};
template <class M> perturbed(M, double) -> perturbed<M>;

/// Whole trajectories as rows: columns [i n, (i+1) n) hold time i, time 0 is x (of n columns), step i draws from k.fold(i).
template <State S, Model<S> M> S simulate(M const& m, S x, index_t length, key k) {
  require(length >= 1, "simulate: a trajectory of ", length, " states");
  index_t const n = columns(x);
  S out = zeros(x, rows(x), length * n);
  copy_block(out, 0, 0, x, 0, 0, rows(x), n);
  for (index_t i = 1; i < length; ++i) {
    x = advance(m, x, k.fold(std::uint64_t(i)));
    copy_block(out, 0, i * n, x, 0, 0, rows(x), n);
  }
  return out;
}

}  // namespace sda
