// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/schedule.hpp>
#include <sda/prior/affine.hpp>

// Any network under any sampler: E[x_0 | x_t] depends on x_t / α and σ / α alone, so a denoiser trained at other levels
// of the same ratio is fed x_t scaled to them.

namespace sda {

/// Maps a level to the one of the same noise ratio that a denoiser was trained at.
template <class M> concept LevelMap = requires(M const& m, level l) {
  { m(l) } -> std::same_as<level>;
};

/// alpha = 1
struct to_exploding {
  constexpr level operator()(level l) const { return {1, noise_ratio(l)}; }
};
/// alpha² + sigma² = 1
struct to_preserving {
  level operator()(level l) const {
    double const size = std::hypot(l.alpha, l.sigma);
    return {l.alpha / size, l.sigma / size};
  }
};
/// The levels of a schedule. Below its least noise its least noise is given; beyond its largest is an error.
template <SDE P> struct to_schedule {
  P schedule{};
  level operator()(level l) const {
    double const ratio = std::max(noise_ratio(l), noise_ratio(schedule(0)));
    double const alpha = schedule(time_of(schedule, ratio)).alpha;
    return {alpha, alpha * ratio};
  }
};
template <class P> to_schedule(P) -> to_schedule<P>;

/// A denoiser trained at the levels that `levels` maps to, asked at any: rescaled{net, to_schedule{vp_cosine{}}}.
template <class D, LevelMap M> struct rescaled {
  D denoiser;
  M levels{};

  template <State S>
    requires Denoiser<D, S>
  S operator()(S const& x, level l) const {
    level const trained = levels(l);
    return denoiser(scaled(x, trained.alpha / l.alpha), trained);
  }
  template <State S> auto linearize(S const& x, level l) const
    requires requires { sda::linearize(denoiser, x, l); }
  {
    level const trained = levels(l);
    double const scale = trained.alpha / l.alpha;
    auto inner = sda::linearize(denoiser, scaled(x, scale), trained);
    return at<decltype(inner)>{scale, std::move(inner)};
  }

 private:
  template <class L> struct at {
    double scale;
    L inner;
    auto const& value() const { return inner.value(); }
    template <State S> S vjp(S const& u) const { return scaled(inner.vjp(u), scale); }
    template <State S> S jvp(S const& v) const
      requires requires { inner.jvp(v); }
    {
      return inner.jvp(scaled(v, scale));
    }
  };
  template <State S> static S scaled(S const& x, double a) {
    S y = zeros_like(x);
    lincomb(y, term{a, x});
    return y;
  }
};
template <class D, class M> rescaled(D, M) -> rescaled<D, M>;

/// A network that wants the time t of its schedule, as one that takes levels.
template <class N, SDE P> struct timed {
  N net;  // net(x, t)
  P schedule{};

  template <State S> S operator()(S const& x, level l) const { return net(x, time_of(schedule, noise_ratio(l))); }
  template <State S> auto linearize(S const& x, level l) const
    requires requires { sda::linearize(net, x, double{}); }
  {
    return sda::linearize(net, x, time_of(schedule, noise_ratio(l)));
  }
};
template <class N, class P> timed(N, P) -> timed<N, P>;

}  // namespace sda
