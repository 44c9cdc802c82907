// SPDX-License-Identifier: Apache-2.0
#pragma once
// Estimators that go through time. One has `state`, `advance(forecast, o, key)`, which carries the estimate to the time of the
// observation o by forecast(x) and analyses it there, and `now()`, the analysis; or `mean` and `deviation`.
#include "benchmark.hpp"

#include <sda/filter/ensemble_kalman.hpp>
#include <sda/filter/ienks.hpp>
#include <sda/filter/kalman.hpp>
#include <sda/filter/particle.hpp>
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

/// The Kalman analysis of a forecast law with the observations o, linearised about its mean.
inline sda::normal_law analysed_about(trajectory const& mean, sda::small_matrix covariance, auto const& o) {
  sda::normal_law ahead{{mean.data(), mean.data() + mean.cols()}, std::move(covariance)};
  auto const at = sda::linearize_densely(o.op, mean);
  std::vector<double> y = sda::detail::times(at.jacobian, ahead.mean);   // y - h(x) + H x: what a linear operator would have shown
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += o.y(0, index_t(i)) - at.value[i];
  return sda::kalman_analysis(ahead, {at.jacobian, y, sda::identity_matrix(o.y.cols(), o.error.variance())});
}
inline std::vector<double> deviations(sda::small_matrix const& covariance) {
  std::vector<double> out;
  for (index_t i = 0; i < covariance.height; ++i) out.push_back(std::sqrt(covariance[i][i]));
  return out;
}

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
    auto const after = analysed_about(mean, ahead.covariance, o);
    if (is_static) sda::three_d_var{sda::full_error(mean, covariance), sda::gauss_newton{1, {60, 1e-8}}}.analyse(mean, o, key{});
    else std::copy(after.mean.begin(), after.mean.end(), mean.data());
    if (!is_static) covariance = after.covariance;
    deviation = deviations(after.covariance);
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

/// Strong-constraint 4D-Var in a window of `lag` times of observation that moves on by one at a time, every observation used
/// once: the background is the last analysis of the window's start, its covariance static.
struct variational_run {
  using state = trajectory;
  state start;
  sda::small_matrix covariance;
  index_t lag;
  int outer;
  std::deque<stepped> window{};
  state mean = start;
  std::vector<double> deviation{};

  void advance(stepped const& forecast, auto const& o, key) {
    if (index_t(window.size()) == lag) start = window.front()(start), window.pop_front();
    window.push_back(forecast);
    stepped through = forecast;
    through.steps = 0;
    for (auto const& w : window) through.steps += w.steps;
    sda::variational_problem const problem{start, sda::full_error(start, covariance), sda::observation{sda::composed{o.op, through}, o.y, o.error}};
    start = sda::gauss_newton{outer, {60, 1e-6}}(problem, start);
    mean = through(start);
    auto const ahead = sda::extended_forecast(through, start, {{start.data(), start.data() + start.cols()}, covariance}, sda::small_matrix(start.cols(), start.cols()));
    deviation = deviations(analysed_about(mean, ahead.covariance, o).covariance);
  }
};

/// A bootstrap filter whose resampled particles are moved by draws of their own covariance times a bandwidth's square (Musso et
/// al., 2001): the model has no noise that would part copies.
struct regularised_particle_filter {
  double bandwidth;
  sda::particle_filter filter{};

  void analyse(trajectory& e, auto const& o, key k) const {
    filter.analyse(e, o, k.fold(0));
    Eigen::MatrixXd const away = (e.rowwise() - e.colwise().mean()).matrix();
    index_t const n = e.cols();
    Eigen::MatrixXd const covariance = away.transpose() * away / double(e.rows() - 1) + 1e-9 * Eigen::MatrixXd::Identity(n, n);
    trajectory xi(e.rows(), n);
    sda::lincomb(xi, sda::noise{bandwidth, k.fold(1)});
    e += (xi.matrix() * Eigen::LLT<Eigen::MatrixXd>(covariance).matrixU()).array();
  }
};

}  // namespace lorenz96
