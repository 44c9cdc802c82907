// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>
#include <temporary.hpp>

#include "data/state_file.hpp"
#include "evaluate/baselines.hpp"
#include "evaluate/evaluation.hpp"

#include <Eigen/LU>

using namespace appa;
using Eigen::MatrixXd;
using Eigen::VectorXd;

namespace {

grid const g = parse_grid("24x13");

// Two channels, correlated, of degrees 0 ... 4; memory falls with the degree.
static_gaussian known(int top = 4) {
  static_gaussian out{harmonics(top, even_rows(g.height(), true), g.width()), g.width(), {}, VectorXd(top + 1), MatrixXd(g.height(), 2), VectorXd::Zero(2)};
  double whole = 0;
  for (int l = 0; l <= top; ++l) whole += (2 * l + 1) / (4 * std::numbers::pi) / (1 + l);
  for (int l = 0; l <= top; ++l) {
    double const sum = std::sqrt(1.8) / 2, difference = std::sqrt(0.2) / 2;   // the root of (1, 0.8; 0.8, 1)
    MatrixXd root(2, 2);
    root << sum + difference, sum - difference, sum - difference, sum + difference;
    out.roots.push_back(root / std::sqrt(whole * (1 + l)));
    out.memory(l) = 0.95 - 0.05 * l;
  }
  for (index_t row = 0; row < g.height(); ++row) out.deviation.row(row) << 1 + 0.05 * double(row), 0.7;
  return out;
}

// Every state of a control as one column: points x channels, then states.
VectorXd states(static_gaussian const& s, std::vector<double> const& control) {
  VectorXd out(index_t(control.size()) / s.numbers() * g.points() * 2);
  s.states_of(control, [&](index_t t, MatrixXd const& x) { out.segment(t * x.size(), x.size()) = x.reshaped(); });
  return out;
}

sight some_points(index_t first, float variance) {
  sight s;
  for (index_t p = first; p < g.points(); p += 17) s.columns.push_back(2 * p), s.values.push_back(float(std::sin(double(p)))), s.variances.push_back(variance);
  return s;
}

}  // namespace

TEST_CASE("the static Gaussian's adjoint is that of its states, and its variance is what it says") {
  auto const s = known();
  std::vector<double> control(std::size_t(3 * s.numbers()));
  sda::fill_normal(control.data(), sda::key{1}, 0, 0, index_t(control.size()));
  VectorXd const x = states(s, control);
  VectorXd u(x.size());
  sda::fill_normal(u.data(), sda::key{2}, 0, 0, u.size());
  auto const back = s.adjoint(3, [&](index_t t) { return MatrixXd(u.segment(t * g.points() * 2, g.points() * 2).reshaped(g.points(), 2)); });
  CHECK(x.dot(u) == Approx(Eigen::Map<VectorXd const>(back.data(), index_t(back.size())).dot(Eigen::Map<VectorXd const>(control.data(), index_t(control.size())))).epsilon(1e-12));

  // Row 5 of Sᵀ e_j, squared and summed, is the variance there: D² by construction, the same at all hours.
  for (index_t const t : {0, 2})
    for (index_t const place : {index_t{5}, g.points() - 100, g.points() + 60}) {
      auto const column = s.adjoint(3, [&](index_t now) {
        MatrixXd one = MatrixXd::Zero(g.points(), 2);
        if (now == t) one(place % g.points(), place / g.points()) = 1;
        return one;
      });
      double const d = s.deviation(place % g.points() / g.width(), place / g.points());
      CHECK(Eigen::Map<VectorXd const>(column.data(), index_t(column.size())).squaredNorm() == Approx(d * d).epsilon(1e-12));
    }
}

TEST_CASE("interpolation is the exact posterior: its mean, and the covariance of its draws") {
  auto const s = known(2);
  index_t const n = 2 * s.numbers(), m = 2 * 2 * g.points();
  MatrixXd all(m, n);
  for (index_t i = 0; i < n; ++i) {
    std::vector<double> unit(static_cast<std::size_t>(n));
    unit[std::size_t(i)] = 1;
    all.col(i) = states(s, unit);
  }
  std::vector<sight> const seen{some_points(0, 0.01f), some_points(5, 0.04f)};
  std::vector<index_t> places;
  VectorXd y(seen[0].count() + seen[1].count()), r(y.size());
  for (std::size_t t = 0; t < 2; ++t)
    for (std::size_t i = 0; i < seen[t].columns.size(); ++i) {
      y(index_t(places.size())) = double(seen[t].values[i]), r(index_t(places.size())) = double(seen[t].variances[i]);
      places.push_back(index_t(t) * 2 * g.points() + seen[t].columns[i] / 2);
    }
  MatrixXd const h = all(places, Eigen::all), covariance = all * h.transpose() * (h * h.transpose() + MatrixXd(r.asDiagonal())).inverse();
  VectorXd const expected = covariance * y;
  MatrixXd const left = all * all.transpose() - covariance * h * all.transpose();
  auto const draw = [&](index_t member) {
    VectorXd out(m);
    interpolate(s, seen, member, {.iterations = 500, .tolerance = 1e-12}, sda::key{3}, [&](index_t t, MatrixXd const& x) { out.segment(t * x.size(), x.size()) = x.reshaped(); });
    return out;
  };
  CHECK((draw(-1) - expected).cwiseAbs().maxCoeff() < 1e-8);
  index_t const draws = 400;
  VectorXd mean = VectorXd::Zero(m), square = VectorXd::Zero(m);
  for (index_t d = 0; d < draws; ++d) {
    VectorXd const x = draw(d) - expected;
    mean += x / double(draws), square += x.cwiseAbs2() / double(draws);
  }
  CHECK(square.sum() == Approx(left.trace()).epsilon(0.1));   // few dozen degrees of freedom, 400 draws: half a per cent each way of √(2 / (400 * 12))
  CHECK(mean.squaredNorm() < 4 * left.trace() / double(draws));
}

