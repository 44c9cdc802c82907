// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/level.hpp>
#include <sda/calculus/linearize.hpp>

namespace sda {

/// d(x, l) is E[x_0 | x_t = x] at noise level l, row by row. Everything that shapes a posterior (guidance, windows, ranks,
/// conditioning) is a Denoiser that wraps a Denoiser; samplers only ever see a Denoiser.
template <class D, class S> concept Denoiser = State<S> && requires(D const& d, S const& x, level l) {
  { d(x, l) } -> std::same_as<S>;
};

/// ... one whose linearize(d, x, l) also gives products with the transpose of ∂E[x_0 | x_t]/∂x_t.
template <class D, class S> concept DifferentiableDenoiser = Denoiser<D, S> && requires(D const& d, S const& x, level l) {
  { linearize(d, x, l) } -> Pullback<S, S>;
};

/// A conditional prior is bound to its context (a background, dates, a parameter) to become a Denoiser: n.at(context).
template <class N, class S, class Context = S> concept ConditionalDenoiser = requires(N const& n, Context const& c) {
  { n.at(c) } -> Denoiser<S>;
};

}  // namespace sda
