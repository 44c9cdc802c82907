// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>
#include <temporary.hpp>

#include "observe/ensemble_analysis.hpp"
#include "observe/ensemble_case.hpp"
#include "observe/observation_file.hpp"
#include "observe/point_file.hpp"

#include <sda/calculus/gaspari_cohn.hpp>
#include <sda/netcdf/reader.hpp>
#include <sda/observation/kriging.hpp>

#include <Eigen/LU>
#include <Eigen/QR>
#include <nlohmann/json.hpp>

using namespace appa;
using Eigen::MatrixXd;
using state = sda::host_array<double>;

namespace {

sda::key const k{11};

sda::place at(grid const& g, index_t p) { return {g.latitudes[std::size_t(p / g.width())], g.longitudes[std::size_t(p % g.width())]}; }

state random_state(index_t n, index_t m, sda::key key) {
  state x(n, m);
  for (index_t r = 0; r < n; ++r) sda::fill_normal(x.row(r).data(), key, r, 0, m);
  return x;
}

}  // namespace

TEST_CASE("the prior of a localised ensemble is the Gaussian of its tapered covariance, at any level of noise; so is its analysis") {
  grid const g = parse_grid("8x5");
  auto const channels = select_channels({"t", "z"}, {500, 850});
  index_t const n = 4 * g.points();
  auto const members = random_state(5, n, k.fold(3));
  taper_options const taper{.half_width = 4000, .vertical = 0.6, .variables = 0.4};
  auto const list = channels.list();
  auto const tapered = [&](index_t i, index_t j) {
    auto const &a = list[std::size_t(i % 4)], &b = list[std::size_t(j % 4)];
    return sda::gaspari_cohn(sda::great_circle(at(g, i / 4), at(g, j / 4)), 4000) * sda::gaspari_cohn(std::log(double(a.level) / b.level), 0.6) * (a.name == b.name ? 1 : 0.4);
  };
  auto const shared = std::make_shared<field_taper const>(g, channels, taper);
  localised_ensemble const prior(members, shared, 1.1, {200, 1e-12});
  state const departures = members.rowwise() - prior.mean.row(0);
  MatrixXd b(n, n);
  for (index_t i = 0; i < n; ++i)
    for (index_t j = 0; j < n; ++j) b(i, j) = tapered(i, j) * (departures.col(i) * departures.col(j)).sum() * 1.21 / 4;
  state const v = random_state(2, n, k.fold(4));
  CHECK((prior.covariance(v).matrix() - v.matrix() * b).cwiseAbs().maxCoeff() < 1e-10);

  sda::level const l{0.8, 0.5};
  MatrixXd const gain = 0.8 * b * (0.64 * b + 0.25 * MatrixXd::Identity(n, n)).inverse();
  state const posterior = ((v.matrix().rowwise() - 0.8 * prior.mean.matrix().row(0)) * gain).rowwise() + prior.mean.matrix().row(0);
  CHECK((prior(v, l) - posterior).abs().maxCoeff() < 1e-8);
  CHECK((prior.linearize(v, l).vjp(v).matrix() - v.matrix() * gain).cwiseAbs().maxCoeff() < 1e-8);

  sight const seen{2, {3, 7, 20, 20, 50, 51, 70, 83}, {0.5f, 0.5f, 1, 0, 0.25f, 0.75f, 1, 0}, {1, -1, 0.5f, 0.2f}, {0.1f, 0.2f, 0.3f, 0.4f}};
  MatrixXd h = MatrixXd::Zero(4, n);
  Eigen::VectorXd y(4), r(4);
  for (index_t i = 0; i < 4; ++i) {
    for (index_t c = 0; c < 2; ++c) h(i, seen.columns[std::size_t(2 * i + c)]) += double(seen.weights[std::size_t(2 * i + c)]);
    y(i) = seen.values[std::size_t(i)], r(i) = seen.variances[std::size_t(i)];
  }
  MatrixXd innovation = h * b * h.transpose();
  innovation += r.asDiagonal();
  MatrixXd const kalman = b * h.transpose() * innovation.inverse();
  Eigen::VectorXd const mean = prior.mean.matrix().row(0).transpose();
  state const analysed = ensemble_analysis{taper, 1.1, 200, 1e-10}(members, g, channels, seen, true, k);
  CHECK((analysed.row(0).matrix().transpose() - mean - kalman * (y - h * mean)).cwiseAbs().maxCoeff() < 1e-5);
  REQUIRE(analysed.rows() == 6);
  for (index_t m = 0; m < 5; ++m) {   // K (e - H x) in the member's place: nothing else has moved it
    Eigen::VectorXd const x = mean + 1.1 * departures.row(m).matrix().transpose(), moved = analysed.row(m + 1).matrix().transpose() - x;
    Eigen::VectorXd const w = kalman.colPivHouseholderQr().solve(moved);
    CHECK((kalman * w - moved).cwiseAbs().maxCoeff() < 1e-5);
    Eigen::VectorXd const e = w - (y - h * x);
    for (index_t i = 0; i < 4; ++i) CHECK(std::abs(e(i)) < 5 * std::sqrt(r(i)));
  }
}

