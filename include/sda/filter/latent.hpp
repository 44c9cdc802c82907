// SPDX-License-Identifier: Apache-2.0
// Any ensemble filter on latents z = E(x): what observed x by h observes z by h ∘ D, and the analysis is decoded,
//   xᵃ = D(zᵃ)   or, keeping what the encoder cannot say,   xᵃ = D(zᵃ) + r,  r = x - D(E(x)),  observed by h(D(z) + r).
#pragma once
#include <sda/filter/ensemble.hpp>
#include <sda/prior/encoder.hpp>

namespace sda {

namespace detail {

/// x + by: whatever its linearisation is asked comes back.
template <State X> struct translation {
  X by;

  struct at {
    X y;
    X const& value() const { return y; }
    X jvp(X const& v) const { return clone(v); }
    X vjp(X const& u) const { return clone(u); }
  };
  X operator()(X const& x) const {
    X y = zeros_like(x);
    lincomb(y, term{1.0, x}, term{1.0, by});
    return y;
  }
  at linearize(X const& x) const { return {(*this)(x)}; }
};
template <class X> translation(X) -> translation<X>;

}  // namespace detail

/// A filter in the latent space of an Encoder, itself an EnsembleFilter: localisations, covariances and inflation of `filter`
/// are of latents; observations stay as they are. With `keep_residual` every row keeps its r, which belongs to the prior as the
/// latents do: for linear maps and a Kalman filter, the latents then have the moments of the analysis in full space and the
/// rest stays as it was. That is for filters whose rows stay their members (not for resampled particles).
template <class E, class F> struct latent_filter {
  E encoder;
  F filter;
  bool keep_residual = false;

  template <State X> using latents_t = decltype(std::declval<E const&>().encode(std::declval<X const&>()));
  using decoder_t = std::remove_cvref_t<decltype(std::declval<E const&>().decoder())>;

  template <State X, class A, State Y, class R>
    requires Encoder<E, X, latents_t<X>> && ObservationOperator<A, X, Y>
  void analyse(X& e, observation<A, Y, R> const& o, key k) const {
    through(e, o, [&](auto& z, auto const& seen) { filter.analyse(z, seen, k); });
  }
  /// For filters that ask for the analysis before (enff's path from it): that is encoded too.
  template <State X, class A, State Y, class R>
    requires Encoder<E, X, latents_t<X>> && ObservationOperator<A, X, Y> &&
             requires(F const& f, latents_t<X>& z, observation<composed<A, decoder_t>, Y, R> const& o, key k) { f.analyse(z, z, o, k); }
  void analyse(X& e, X const& previous, observation<A, Y, R> const& o, key k) const {
    through(e, o, [&, before = encoder.encode(previous)](auto& z, auto const& seen) { filter.analyse(z, before, seen, k); });
  }

 private:
  template <State X, class O, class Analyse> void through(X& e, O const& o, Analyse const& analyse_latents) const {
    auto z = encoder.encode(e);
    auto const decoder = encoder.decoder();
    auto const run = [&](auto const& back) {
      analyse_latents(z, observation{composed{o.op, back}, clone(o.y), o.error});
      e = back(z);
    };
    if (!keep_residual) return run(decoder);
    X residual = decoder(z);
    lincomb(residual, term{1.0, e}, term{-1.0, residual});
    run(composed{detail::translation{std::move(residual)}, decoder});
  }
};
template <class E, class F> latent_filter(E, F) -> latent_filter<E, F>;
template <class E, class F> latent_filter(E, F, bool) -> latent_filter<E, F>;

}  // namespace sda
