// SPDX-License-Identifier: Apache-2.0
// Correctors leave the distribution of x_t at one level (nearly) as it is and let errors of the predictor decay:
//   Langevin          x ← x + δ (α x̂ - x) + √(2δ) σ ξ
//   adaptive, by row  the same with δ = τ / mean(ẑ²),  ẑ = (x - α x̂) / σ
//   renoising         x ← α x̂ + √(1-δ) (x - α x̂) + √δ σ ξ
// Song et al. (2021), Score-Based Generative Modeling through SDEs; Rozet & Louppe (2023), SDA.
#pragma once
#include <sda/sampler/ddim.hpp>

#include <limits>

namespace sda {

/// A corrector is a value; correct() refreshes x at a level.
template <class C, class D, class S> concept Corrector =
    Denoiser<D, S> && requires(C const& c, D const& d, S& x, level l, key k) { c.correct(d, x, l, k); };

/// Langevin steps of a fixed size: Appa's with delta = 0.1, SDA's fixed rule with delta = τ.
struct langevin {
  double delta = 0.1;

  template <State S, Denoiser<S> D> void correct(D const& d, S& x, level l, key k) const {
    S const clean = d(x, l);
    lincomb(x, term{1 - delta, x}, term{delta * l.alpha, clean}, noise{std::sqrt(2 * delta) * l.sigma, k});
  }
};

/// azula's corrector: a fraction delta of the noise that remains is drawn anew.
struct renoising {
  double delta = 0.1;

  template <State S, Denoiser<S> D> void correct(D const& d, S& x, level l, key k) const {
    S const clean = d(x, l);
    double const keep = std::sqrt(1 - delta);
    lincomb(x, term{keep, x}, term{l.alpha * (1 - keep), clean}, noise{std::sqrt(delta) * l.sigma, k});
  }
};

namespace detail {

// δ = 1 / max(mean(ẑ²) / τ, 1 / limit), with the maximum spelled in arithmetic so that any element type can follow.
struct langevin_delta {
  double per_tau, least;
  template <class T> SDA_HD T operator()(T const& square) const {
    using std::abs;
    T const wanted = square * per_tau;
    return 2.0 / (wanted + least + abs(wanted - least));
  }
};
struct langevin_noise {
  double sigma;
  template <class T> SDA_HD T operator()(T const& delta) const {
    using std::sqrt;
    return sqrt(delta * 2.0) * sigma;
  }
};

}  // namespace detail

/// SDA's rule: each row takes its own step, δ = tau / mean(ẑ²), but none above `limit`. Where guidance is stiff ẑ is large
/// and the step small; near the data ẑ fades and the step grows without bound, which widens the result (SDA: no limit;
/// with limit = 10 most of that is gone). The steps stay on the device.
struct adaptive_langevin {
  double tau = 0.25, limit = std::numeric_limits<double>::infinity();

  template <State S, Denoiser<S> D> void correct(D const& d, S& x, level l, key k) const {
    S away = d(x, l), xi = zeros_like(x);
    lincomb(away, term{1.0, x}, term{-l.alpha, away});  // σ ẑ
    auto delta = dot(away, away), kick = zeros_like(delta);
    transform(delta, detail::langevin_delta{1 / (tau * l.sigma * l.sigma * double(columns(x))), 1 / limit}, delta);
    transform(kick, detail::langevin_noise{l.sigma}, delta);
    lincomb(xi, noise{1.0, k});
    lincomb(x, term{1.0, x}, term{-each{delta}, away}, term{each{kick}, xi});
  }
};

/// When a predictor-corrector corrects: at the level where a step starts (Appa, azula) or where it ends (SDA).
enum class correcting { before, after };

/// Each step of the predictor goes with some corrections: NFE = steps (corrections + NFE of the predictor).
template <class Predictor = ddim, class Correct = langevin> struct pc {
  Predictor predictor{};
  Correct corrector{};
  int corrections = 1;
  correcting when = correcting::before;

  auto memory(State auto const& x) const { return predictor.memory(x); }

  template <State S, Denoiser<S> D>
    requires Corrector<Correct, D, S>
  void step(D const& d, S& x, memory_t<Predictor, S>& m, transition t, key k) const {
    if (when == correcting::before) correct(d, x, t.from, k);
    predictor.step(d, x, m, t, k.fold(0));
    if (when == correcting::after) correct(d, x, t.to, k);
  }

 private:
  template <State S, Denoiser<S> D> void correct(D const& d, S& x, level l, key k) const {
    if (l.sigma == 0) return;  // clean already
    for (int i = 1; i <= corrections; ++i) corrector.correct(d, x, l, k.fold(std::uint64_t(i)));
  }
};
template <class P, class C> pc(P, C, int) -> pc<P, C>;
template <class P, class C> pc(P, C, int, correcting) -> pc<P, C>;

}  // namespace sda
