// SPDX-License-Identifier: Apache-2.0
#pragma once
// Estimators that go through time, and how they are scored. One has `state`, `advance(forecast, o, key)`, which carries the
// estimate to the time of the observation o by forecast(x) and analyses it there, and `now()`, the analysis.
#include "benchmark.hpp"
#include "../interrupt.hpp"

#include <sda/filter/cycle.hpp>
#include <sda/filter/ensemble_kalman.hpp>
#include <sda/filter/ienks.hpp>
#include <sda/filter/kalman.hpp>
#include <sda/filter/variational.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/masked.hpp>

#include <chrono>
#include <deque>

namespace lorenz96 {

using sda::key;
using sites = std::vector<std::int64_t>;

/// What the model cost: steps of a member, and time.
struct model_cost {
  double steps = 0, seconds = 0;
};

/// The tendency of a ring, or of rings that carry their own forcing in a last column, which stays as it is.
struct ring_tendency {
  double forcing;
  index_t ring;
  template <sda::State S> S operator()(S const& x) const {
    if (x.cols() == ring) return sda::lorenz96{forcing}(x);
    S out = S::Zero(x.rows(), x.cols());
    out.leftCols(ring) = sda::lorenz96{0}(S(x.leftCols(ring))).colwise() + x.col(ring);
    return out;
  }
};

/// The model from one time to a later one, as an operator with its derivative; counts what it costs.
struct stepped {
  double forcing;
  index_t ring;
  double dt;
  int steps;
  model_cost* cost;

  template <sda::State S> S operator()(S const& x) const {
    auto const begun = std::chrono::steady_clock::now();
    S y = sda::flow{ring_tendency{forcing, ring}, dt, steps}(x);
    cost->steps += double(x.rows() * steps);
    cost->seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    return y;
  }
  template <sda::State S> auto linearize(S const& x) const {
    cost->steps += double(x.rows() * steps);
    return sda::linearize(sda::flow{sda::lorenz96{forcing}, dt, steps}, x);
  }
};

/// An ensemble and a filter of it.
template <class F, sda::State S = trajectory> struct ensemble_run {
  using state = S;
  F filter;
  S e;

  void advance(auto const& forecast, auto const& o, key k) {
    S const before = e;
    e = forecast(e);
    if constexpr (requires { filter.along; }) filter.analyse(e, before, o, k);
    else filter.analyse(e, o, k);
  }
  S const& now() const { return e; }
};

/// Ensemble smoother (Evensen & van Leeuwen, 2000): rows hold the present and `lag` states before it, and are analysed whole.
template <class F> struct lagged_run {
  using state = trajectory;
  F filter;
  index_t ring, lag;
  state all;   // oldest first
  sda::masked<state> newest;

  lagged_run(F f, state const& e, index_t back)
      : filter(std::move(f)), ring(e.cols()), lag(back), all(e.replicate(1, back + 1)), newest(all, present(), all.cols()) {}

  void advance(auto const& forecast, auto const& o, key k) {
    state next(all.rows(), all.cols());
    next << all.rightCols(lag * ring), forecast(now());
    all = std::move(next);
    filter.analyse(all, sda::observation{sda::composed{o.op, newest}, o.y, o.error}, k);
  }
  state now() const { return all.rightCols(ring); }
  state past() const { return all.leftCols(ring); }

 private:
  sites present() const {
    sites at(static_cast<std::size_t>(ring));
    std::iota(at.begin(), at.end(), lag * ring);
    return at;
  }
};

/// Iterative smoother of a window of `lag` times of observation, moved on by one at a time: the ensemble lives at its start.
struct iterative_run {
  using state = trajectory;
  sda::ienks filter;
  index_t lag;
  state start, second, end;   // of the window, after its first forecast, and at the observation
  std::deque<stepped> window{};