TEST_CASE("baselines are written like runs, and interpolation beats climatology and persistence where nothing was observed") {
  sda_test::temporary_folder const folder;
  auto const channels = select_channels({"t2m", "msl"}, {});
  auto const truth = known();
  statistics const standard{channels, {280, 101000}, {10, 800}};
  hours const first = hours_of({2019, 1, 1, 0});
  index_t const length = 24 * 60;
  std::string const data = folder / "data.nc", normal_file = folder / "climate.nc", run = folder / "run";
  {   // sixty days of the Gaussian itself
    std::vector<double> control(std::size_t(length * truth.numbers()));
    sda::fill_normal(control.data(), sda::key{4}, 0, 0, index_t(control.size()));
    state_writer out(data, {.where = g, .channels = channels, .title = "", .source = "", .history = ""});
    truth.states_of(control, [&](index_t t, MatrixXd const& x) {
      std::vector<float> state;
      for (index_t i = 0; i < x.size(); ++i) state.push_back(float(i < g.points() ? 280 + 10 * x.data()[i] : 101000 + 800 * x.data()[i]));
      out.append(first + t, state);
    });
    out.commit();
  }
  auto const archived = std::make_shared<archive const>(std::vector{data}, channels);
  period const past{first, first + 24 * 50};
  write_climate(normal_file, *archived, past, 24, "");
  climate const normal(normal_file, channels);
  CHECK(normal.stands_for(hours_of({2021, 12, 30, 14})).before == hours_of({2000, 1, 15, 0}));
  write_climate(folder / "eighths.nc", *archived, past, 8, "");
  auto const night = climate(folder / "eighths.nc", channels).stands_for(hours_of({2021, 2, 3, 22}));
  CHECK((night.before == hours_of({2000, 2, 15, 16}) && night.after == hours_of({2000, 2, 15, 0}) && night.part == 0.75));

  auto const estimated = estimate_gaussian(*archived, standard, normal, {.over = past, .samples = 600, .degrees = 4, .lag = 3});
  CHECK((estimated.memory - truth.memory).cwiseAbs().maxCoeff() < 0.03);
  CHECK(estimated.deviation.mean() == Approx(truth.deviation.mean()).epsilon(0.1));
  CHECK(estimated.beyond.maxCoeff() < 0.02);

  baseline b{run, "climatology", first + 24 * 55, 12, 12, 1, archived};
  b.about = nlohmann::json::parse(R"({"seed": 5, "configuration": {"observations": [{"kind": "stations", "count": 20, "channels": ["t2m"], "error": 0.1, "left_out": 0.2}]},
                                      "observations": {"first": "2019-02-25", "hours": 12}})");
  auto other = b;
  other.like(nlohmann::json::parse(R"({"first": "2019-02-25T00", "states": 12, "configuration": {"assimilation": {"mirrored": true}, "observations": []}})"));
  CHECK(other.about.at("configuration") == nlohmann::json::parse(R"({"observations": []})"));  // it is not drawn as the run was
  write_climatology(b, past, 10, 60, sda::key{6});
  CHECK_THROWS_AS(write_climatology(b, past, 300, 60, sda::key{6}), sda::error);
  trajectories const written(run);
  CHECK((written.members() == 10 && written.assimilated() == 12 && written.times().front() == b.first));
  b.folder = folder / "persistence", b.task = "persistence";
  write_persistence(b, b.at(-1));
  b.folder = folder / "oi", b.task = "optimal interpolation";
  auto const seen = observed_by(written.about(), archived, standard);
  write_interpolation(b, seen, estimated, normal, {.members = 10}, sda::key{7});

  reference against{archived};
  against.seen = [&](trajectories const&, hours t) { return seen.points(t, channels); };
  auto const score = [&](char const* name) { return evaluate(name, {folder / name}, against, {.physics_every = 0}).scores.over_leads(0, 4); };
  auto const oi = score("oi");
  CHECK(oi.rmse < 0.7 * score("run").rmse);
  CHECK(oi.rmse < score("persistence").rmse);
  CHECK(oi.ratio == Approx(1).margin(0.3));
  left_out_scores left_out;
  left_out.add(trajectories(folder / "oi"), seen);
  auto const kept = left_out.by_variable();
  REQUIRE(kept.size() == 1);
  CHECK(kept[0]["count"].get<int>() > 12);
  CHECK(kept[0]["rmse"].get<double>() == Approx(kept[0]["expected"].get<double>()).epsilon(0.5));
}
