// SPDX-License-Identifier: Apache-2.0
// The classical filters, and the score filters that need no training, as methods of the benchmark.
#include "benchmark.hpp"

#include <sda/filter/cycle.hpp>
#include <sda/filter/eakf.hpp>
#include <sda/filter/enff.hpp>
#include <sda/filter/ensemble_kalman.hpp>
#include <sda/filter/ensf.hpp>
#include <sda/filter/ienks.hpp>
#include <sda/filter/kalman.hpp>
#include <sda/filter/letkf.hpp>
#include <sda/filter/paired.hpp>
#include <sda/filter/particle.hpp>
#include <sda/filter/variational.hpp>
#include <sda/observation/error_covariance.hpp>

#include <map>

namespace lorenz96 {

namespace {

using sda::key;
using state = trajectory;
using sites = std::vector<std::int64_t>;

/// Analyses at the beginning that are not scored, as is the custom: 20 units of model time.
constexpr index_t settling = 400;

/// What is tuned, by task.
struct tuned {
  index_t members;
  double inflation = 1, radius = 4;   // in DAPPER's convention; for the paired filter Gaspari and Cohn's half width
  double certainty = 2;               // of the finite-size filter's hyperprior
};
struct by_task {
  tuned usual;
  std::map<std::string, tuned> special{};
  tuned of(std::string const& task) const {
    auto const found = special.find(task);
    return found == special.end() ? usual : found->second;
  }
};
std::string said(tuned const& c, bool local = false) {
  auto const text = sda::detail::text("N ", c.members, ", inflation ", c.inflation);
  return local ? sda::detail::text(text, ", loc_rad ", c.radius) : text;
}

// Estimators: advance(e, forecast, observation, key) carries the estimate to the time of the observation by forecast(x) and
// analyses it there; score(into, truth) says how well that went.

/// An ensemble and a filter of it.
template <class F> struct ensemble_run {
  F filter;
  state e;

  void advance(auto const& forecast, auto const& o, key k) {
    if constexpr (requires { filter.analyse(e, forecast, o, k); filter.iterations; }) {
      filter.analyse(e, forecast, o, k);   // the iterative smoother moves the start
      e = forecast(e);
    } else {
      state const before = e;
      e = forecast(e);
      if constexpr (requires { filter.along; }) filter.analyse(e, before, o, k);
      else filter.analyse(e, o, k);
    }
  }
  void score(sda::cycle_scores& into, std::span<double const> truth) const { into.add(e, truth); }
};

/// A mean and a covariance: 3D-Var where the latter is static, else the extended Kalman filter.
struct gaussian_run {
  state mean;
  sda::small_matrix covariance;
  bool is_static;
  double growth = 1;   // the forecast covariance times this
  std::vector<double> deviation{};

