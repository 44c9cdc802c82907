// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/sampler/sampler.hpp>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

namespace sda {

/// The levels of a schedule at t = 1, 1 - 1/steps, ..., 0: steps + 1 of them.
template <SDE P> std::vector<level> uniform_grid(P const& schedule, index_t steps) {
  require(steps >= 1, "uniform_grid: ", steps, " steps");
  std::vector<level> levels;
  for (index_t i = steps; i >= 0; --i) levels.push_back(schedule(double(i) / double(steps)));
  return levels;
}

/// alpha x + sigma ξ: clean samples at a noise level, a start whose mean is known.
template <State S> S noised(S const& clean, level l, key k) {
  S x = zeros_like(clean);
  lincomb(x, term{l.alpha, clean}, noise{l.sigma, k});
  return x;
}

/// The forward process from one level to an equally noisy or noisier one, exact in distribution.
template <State S> void diffuse(S& x, transition t, key k) {
  double const keep = t.to.alpha > 0 ? t.to.alpha / t.from.alpha : 0;
  double const kept = keep * t.from.sigma, added = std::sqrt(std::max(0.0, t.to.sigma * t.to.sigma - kept * kept));
  lincomb(x, term{keep, x}, noise{added, k});
}

/// The observer of a run that nobody watches.
struct unobserved {
  void operator()(auto const&...) const {}
};

namespace detail {

// Finds the first row that stopped being finite. On the host it is found at once; elsewhere the squared norms of every
// step stay on the device and are read when the run is over, so that no step waits for the host.
template <State S> class finite_guard {
 public:
  finite_guard(S const& x, std::span<level const> levels)
      : levels_(levels), immediate_(on_host(x)), norms_(zeros(dot(x, x), rows(x), immediate_ ? 1 : index_t(levels.size()))) {}

  void see(index_t step, S const& x) {
    copy_block(norms_, 0, immediate_ ? 0 : step, dot(x, x), 0, 0, rows(x), 1);
    if (immediate_) check(step, 1);
  }
  void finish() const {
    if (!immediate_ && readable(norms_)) check(0, index_t(levels_.size()));
  }

 private:
  void check(index_t first, index_t steps) const {
    index_t const n = rows(norms_);
    std::vector<double> seen(std::size_t(n * steps));
    algebra<S>::store(norms_, std::span<double>(seen));
    for (index_t i = 0; i < steps; ++i)
      for (index_t r = 0; r < n; ++r) {
        level const l = levels_[std::size_t(first + i)];
        require(std::isfinite(seen[std::size_t(r * steps + i)]), "sample: row ", r, " of ", n, " is not finite after step ", first + i, " of ",
                levels_.size() - 1, " (alpha ", l.alpha, ", sigma ", l.sigma, ")");
      }
  }

  std::span<level const> levels_;
  bool immediate_;
  scalars_t<S> norms_;
};

inline void check_levels(std::span<level const> levels) {
  require(!levels.empty(), "sample: no levels");
  for (std::size_t i = 0; i < levels.size(); ++i) {
    auto const [a, s] = levels[i];
    require(std::isfinite(a) && std::isfinite(s) && a >= 0 && s >= 0 && a + s > 0, "sample: level ", i, " of ", levels.size(), " has alpha ", a,
            ", sigma ", s);
  }
}

template <class A, class D, State S, class Observer>
void run(A const& sampler, D const& denoiser, std::span<level const> levels, S& x, key k, Observer& observe) {
  if (rows(x) == 0) return;
  finite_guard<S> guard(x, levels);
  guard.see(0, x);
  observe(index_t{0}, std::as_const(x), levels[0]);
  auto memory = sampler.memory(x);
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
    transition const t{levels[i], levels[i + 1]};
    if (t.to.sigma * t.from.alpha < t.from.sigma * t.to.alpha) {
      sampler.step(denoiser, x, memory, t, k.fold(i + 1));
    } else {
      diffuse(x, t, k.fold(i + 1));
      memory = sampler.memory(x);
    }
    guard.see(index_t(i + 1), x);
    observe(index_t(i + 1), std::as_const(x), levels[i + 1]);
  }
  guard.finish();
}

}  // namespace detail

/// Moves given samples along the levels and returns where they end: those of levels[0] come in, those of the last level
/// come out. A cleaner level is reached by a step of the sampler, a noisier one by the forward process (rewinds, restarts).
/// The observer sees (index, x, level) of the start and after every step. Step i draws from k.fold(i + 1), so k.from_row(r)
/// computes the rows of a whole from r on, bit for bit. Values that are not finite end the run with an sda::error that names
/// step, level and row. No rows in: none out, and the denoiser is not asked.
template <class A, class D, State S, class Observer = unobserved>
  requires Sampler<A, D, S>
S sample_from(A const& sampler, D const& denoiser, std::span<level const> levels, S const& start, key k, Observer&& observe = {}) {
  detail::check_levels(levels);
  S x = clone(start);
  detail::run(sampler, denoiser, levels, x, k, observe);
  return x;
}

/// ... from noise of the first level: as many samples as `like` has rows, each sigma ξ with ξ of k.fold(0).
template <class A, class D, State S, class Observer = unobserved>
  requires Sampler<A, D, S>
S sample(A const& sampler, D const& denoiser, std::span<level const> levels, S const& like, key k, Observer&& observe = {}) {
  detail::check_levels(levels);
  S x = zeros_like(like);
  lincomb(x, noise{levels[0].sigma, k.fold(0)});
  detail::run(sampler, denoiser, levels, x, k, observe);
  return x;
}

/// ... on the uniform grid of a schedule, from t = 1 to t = 0.
template <class A, class D, SDE P, State S, class Observer = unobserved>
  requires Sampler<A, D, S>
S sample(A const& sampler, D const& denoiser, P const& schedule, index_t steps, S const& like, key k, Observer&& observe = {}) {
  std::vector<level> const levels = uniform_grid(schedule, steps);
  return sample(sampler, denoiser, std::span<level const>(levels), like, k, observe);
}

}  // namespace sda
