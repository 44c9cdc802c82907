// SPDX-License-Identifier: Apache-2.0
// DiffDA (Huang et al., 2024, arXiv:2401.05932): a network conditioned on the background b denoises the departure of the truth,
//   r = (x - b) / s,
// and the analysis b + s r is drawn by RePaint: after every step r ← m ⊙ (α_s K(y - A b) / s + σ_s ξ) + (1 - m) ⊙ r, with K the
// kriging of what the stations saw and m ∈ [0, 1] a mask that is one at the stations and soft around them.
#pragma once
#include <sda/observation/operator.hpp>
#include <sda/sampler/ddim.hpp>
#include <sda/sampler/repaint.hpp>

#include <vector>

namespace sda {

namespace detail {
// Not a member of diffda: a kernel could not be named after a lambda among diffda's parameters.
struct unscaled {
  template <class T> SDA_HD T operator()(T const& x, T const& s) const { return x / s; }
};
}  // namespace detail

/// A filter whose forecasts are backgrounds, each row its own; an external model carries them on between analyses (cycle).
/// `spread_out` takes the observed departures to the state (interpolating{like, kriging{}(stations, grid), stations});
/// the errors of observations are not used. Costs about levels x passes evaluations of the network and no vjp.
template <class Net, class SpreadOut, State S> struct diffda {
  Net net;  // net.at(b), or a denoiser that needs no background
  SpreadOut spread_out;
  S mask, scale;  // m and s: one row
  std::vector<level> levels;
  index_t jump = 10, passes = 10;
  ddim inner{};

  template <class O>
    requires ConditionalDenoiser<Net, S> || Denoiser<Net, S>
  void analyse(S& e, O const& seen, key k) const {
    auto departure = seen.op(e);
    lincomb(departure, term{1.0, seen.y}, term{-1.0, departure});
    S known = spread_out(departure);
    transform(known, detail::unscaled{}, known, scale);
    repaint const step{inner, clone(mask), std::move(known)};
    auto const path = repaint_levels(levels, jump, passes);
    S const r = sample(step, given(e), std::span<level const>(path), e, k);
    lincomb(e, term{1.0, e}, weighted{1.0, scale, r});
  }

 private:
  decltype(auto) given(S const& background) const {
    if constexpr (ConditionalDenoiser<Net, S>) return net.at(background);
    else return (net);
  }
};
template <class N, class K, class S> diffda(N, K, S, S, std::vector<level>) -> diffda<N, K, S>;
template <class N, class K, class S> diffda(N, K, S, S, std::vector<level>, index_t, index_t) -> diffda<N, K, S>;
template <class N, class K, class S> diffda(N, K, S, S, std::vector<level>, index_t, index_t, ddim) -> diffda<N, K, S>;

}  // namespace sda