  void advance(stepped const& forecast, auto const& o, key k) {
    if (index_t(window.size()) == lag) start = second, window.pop_front();
    window.push_back(forecast);
    auto const through = [&](state const& e) {
      state x = window.front()(e);
      second = x;
      for (std::size_t i = 1; i < window.size(); ++i) x = window[i](x);
      return x;
    };
    filter.analyse(start, through, o, k);
    end = through(start);
  }
  state const& now() const { return end; }
  state const& past() const { return start; }
};

/// A mean and a covariance: 3D-Var where the latter is static, else the extended Kalman filter.
struct gaussian_run {
  using state = trajectory;
  state mean;
  sda::small_matrix covariance;
  bool is_static;
  double growth = 1;     // the forecast covariance times this
  bool frozen = false;   // the covariance is carried by exp(dt J), J at the start of a step
  std::vector<double> deviation{};

  void advance(stepped const& forecast, auto const& o, key) {
    index_t const n = mean.cols();
    sda::normal_law ahead{{}, covariance};
    if (is_static) {
      mean = forecast(mean);
    } else {
      ahead = frozen ? frozen_forecast(forecast) : sda::extended_forecast(forecast, mean, law(), sda::small_matrix(n, n));
      for (double& c : ahead.covariance.elements) c *= growth;
      std::copy(ahead.mean.begin(), ahead.mean.end(), mean.data());
    }
    state const background = mean;
    auto const at = sda::linearize_densely(o.op, background);
    // y - h(x) + H x: what a linear operator would have shown
    ahead.mean.assign(background.data(), background.data() + n);
    std::vector<double> y = sda::detail::times(at.jacobian, ahead.mean);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += o.y(0, index_t(i)) - at.value[i];
    auto const after = sda::kalman_analysis(ahead, {at.jacobian, y, sda::identity_matrix(o.y.cols(), o.error.variance())});
    if (is_static) sda::three_d_var{sda::full_error(mean, covariance), sda::gauss_newton{1, {60, 1e-8}}}.analyse(mean, o, key{});
    else std::copy(after.mean.begin(), after.mean.end(), mean.data());
    if (!is_static) covariance = after.covariance;
    deviation.resize(std::size_t(n));
    for (index_t i = 0; i < n; ++i) deviation[std::size_t(i)] = std::sqrt(after.covariance[i][i]);
  }

 private:
  sda::normal_law law() const { return {{mean.data(), mean.data() + mean.cols()}, covariance}; }
  sda::normal_law frozen_forecast(stepped const& forecast) const {
    sda::normal_law at = law();
    stepped one = forecast;
    one.steps = 1;
    state x = mean;
    for (int i = 0; i < forecast.steps; ++i) {
      // exp(A) = (Σ (A/8)^j / j!)^8, to rounding: |A| is about 1
      auto a = sda::linearize_densely(sda::lorenz96{forecast.forcing}, x).jacobian;
      for (double& v : a.elements) v *= forecast.dt / 8;
      auto power = sda::identity_matrix(a.height), sum = power;
      for (int j = 1; j < 12; ++j) {
        power = sda::product(power, a);
        for (std::size_t e = 0; e < power.elements.size(); ++e) sum.elements[e] += power.elements[e] /= j;
      }
      for (int j = 0; j < 3; ++j) sum = sda::product(sum, sum);
      at.covariance = sda::detail::congruent(sum, at.covariance);
      x = one(x);
    }
    at.mean.assign(x.data(), x.data() + x.cols());
    return at;
  }
};

/// Scores of a run, and of what it thinks of a forcing that is unknown.
class run_scores {
 public:
  run_scores(index_t size, scene const& s) : s_(s), now_(size, climate_error(s)), past_(size, climate_error(s)) {}

