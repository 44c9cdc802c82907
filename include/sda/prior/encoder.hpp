// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/observation/operator.hpp>

namespace sda {

/// A latent space: encode(x) goes in, decoder() is a differentiable map back, so that composed{operator, decoder()}
/// observes latents.
template <class E, class X, class Z = X> concept Encoder = State<X> && State<Z> && requires(E const& e, X const& x) {
  { e.encode(x) } -> std::same_as<Z>;
  { e.decoder() } -> ObservationOperator<Z, X>;
};

}  // namespace sda
