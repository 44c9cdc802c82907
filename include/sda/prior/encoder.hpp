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

/// Put `static_assert(sda::check_encoder<E, X, Z>())` beside a new encoder: one plain sentence per fault.
template <class E, class X, class Z = X> consteval bool check_encoder() {
  static_assert(State<X> && State<Z>, "sda: an Encoder maps a State to a State; check_state<S>() says what one lacks");
  constexpr bool encodes = requires(E const& e, X const& x) {
    { e.encode(x) } -> std::same_as<Z>;
  };
  constexpr bool decodes = requires(E const& e) { e.decoder(); };
  static_assert(encodes, "sda: an Encoder needs encode(x), the latent state of x");
  static_assert(decodes, "sda: an Encoder needs decoder(), the ObservationOperator from latents back");
  if constexpr (decodes) static_assert(check_operator<std::remove_cvref_t<decltype(std::declval<E const&>().decoder())>, Z, X>());
  return true;
}

}  // namespace sda