  template <class Run> void add(Run const& run, index_t t, index_t back) {
    auto const truth = [&](index_t at) { return std::span<double const>(s_.truth.data() + at * s_.ring(), std::size_t(s_.ring())); };
    if constexpr (requires { run.deviation; }) {
      now_.add({run.mean.data(), std::size_t(run.mean.cols())}, run.deviation, truth(t));
    } else {
      auto const& e = run.now();
      if (e.cols() == s_.ring()) {
        now_.add(e, truth(t));
      } else {
        now_.add(typename Run::state(e.leftCols(s_.ring())), truth(t));
        auto const f = e.col(s_.ring()).template cast<double>();
        forcing_error_ += (f.mean() - s_.forcing) * (f.mean() - s_.forcing);
        forcing_variance_ += (f - f.mean()).square().sum() / double(f.size() - 1);
      }
      if constexpr (requires { run.past(); }) past_.add(run.past(), truth(back));
    }
  }
  benchmark_outcome outcome(index_t size) const {
    benchmark_outcome o;
    o.rmse_analysis = now_.rmse(), o.crps = now_.crps(), o.spread = now_.spread(), o.spread_skill = now_.spread_skill(), o.diverged = now_.lost();
    if (now_.ranks().total() > 0) o.rank_chi2 = now_.ranks().chi_square() / double(size);
    if (past_.cycles() > 0) o.rmse_smoothed = past_.rmse();
    if (forcing_variance_ > 0) {
      o.rmse_parameter = std::sqrt(forcing_error_ / double(now_.cycles()));
      o.spread_parameter = std::sqrt(forcing_variance_ / double(now_.cycles()));
    }
    return o;
  }
  index_t cycles() const { return now_.cycles(); }

 private:
  static double climate_error(scene const& s) { return std::sqrt((s.truth - s.truth.mean()).square().mean()); }
  scene const& s_;
  sda::cycle_scores now_, past_;
  double forcing_error_ = 0, forcing_variance_ = 0;
};

/// Runs an estimator through all times of observation, `lag` of which its past estimate lies back; adapt(run, sites) tells it
/// which columns are seen, when they change.
template <class Run, class Adapt>
benchmark_outcome through_time(Run run, index_t size, index_t lag, benchmark_task const& task, scene const& s, key k, Adapt const& adapt) {
  using S = typename Run::state;
  auto const with_read = [&](auto const& f) {   // each function compiles every filter anew
    sda::require(s.through == "identity" || s.through == "arctan", task.name, ": the filters see identity or arctan, not ", s.through);
    return s.through == "identity" ? f(sda::identity_function{}) : f(sda::quick_arctan{});
  };
  return with_read([&](auto const& read) {
    int const inner = std::max(1, int(std::ceil(s.step / 0.05 - 1e-9)));
    index_t const width = s.ring() + task.unknown_forcing, unscored = index_t(std::lround(task.settling / (s.step * double(task.net.every))));
    run_scores scored(size, s);
    model_cost model;
    double seconds = 0;
    sites at;
    std::vector<index_t> times;
    for (index_t t = 0, last = 0; t < s.steps() && index_t(times.size()) < task.cycles; ++t) {
      examples::heed_interrupts();
      trajectory const now = s.seen.row(t);
      sites const where = columns_seen(now);
      if (where.empty()) continue;
      if (where != at) adapt(run, at = where);
      S y(1, index_t(at.size()));
      for (std::size_t i = 0; i < at.size(); ++i) y(0, index_t(i)) = typename S::Scalar(now(0, at[i]));
      stepped const forecast{s.forcing, s.ring(), s.step / double(inner), int(inner * (t - last)), &model};
      sda::observation const o{sda::composed{sda::pointwise{read}, sda::masked<S>(y, at, width)}, y, sda::scalar_error{s.error * s.error}};
      auto const begun = std::chrono::steady_clock::now();
      run.advance(forecast, o, k.fold(std::uint64_t(t) + 1));
      seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
      last = t;
      times.push_back(t);
      index_t const made = index_t(times.size());
      if (made > unscored) scored.add(run, t, times[std::size_t(std::max<index_t>(0, made - 1 - lag))]);
    }
    sda::require(scored.cycles() > 0, task.name, ": filters are scored from analysis ", unscored, " on, there are ", times.size(), "; ask for more cycles");
    benchmark_outcome o = scored.outcome(size);
    o.spent.model = model.steps;
    o.seconds = seconds / double(times.size()), o.seconds_model = model.seconds / double(times.size());
    return o;
  });
}

}  // namespace lorenz96
