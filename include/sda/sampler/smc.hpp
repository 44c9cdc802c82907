// SPDX-License-Identifier: Apache-2.0
// Sequential Monte Carlo along the diffusion (Wu et al., 2023, TDS, arXiv:2306.17775): particles are moved by guided DDPM steps
// and weighed by what guidance got wrong,
//
//   w_s = w_t p(x_s | x_t) p̃(y | x_s) / (q(x_s | x_t, y) p̃(y | x_t)),   p̃(y | x_t) = N(y | A x̂, R + A C Aᵀ),
//
// so that any proposal q becomes exact as particles grow, for priors that are not Gaussian too.
#pragma once
#include <sda/guidance/gain.hpp>
#include <sda/sampler/sampler.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace sda {

namespace detail {

struct pivot_ratio {
  template <class T> SDA_HD T operator()(T const& a, T const& b) const { return a / b; }
};
struct log_pivot_sum {  // sum + ln 2π x
  template <class T> SDA_HD T operator()(T const& sum, T const& x) const {
    using std::log;
    return sum + log(x * (2 * std::numbers::pi));
  }
};

// Symmetric positive definite systems, one a row, whose elements are scalars (one number a row): Cholesky without roots.
template <class C> class scalar_system {
 public:
  explicit scalar_system(std::vector<std::vector<C>> a) : l_(std::move(a)) {  // a[i][j], j <= i; becomes L (unit) and D
    for (std::size_t j = 0; j < l_.size(); ++j) {
      for (std::size_t k = 0; k < j; ++k) subtract(l_[j][j], product(l_[j][k], l_[j][k]), l_[k][k]);
      for (std::size_t i = j + 1; i < l_.size(); ++i) {
        for (std::size_t k = 0; k < j; ++k) subtract(l_[i][j], product(l_[i][k], l_[j][k]), l_[k][k]);
        transform(l_[i][j], pivot_ratio{}, l_[i][j], l_[j][j]);
      }
    }
  }
  void solve(std::vector<C>& b) const {
    for (std::size_t i = 0; i < b.size(); ++i)
      for (std::size_t k = 0; k < i; ++k) subtract(b[i], l_[i][k], b[k]);
    for (std::size_t i = 0; i < b.size(); ++i) transform(b[i], pivot_ratio{}, b[i], l_[i][i]);
    for (std::size_t i = b.size(); i-- > 0;)
      for (std::size_t k = i + 1; k < b.size(); ++k) subtract(b[i], l_[k][i], b[k]);
  }
  /// ln det 2π a
  C log_determinant() const {
    C out = zeros_like(l_[0][0]);
    for (std::size_t i = 0; i < l_.size(); ++i) transform(out, log_pivot_sum{}, out, l_[i][i]);
    return out;
  }

 private:
  static C product(C const& a, C const& b) {
    C out = zeros_like(a);
    lincomb(out, weighted{1.0, a, b});
    return out;
  }
  static void subtract(C& a, C const& b, C const& c) { lincomb(a, term{1.0, a}, weighted{-1.0, b, c}); }
  std::vector<std::vector<C>> l_;
};

}  // namespace detail