TEST_CASE("a real ensemble: stations of one member bring the mean of the others nearer to it where nothing is observed, as an LETKF does") {
  auto const file = (std::filesystem::path(SDA_GOLDEN_DIR).parent_path() / "data" / "era5_z_t_new_ensemble.nc").string();
  if (!std::filesystem::exists(file)) SDA_SKIP("no samples of ERA5");
  hours const t = hours_of({2017, 1, 1, 0});
  auto const c = read_ensemble({file}, {"t", "z"}, {500}, t, 3);
  auto const seen = observe_by(nlohmann::json::parse(R"([{"kind": "stations", "count": 1500, "channels": ["all"], "error": 0.3}])"), c.states,
                               [&](hours) { return c.truth; }, k).assimilated(t);
  auto const members = c.as_rows();
  taper_options const taper{.variables = 0.1};
  auto const before = c.unobserved_error(members.colwise().mean(), seen);
  auto const after = c.unobserved_error(ensemble_analysis{taper, 1, 200, 1e-3}(members, c.states.where, c.states.channels, seen, false, k), seen);
  auto const letkf = c.unobserved_error(letkf_analysis(members, c.states.where, c.states.channels, seen, taper).colwise().mean(), seen);
  for (std::size_t i = 0; i < 2; ++i) {
    INFO("root mean square errors: ensemble " << before[i] << ", analysis " << after[i] << ", LETKF " << letkf[i]);
    CHECK(after[i] < (c.states.channels.list()[i].name == "geopotential" ? 0.9 : 0.98) * before[i]);   // temperatures differ from grid box to grid box
    CHECK(after[i] < 1.03 * letkf[i]);
  }
}

TEST_CASE("files in observation space keep what was seen, what became of it and the departures, and can be read as observations") {
  sda_test::temporary_folder const tmp;
  scene s{parse_grid("16x9"), select_channels({"t2m", "z"}, {500}), {}, std::vector<char>(144, 1)};
  s.standard = {s.channels, {280, 5e4}, {10, 1e3}};
  auto const truth = [](hours t) { return std::vector<float>(288, float(t % 7)); };
  auto const all = observe_by(nlohmann::json::parse(R"([{"kind": "stations", "count": 9, "left_out": 0.4, "noise": false, "error": 0.1}, {"kind": "dense", "channels": ["z"]}])"), s, truth, k);
  std::vector<observed_hour> hours_seen;
  hours const first = hours_of({2020, 5, 1, 0});
  for (hours const t : {first, first + 1}) hours_seen.push_back({t, all.all(t), {}, {}, {}, {}});
  auto const& one = hours_seen[1].what.seen;
  hours_seen[1].before = shown_by(one, std::vector<float>(288, 1.0f), 2);
  hours_seen[1].before_spread.assign(one.values.size(), 0.5f);
  auto const path = (tmp / "o.nc").string();
  write_observations(path, hours_seen, "a test", "test");

  sda::netcdf::reader const file(path);
  auto const n = hours_seen[0].what.reports.size();
  CHECK(file.text("", "featureType") == "point");
  auto const departure = file.read("background_departure"), spread = file.read("background_spread"), flag = file.read("flag");
  CHECK((departure.size() == 2 * n && std::isnan(departure[0]) && spread[n] == Approx(5)));
  CHECK(departure[n] == Approx((double(one.values[0]) - 1) * 10));
  CHECK(std::count(flag.begin(), flag.end(), 1.0) == 2 * std::count(hours_seen[0].what.fates.begin(), hours_seen[0].what.fates.end(), fate::left_out));
  CHECK(file.numbers("flag", "flag_values") == std::vector<double>{0, 1, 2, 3});

  auto const again = read_points(path);
  REQUIRE(again.reports.size() == 2 * n);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < 2 * n; ++i) {
    auto const &a = again.reports[i];
    auto const& b = hours_seen[i / n].what.reports[i % n];
    wrong += a.what != b.what || a.hour() != first + hours(i / n) || std::abs(a.value - b.value) > 1e-6 * std::abs(b.value) || std::abs(a.error / b.error - 1) > 1e-6 ||
             a.where.latitude != b.where.latitude || a.level != b.level;
  }
  CHECK(wrong == 0);
  CHECK_THROWS_WITH(write_observations((tmp / "no" / "o.nc").string(), hours_seen, "", ""), Catch::Contains("there is no folder"));
}
