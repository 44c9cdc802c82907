// SPDX-License-Identifier: Apache-2.0
// The classical filters, and the score filters that need no training, as methods of the benchmark.
#include "filtering.hpp"

#include <sda/filter/eakf.hpp>
#include <sda/filter/enff.hpp>
#include <sda/filter/ensf.hpp>
#include <sda/filter/letkf.hpp>
#include <sda/filter/paired.hpp>

namespace lorenz96 {

namespace {

using state = trajectory;

/// What is tuned, by task.
struct tuned {
  index_t members;
  double inflation = 1, radius = 4;   // in DAPPER's convention; for the paired filter Gaspari and Cohn's half width
  double certainty = 2, nullity = 0;  // of the finite-size filter's hyperprior
  index_t lag = 1;
};
struct by_task {
  tuned usual;
  std::map<std::string, tuned> special{};
  tuned of(std::string const& task) const {
    auto const found = special.find(task);
    return found == special.end() ? usual : found->second;
  }
};
sda::inflation inflated(parameters& p, tuned const& c) { return {.factor = p.get("inflation", c.inflation), .rtps = p.get("rtps", 0.0)}; }

/// What a static background covariance looks like.
std::string shape_of(parameters& p) {
  auto const shape = p.get("shape", std::string("climate"));
  sda::require(shape == "climate" || shape == "identity", "shape=", shape, ": climate or identity");
  return shape;
}

/// Where a task's filters start.
template <sda::State S = state> S starting(benchmark_task const& task, scene const& s, index_t size, key k) {
  state e(size, s.ring());
  if (task.start == "climate") {
    auto const runs = model_runs(world{.ring = s.ring(), .forcing = s.forcing, .step = s.step}, size, 1, k);
    for (index_t m = 0; m < size; ++m) e.row(m) = runs[std::size_t(m)].row(0);
  } else {
    bool const beside = task.start == "beside";
    sda::lincomb(e, sda::noise{beside ? std::sqrt(1e-3) : 1, k});
    if (beside) e.rowwise() += s.truth.row(0);
  }
  if (!task.unknown_forcing) return e.template cast<typename S::Scalar>();
  state with_forcing(size, s.ring() + 1), forcing(size, 1);
  sda::lincomb(forcing, sda::noise{1, k.fold(7)});
  with_forcing << e, forcing + 7;
  return with_forcing.template cast<typename S::Scalar>();
}

/// Which columns a filter sees, it need not know.
struct keep {
  void operator()(auto&, sites const&) const {}
};

/// A method that is an ensemble filter: make(parameters, tuned, task) configures it.
template <sda::State S = state, class Make> benchmark_method ensemble_method(std::string name, std::string about, by_task settings, Make make) {
  return {std::move(name), std::move(about), [=](parameters& p, benchmark_task const& task, smoother_settings const&) -> estimator {
    tuned const c = settings.of(task.name);
    index_t const size = p.get("members", c.members);
    auto const filter = make(p, c, task);
    return [=](scene const& s, key k) {
      return through_time(ensemble_run<std::remove_const_t<decltype(filter)>, S>{filter, starting<S>(task, s, size, k.fold(0))}, size, 0, task, s, k, keep{});
    };
  }};
}
/// ... a local one: reach(filter, sites, ring, half width) tells it what is seen from where.
template <class Make, class Reach> benchmark_method local_method(std::string name, std::string about, by_task settings, Make make, Reach reach) {
  return {std::move(name), std::move(about), [=](parameters& p, benchmark_task const& task, smoother_settings const&) -> estimator {
    tuned const c = settings.of(task.name);
    index_t const size = p.get("members", c.members);
    double const half_width = sda::from_loc_rad(p.get("loc_rad", c.radius));
    auto const filter = make(p, c);
    return [=, name = task.name](scene const& s, key k) {
      sda::require(!task.unknown_forcing, name, ": the forcing has no place on the ring, so that local filters cannot see it");
      ensemble_run<std::remove_const_t<decltype(filter)>> run{filter, starting(task, s, size, k.fold(0))};
      return through_time(std::move(run), size, 0, task, s, k, [&](auto& r, sites const& at) { reach(r.filter, at, s.ring(), half_width); });
    };
  }};
}

sda::small_matrix covariance_of(scene const& s, double scale, std::string const& shape = "climate") {
  if (shape == "identity") return sda::identity_matrix(s.ring(), scale);
  Eigen::MatrixXd const a = (s.truth.rowwise() - s.truth.colwise().mean()).matrix();
  return sda::small_matrix(Eigen::MatrixXd(a.transpose() * a * scale / double(s.truth.rows() - 1)));
}
estimator three_d_var(parameters& p, benchmark_task const& task, smoother_settings const&) {
  double const scale = p.get("background", 0.02);
  std::string const shape = shape_of(p);
  return [=](scene const& s, key k) {
    return through_time(gaussian_run{starting(task, s, 1, k.fold(0)), covariance_of(s, scale, shape), true}, 1, 0, task, s, k, keep{});
  };
}
estimator extended(parameters& p, benchmark_task const& task, smoother_settings const&) {
  double const inflation = p.get("inflation", 10.0);
  bool const frozen = p.get("frozen", 0) != 0;
  return [=](scene const& s, key k) {
    double const growth = std::pow(inflation, s.step * double(task.net.every));
    auto start = task.start == "beside" ? sda::identity_matrix(s.ring(), 1e-3) : covariance_of(s, 1);
    return through_time(gaussian_run{starting(task, s, 1, k.fold(0)), std::move(start), false, growth, frozen}, 1, 0, task, s, k, keep{});
  };
}
estimator ensemble_smoother(parameters& p, benchmark_task const& task, smoother_settings const&) {
  index_t const size = p.get<index_t>("members", 40), lag = p.get<index_t>("lag", 10);
  sda::etkf const filter{inflated(p, {40, 1.02}), true};
  sda::require(lag >= 1 && !task.unknown_forcing, "enks: lag ", lag);
  return [=](scene const& s, key k) {
    return through_time(lagged_run{filter, starting(task, s, size, k.fold(0)), lag}, size, lag, task, s, k, keep{});
  };
}
estimator iterative(parameters& p, benchmark_task const& task, smoother_settings const&) {
  auto const tuned_to = [](index_t members, double inflation, index_t lag, double certainty = 0) {
    return tuned{.members = members, .inflation = inflation, .certainty = certainty, .lag = lag};
  };
  by_task const all{tuned_to(25, 1.01, 1), {{"bocquet2010_m40", tuned_to(19, 1.04, 2)}, {"half", tuned_to(40, 1.01, 10)}, {"quarter", tuned_to(40, 1.01, 10)},
                                            {"spantini2019", tuned_to(40, 1.15, 1, 1.5)}}};
  tuned const c = all.of(task.name);
  index_t const size = p.get("members", c.members), lag = p.get("lag", c.lag);
  sda::ienks const filter{.iterations = p.get("iterations", 10), .tolerance = p.get("tolerance", 1e-3), .inflate = inflated(p, c),
                          .rotate = p.get("rotate", 1) != 0, .certainty = p.get("certainty", c.certainty), .most = p.get("most", 1.2)};
  sda::require(lag >= 1, "ienks: lag ", lag);
  return [=](scene const& s, key k) {
    state const e = starting(task, s, size, k.fold(0));
    return through_time(iterative_run{filter, lag, e, e, e}, size, lag, task, s, k, keep{});
  };
}

estimator four_d_var(parameters& p, benchmark_task const& task, smoother_settings const&) {
  double const scale = p.get("background", 0.02);
  std::string const shape = shape_of(p);
  index_t const lag = p.get<index_t>("lag", 1);
  int const outer = p.get("iterations", 3);
  sda::require(lag >= 1 && outer >= 1, "4dvar: lag ", lag, ", iterations ", outer);
  return [=](scene const& s, key k) {
    return through_time(variational_run{starting(task, s, 1, k.fold(0)), covariance_of(s, scale, shape), lag, outer}, 1, 0, task, s, k, keep{});
  };
}

void near_ring(auto& filter, sites const& at, index_t ring, double half_width) { filter.near = sda::localise_ring(ring, at, half_width); }
/// ... and of every observation to the others.
void near_ring_and_between(auto& filter, sites const& at, index_t ring, double half_width) {
  near_ring(filter, at, ring, half_width);
  std::vector<double> const positions(at.begin(), at.end());
  filter.between = sda::localise(std::span<double const>(positions), std::span<double const>(positions), half_width, sda::ring_distance{double(ring)});
}

}  // namespace

std::vector<benchmark_method> classical_methods() {
  using S = members;   // the score filters are made for large states: float
  by_task const letkf{{7, 1.04, 4}, {{"half", {20, 1.03, 4}}, {"quarter", {40, 1.04, 3}}, {"spantini2019", {40, 1.1, 4}}, {"ensf", {20, 1.1, 3}}, {"arctan", {20, 1.05, 4}}}};
  auto const local_etkf = [](parameters& p, tuned const& c) { return sda::letkf{{}, inflated(p, c), p.get("rotate", 1) != 0}; };
  auto const near = [](auto&&... a) { near_ring(a...); };
  auto const near_and_between = [](auto&&... a) { near_ring_and_between(a...); };
  return {
      {"3dvar", "3D-Var; background covariance a multiple of the climate's, or of the identity (shape)", three_d_var},
      {"extkf", "extended Kalman filter, covariances inflated by a factor per time unit; frozen=1: Jacobians held during a step", extended},
      ensemble_method("enkf", "EnKF with perturbed observations", {{40, 1.06}}, [](parameters& p, tuned const& c, auto&) { return sda::enkf{inflated(p, c)}; }),
      ensemble_method("denkf", "deterministic EnKF", {{40, 1.01}}, [](parameters& p, tuned const& c, auto&) { return sda::denkf{inflated(p, c)}; }),
      ensemble_method("etkf", "ensemble transform Kalman filter", {{40, 1.01}, {{"half", {40, 1.02}}, {"quarter", {100, 1.06}}, {"spantini2019", {100, 1.1}}}},
                      [](parameters& p, tuned const& c, auto&) { return sda::etkf{inflated(p, c), p.get("rotate", 1) != 0}; }),
      ensemble_method("enkf-n", "finite-size EnKF", {{24}, {{"bocquet2010_m40", {.members = 24, .inflation = 1.01, .certainty = 1}}}},
                      [](parameters& p, tuned const& c, auto&) {
                        return sda::enkf_n{p.get("certainty", c.certainty), p.get("nullity", c.nullity), inflated(p, c), p.get("rotate", 1) != 0};
                      }),
      local_method("letkf", "local ETKF", letkf, local_etkf, near),
      local_method("letkf-40", "local ETKF of 40 members", {{40, 1.01, 4}, {{"quarter", {40, 1.04, 3}}}}, local_etkf, near),
      local_method("eakf", "serial local EAKF", {{7, 1.07, 6}, {{"ensf", {20, 1.1, 4}}}},
                   [](parameters& p, tuned const& c) { return sda::eakf{{}, {}, inflated(p, c), p.get("shuffle", 1) != 0}; }, near_and_between),
      {"4dvar", "strong-constraint 4D-Var, cycled; background covariance a multiple of the climate's, or of the identity (shape)", four_d_var},
      ensemble_method("pf", "bootstrap particle filter, resampled particles moved by a share of their spread", {{3000}}, [](parameters& p, tuned const&, auto&) {
        return regularised_particle_filter{p.get("bandwidth", 0.8)};
      }),
      {"enks", "ensemble smoother: an ETKF of present and past", ensemble_smoother},
      {"ienks", "iterative ensemble Kalman smoother; certainty > 0: finite-size, its prior widened by `most` at most", iterative},
      ensemble_method<S>("ensf", "ensemble score filter as released; seen: members that a particle sees, 1 its own, 0 all, else drawn anew at every level",
                         {{20}}, [](parameters& p, tuned const&, auto&) {
        index_t const seen = p.get<index_t>("seen", 1);
        using from = sda::ensf::scores;
        return sda::ensf{.steps = p.get("steps", 500), .eps_alpha = p.get("eps-alpha", 0.5), .eps_sigma = p.get("eps-sigma", 0.025),
                         .from = seen == 0 ? from::all_members : seen == 1 ? from::own_member : from::mini_batch, .batch = seen};
      }),
      ensemble_method<S>("enff", "ensemble flow filter, from the previous analysis (or from noise)", {{20}}, [](parameters& p, tuned const& c, auto&) {
        bool const from_noise = p.get("from-noise", 0) != 0;
        return sda::enff{.along = from_noise ? sda::enff::path::noise_to_forecast : sda::enff::path::previous_to_forecast, .steps = p.get("steps", from_noise ? 100 : 10),
                         .guidance = p.get("guidance", from_noise ? 0.8 : 0.05), .sigma_min = p.get("sigma-min", 0.1), .inflate = inflated(p, c)};
      }),
      ensemble_method("paired", "paired probability-flow filter, localised Gaussian; half width in sites", {{40, 1.01, 10}, {{"ensf", {20, 1.1, 6}}}},
                      [](parameters& p, tuned const& c, benchmark_task const& task) {
                        return sda::paired_flow_filter<sda::ring_taper>{.taper = {task.where.ring, p.get("half-width", c.radius)}, .inflation = p.get("inflation", c.inflation),
                                                                        .steps = p.get("steps", 16), .sigma_min = p.get("sigma-min", task.net.through == "identity" ? 2e-2 : 5e-3)};
                      })};
}

known_score expected_score(std::string const& task, std::string const& method) {
  static std::map<std::pair<std::string, std::string>, known_score> const all{
      {{"sakov2008", "oi"}, {.947, .947}},
      {{"sakov2008", "3dvar"}, {.412, .412}},
      {{"sakov2008", "extkf"}, {.219, no_number}},   // published with frozen=1
      {{"sakov2008", "enkf"}, {.219, .219}},
      {{"sakov2008", "denkf"}, {.181, .180}},
      {{"sakov2008", "etkf"}, {.173, .176}},
      {{"sakov2008", "enkf-n"}, {.178, .179}},
      {{"sakov2008", "letkf"}, {.215, .215}},
      {{"sakov2008", "letkf-40"}, {.195, .197}},
      {{"sakov2008", "eakf"}, {.228, .224}},
      {{"sakov2008", "ienks"}, {.173, .173}},
      {{"sakov2008", "paired"}, {.193, no_number}},
      {{"parameter", "etkf"}, {.173, no_number}},
      {{"parameter", "enkf"}, {.222, no_number}},
      {{"bocquet2010_m40", "enkf-n"}, {.595, .595}},
      {{"bocquet2010_m40", "ienks"}, {.519, .498}},
      {{"spantini2019", "climatology"}, {3.63, 3.63}},
      {{"spantini2019", "etkf"}, {.980, no_number}},   // published with rotate=0
      {{"spantini2019", "letkf"}, {.991, 1.010}},
      {{"spantini2019", "ienks"}, {.582, no_number}},   // published with lag=2
      {{"half", "letkf"}, {.314, .315}},
      {{"half", "ienks"}, {.233, .237}},
      {{"quarter", "letkf"}, {.978, .877}},
      {{"quarter", "etkf"}, {.899, .917}},
      {{"ensf", "ensf"}, {.192, .198}},
      {{"ensf", "enff"}, {.159, .171}},
      {{"ensf", "eakf"}, {.048, no_number}},
      {{"ensf", "paired"}, {.054, no_number}}};
  auto const found = all.find({task, method});
  return found == all.end() ? known_score{} : found->second;
}

}  // namespace lorenz96