/// A likelihood of x_t to twist a diffusion with, and the guidance that follows from it: for few observations (m of them cost m
/// vjps of the denoiser, all m x m systems are solved exactly). With C = tweedie it is MMPS, with unit_prior PiGDM.
template <class D, class O, class Spread = tweedie> struct twisted {
  D denoiser;
  O seen;
  Spread spread{};

  template <State S> struct evaluation {
    S prior, mean;                // E[x_0 | x_t], without and with the observations
    scalars_t<S> log_likelihood;  // ln p̃(y | x_t)
  };

  template <State S>
    requires Guidable<twisted, S>
  evaluation<S> evaluate(S const& x, level l) const {
    using Y = decltype(O::y);
    auto const prior = linearize(denoiser, x, l);
    auto const sight = linearize(seen.op, prior.value());
    Y const d = detail::innovation(seen.y, sight.value());
    index_t const m = columns(d);
    std::vector<std::vector<scalars_t<Y>>> covariance;
    std::vector<Y> unit;
    for (index_t i = 0; i < m; ++i) unit.push_back(direction(d, i));
    auto const c = spread.at(prior, l);
    for (index_t i = 0; i < m; ++i) {
      Y column = sight.jvp(c(sight.vjp(unit[std::size_t(i)])));
      lincomb(column, term{1.0, seen.error.apply(unit[std::size_t(i)])}, term{1.0, column});
      covariance.emplace_back();
      for (index_t j = 0; j <= i; ++j) covariance.back().push_back(dot(unit[std::size_t(j)], column));
    }
    auto out = evaluation<S>{clone(prior.value()), zeros_like(x), dot(d, d)};
    lincomb(out.log_likelihood, term{0.0, out.log_likelihood});
    Y weighed = zeros_like(d);
    if (m > 0) {
      detail::scalar_system<scalars_t<Y>> const system(std::move(covariance));
      std::vector<scalars_t<Y>> v;
      for (auto const& e : unit) v.push_back(dot(e, d));
      system.solve(v);
      for (index_t i = 0; i < m; ++i) lincomb(weighed, term{1.0, weighed}, term{each{v[std::size_t(i)]}, unit[std::size_t(i)]});
      lincomb(out.log_likelihood, term{-0.5, dot(d, weighed)}, term{-0.5, system.log_determinant()});
    }
    lincomb(out.mean, term{1.0, prior.value()}, term{1.0, tweedie{}.at(prior, l)(sight.vjp(weighed))});
    return out;
  }
  template <State S>
    requires Guidable<twisted, S>
  S operator()(S const& x, level l) const {
    return evaluate(x, l).mean;
  }

 private:
  template <State Y> static Y direction(Y const& like, index_t i) {
    std::vector<value_t<Y>> numbers(std::size_t(columns(like)), value_t<Y>(0));
    numbers[std::size_t(i)] = value_t<Y>(1);
    Y row = zeros(like, 1, columns(like)), out = zeros_like(like);
    load(row, std::span<value_t<Y> const>(numbers));
    lincomb(out, term{1.0, row});
    return out;
  }
};
template <class D, class O> twisted(D, O) -> twisted<D, O>;
template <class D, class O, class C> twisted(D, O, C) -> twisted<D, O, C>;

/// Particles as rows, with their normalised weights on the host.
template <State S> struct twisted_particles {
  S x;
  std::vector<double> weights;
  double least_ess = 1;  // the smallest effective sample size of the run, as a share of the particles
  int resamplings = 0;
};

/// 1 / Σ w², as a share of the particles.
inline double ess_share(std::span<double const> weights) {
  double square = 0;
  for (double const w : weights) square += w * w;
  return 1 / (square * double(weights.size()));
}

/// Systematic resampling: particle i is drawn floor or ceil of n w_i times, by one uniform number. Done alike on every rank.
inline std::vector<std::int64_t> systematic(std::span<double const> weights, key k) {
  double const u = uniform(k, 0, 0);
  std::vector<std::int64_t> at;
  double below = 0;
  std::size_t i = 0;
  for (std::size_t j = 0; j < weights.size(); ++j) {
    double const position = (double(j) + u) / double(weights.size());
    while (i + 1 < weights.size() && below + weights[i] <= position) below += weights[i++];
    at.push_back(std::int64_t(i));
  }
  return at;
}

/// Rows `at` of x, in that order.
template <State S> S picked_rows(S const& x, std::span<std::int64_t const> at) {
  index_t const n = rows(x), width = columns(x);
  S const flat = reshape(clone(x), 1, n * width);
  S out = zeros(x, 1, index_t(at.size()) * width);
  lincomb(out, gathered{1.0, flat, indices_like(x, at), width});
  return reshape(std::move(out), index_t(at.size()), width);
}