  void advance(auto const& forecast, auto const& o, key) {
    index_t const n = mean.cols();
    sda::normal_law ahead{{}, covariance};
    if (is_static) {
      mean = forecast(mean);
    } else {
      ahead = sda::extended_forecast(forecast, mean, {{mean.data(), mean.data() + n}, covariance}, sda::small_matrix(n, n));
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
  void score(sda::cycle_scores& into, std::span<double const> truth) const { into.add({mean.data(), std::size_t(mean.cols())}, deviation, truth); }
};

/// The model from one step to the next, as an operator with its derivative; counts the steps made.
struct stepped {
  decltype(sda::flow{sda::lorenz96{}, 0.05, 1}) model;
  index_t* evaluations;
  state operator()(state const& x) const {
    *evaluations += x.rows();
    return model(x);
  }
  auto linearize(state const& x) const {
    *evaluations += x.rows();
    return sda::linearize(model, x);
  }
};

/// Runs an estimator through all times of observation. make(where) gives it for the columns that are seen.
template <class Run, class Adapt>
benchmark_outcome through_time(std::string parameters, Run run, index_t members, benchmark_task const& task, scene const& s, key k, Adapt const& adapt) {
  auto const with_read = [&](auto const& f) {   // each function compiles every filter anew
    sda::require(s.through == "identity" || s.through == "arctan", task.name, ": the filters see identity or arctan, not ", s.through);
    return s.through == "identity" ? f(sda::identity_function{}) : f(sda::arctan{});
  };
  return with_read([&](auto const& read) {
    index_t const inner = std::max<index_t>(1, index_t(std::ceil(s.step / 0.05 - 1e-9)));
    double const climate = std::sqrt((s.truth - s.truth.mean()).square().mean());
    sda::cycle_scores scores(members, climate);
    sites at;
    index_t last = 0, times = 0, evaluations = 0;
    for (index_t t = 0; t < s.steps(); ++t) {
      state const now = s.seen.row(t);
      sites const where = columns_seen(now);
      if (where.empty()) continue;
      if (where != at) adapt(run, at = where);
      state y(1, index_t(at.size()));
      for (std::size_t i = 0; i < at.size(); ++i) y(0, index_t(i)) = now(0, at[i]);
      stepped const forecast{{sda::lorenz96{s.forcing}, s.step / double(inner), int(inner * (t - last))}, &evaluations};
      sda::observation const o{sda::composed{sda::pointwise{read}, sda::masked<state>(now, at, s.ring())}, y, sda::scalar_error{s.error * s.error}};
      run.advance(forecast, o, k.fold(std::uint64_t(t) + 1));
      last = t;
      if (++times > settling) run.score(scores, {s.truth.data() + t * s.ring(), std::size_t(s.ring())});
    }
    sda::require(scores.cycles() > 0, task.name, ": filters are scored from analysis ", settling, " on, there are ", times, "; ask for more cycles");
    double const chi2 = scores.ranks().total() > 0 ? scores.ranks().chi_square() / double(members) : std::numeric_limits<double>::quiet_NaN();
    return benchmark_outcome{std::move(parameters), scores.rmse(), std::numeric_limits<double>::quiet_NaN(), scores.crps(), scores.spread(),
                             scores.spread_skill(), chi2, scores.lost(), double(evaluations), 0};
  });
}

/// States of the attractor that know nothing of the truth: where every filter starts.
state climate_states(scene const& s, index_t members, key k) {
  auto const runs = model_runs(world{.ring = s.ring(), .forcing = s.forcing, .step = s.step}, members, 1, k);
  state e(members, s.ring());
  for (index_t m = 0; m < members; ++m) e.row(m) = runs[std::size_t(m)].row(0);
  return e;
}

struct keep {
  void operator()(auto&, sites const&) const {}
};
/// A method that is an ensemble filter: make(tuned) configures it, adapt(filter, tuned, sites, ring) tells it what is seen.
template <class Make, class Adapt>
benchmark_method ensemble_method(std::string name, std::string about, by_task settings, bool local, Make make, Adapt adapt) {
  return {std::move(name), std::move(about), [=](benchmark_task const& task, scene const& s, smoother_settings const&, key k) {
    tuned const c = settings.of(task.name);
    ensemble_run<decltype(make(c, s))> run{make(c, s), climate_states(s, c.members, k.fold(0))};
    return through_time(said(c, local), std::move(run), c.members, task, s, k, [&](auto& r, sites const& at) { adapt(r.filter, c, at, s.ring()); });
  }};
}
template <class Make> benchmark_method ensemble_method(std::string name, std::string about, by_task settings, Make make) {
  return ensemble_method(std::move(name), std::move(about), std::move(settings), false, make, [](auto&, auto const&, auto const&, index_t) {});
}

sda::small_matrix covariance_of(scene const& s, double scale) {
  Eigen::MatrixXd const a = (s.truth.rowwise() - s.truth.colwise().mean()).matrix();
  return sda::small_matrix(Eigen::MatrixXd(a.transpose() * a * scale / double(s.truth.rows() - 1)));
}
benchmark_method gaussian_method(std::string name, std::string about, double scale, bool is_static, double growth_per_unit) {
  return {std::move(name), std::move(about), [=](benchmark_task const& task, scene const& s, smoother_settings const&, key k) {
    double const growth = std::pow(growth_per_unit, s.step * double(task.net.every));
    gaussian_run run{climate_states(s, 1, k.fold(0)), covariance_of(s, scale), is_static, growth};
    return through_time(is_static ? sda::detail::text("B ", scale, " climate") : sda::detail::text("inflation ", growth_per_unit), std::move(run), 1, task, s, k, keep{});
  }};
}

/// Of every observation to the others.
sda::localisation between(sites const& at, double half_width, index_t ring) {
  std::vector<double> const positions(at.begin(), at.end());
  return sda::localise(std::span<double const>(positions), std::span<double const>(positions), half_width, sda::ring_distance{double(ring)});
}

}  // namespace

std::vector<benchmark_method> classical_methods() {
  auto const inflated = [](tuned const& c) { return sda::inflation{.factor = c.inflation}; };
  auto const near = [](auto& f, tuned const& c, sites const& at, index_t ring) { f.near = sda::localise_ring(ring, at, sda::from_loc_rad(c.radius)); };
  by_task const letkf{{7, 1.04, 4}, {{"half", {20, 1.03, 4}}, {"quarter", {40, 1.04, 3}}, {"spantini2019", {40, 1.1, 4}}}};
  return {
      gaussian_method("3dvar", "3D-Var, B 0.02 of the climate's covariance", 0.02, true, 1),
      gaussian_method("extkf", "extended Kalman filter, covariances times 10 per time unit", 1, false, 10),
      ensemble_method("enkf", "EnKF with perturbed observations", {{40, 1.06}}, [=](tuned const& c, scene const&) { return sda::enkf{inflated(c)}; }),
      ensemble_method("denkf", "deterministic EnKF", {{40, 1.01}}, [=](tuned const& c, scene const&) { return sda::denkf{inflated(c)}; }),
      ensemble_method("etkf", "ensemble transform Kalman filter, rotated", {{40, 1.01}, {{"half", {40, 1.02}}, {"quarter", {100, 1.06}}, {"spantini2019", {100, 1.1}}}},
                      [=](tuned const& c, scene const&) { return sda::etkf{inflated(c), true}; }),
      ensemble_method("enkf-n", "finite-size EnKF, rotated", {{24}, {{"bocquet2010_m40", {24, 1.01, 4, 1}}}},
                      [=](tuned const& c, scene const&) { return sda::enkf_n{c.certainty, inflated(c), true}; }),
      ensemble_method("letkf", "local ETKF, rotated", letkf, true, [=](tuned const& c, scene const&) { return sda::letkf{{}, inflated(c), true}; }, near),
      ensemble_method("letkf-40", "local ETKF of 40 members, rotated", {{40, 1.01, 4}, {{"quarter", {40, 1.04, 3}}}}, true,
                      [=](tuned const& c, scene const&) { return sda::letkf{{}, inflated(c), true}; }, near),
      ensemble_method("eakf", "serial local EAKF", {{7, 1.07, 6}}, true, [=](tuned const& c, scene const&) { return sda::eakf{{}, {}, inflated(c)}; },
                      [=](sda::eakf& f, tuned const& c, sites const& at, index_t ring) {
                        near(f, c, at, ring);
                        f.between = between(at, sda::from_loc_rad(c.radius), ring);
                      }),
      ensemble_method("ienks", "iterative ensemble Kalman smoother, lag 1, rotated", {{25, 1.01}, {{"bocquet2010_m40", {19, 1.04}}, {"half", {40, 1.01}}, {"quarter", {40, 1.02}}}},
                      [=](tuned const& c, scene const&) { return sda::ienks{.iterations = 4, .inflate = inflated(c), .rotate = true}; }),
      ensemble_method("ensf", "ensemble score filter as released, 500 steps", {{20}}, [](tuned const&, scene const&) { return sda::ensf{}; }),
      ensemble_method("enff", "ensemble flow filter, from the previous analysis, 10 steps", {{20}}, [](tuned const&, scene const&) { return sda::enff{}; }),
      ensemble_method("paired", "paired probability-flow filter, localised Gaussian", {{40, 1.01, 10}, {{"ensf", {20, 1.1, 6}}}},
                      [](tuned const& c, scene const& s) {
                        return sda::paired_flow_filter<sda::ring_taper>{.taper = {s.ring(), c.radius}, .inflation = c.inflation, .sigma_min = s.through == "identity" ? 2e-2 : 5e-3};
                      })};
}

}  // namespace lorenz96