namespace detail {

inline void normalise(std::vector<double> const& log_weights, std::vector<double>& weights) {
  double const top = *std::max_element(log_weights.begin(), log_weights.end());
  double total = 0;
  for (std::size_t r = 0; r < weights.size(); ++r) total += weights[r] = std::exp(log_weights[r] - top);
  require(std::isfinite(total), "sample_particles: the weights are not finite");
  for (double& w : weights) w /= total;
}

}  // namespace detail

/// The twisted diffusion sampler: as many particles as `like` has rows, from noise of levels[0] to the last level by DDPM steps,
/// resampled whenever the effective sample size falls below `ess` (a share; 1: at every step). The particles of one y
/// work together: y has one row. Reads one number a particle back every step, which is where it differs from a sampler.
template <class T, State S>
twisted_particles<S> sample_particles(T const& twist, std::span<level const> levels, S const& like, key k, double ess = 0.5) {
  require(rows(like) > 0 && levels.size() > 1 && rows(twist.seen.y) == 1, "sample_particles: ", rows(like), " particles, ", levels.size(),
          " levels, observations of ", rows(twist.seen.y), " rows");
  std::size_t const n = std::size_t(rows(like));
  twisted_particles<S> out{zeros_like(like), std::vector<double>(n, 1 / double(n))};
  lincomb(out.x, noise{levels[0].sigma, k.fold(0)});
  auto now = twist.evaluate(out.x, levels[0]);
  std::vector<double> log_weights(n), change(n);
  algebra<S>::store(now.log_likelihood, std::span<double>(log_weights));  // the first weights: p̃(y | x_1)
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
    detail::normalise(log_weights, out.weights);
    double const share = ess_share(out.weights);
    out.least_ess = std::min(out.least_ess, share);
    if (share < ess) {
      auto const at = systematic(out.weights, k.fold(i + 1).fold(1));
      out.x = picked_rows(out.x, at);
      now = {picked_rows(now.prior, at), picked_rows(now.mean, at), picked_rows(now.log_likelihood, at)};
      std::fill(log_weights.begin(), log_weights.end(), 0.0);
      ++out.resamplings;
    }
    // x_s = m_q + √v ξ, m_q - m_p = pull (mean - prior) = δ:  ln p/q = -|δ|²/2v - δ·ξ/√v
    level const from = levels[i], to = levels[i + 1];
    double const cleaned = from.alpha * to.sigma / (to.alpha * from.sigma), keep = cleaned * to.sigma / from.sigma;
    double const pull = to.alpha - keep * from.alpha, spread = to.sigma * std::sqrt(1 - cleaned * cleaned);
    S xi = zeros_like(out.x), shift = zeros_like(out.x);
    lincomb(xi, noise{1.0, k.fold(i + 1).fold(0)});
    lincomb(shift, term{pull / spread, now.mean}, term{-pull / spread, now.prior});  // δ / √v
    lincomb(out.x, term{keep, out.x}, term{pull, now.mean}, term{spread, xi});
    auto gain = clone(now.log_likelihood);
    lincomb(gain, term{-1.0, gain}, term{-0.5, dot(shift, shift)}, term{-1.0, dot(shift, xi)});
    now = twist.evaluate(out.x, to);
    lincomb(gain, term{1.0, gain}, term{1.0, now.log_likelihood});
    algebra<S>::store(gain, std::span<double>(change));
    for (std::size_t r = 0; r < n; ++r) log_weights[r] += change[r];
  }
  detail::normalise(log_weights, out.weights);
  out.least_ess = std::min(out.least_ess, ess_share(out.weights));
  return out;
}

/// The particles drawn anew with equal weights.
template <State S> S resampled(twisted_particles<S> const& p, key k) { return picked_rows(p.x, systematic(p.weights, k)); }

}  // namespace sda
