// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>
#include <temporary.hpp>

#include "observe/network.hpp"
#include "observe/observing.hpp"
#include "observe/sight_operator.hpp"
#include "observe/spread_out.hpp"

#include <sda/calculus/check.hpp>
#include <sda/calculus/small_matrix.hpp>
#include <sda/eigen.hpp>

#include <nlohmann/json.hpp>

#include <fstream>
#include <set>
#include <thread>

using namespace appa;
using nlohmann::json;
using state = sda::host_array<double>;

namespace {

sda::key const k{2024};

scene small_scene(char const* where = "16x9", std::vector<std::string> const& names = {"t2m", "sst", "z"}) {
  scene s{parse_grid(where), select_channels(names, {500, 850}), {}, {}};
  s.standard = {s.channels, {}, {}};
  for (index_t c = 0; c < s.channels.size(); ++c) s.standard.mean.push_back(100 + 10 * double(c)), s.standard.deviation.push_back(2 + double(c));
  s.sea.assign(std::size_t(s.where.points()), 1);
  for (std::size_t i = 0; i < s.sea.size(); i += 3) s.sea[i] = 0;
  return s;
}
// Number c + point / 1000 + t, so that every number says where it comes from.
state_at told_by_place(scene const& s) {
  return [points = s.where.points(), channels = s.channels.size()](hours t) {
    std::vector<float> x;
    for (index_t c = 0; c < channels; ++c)
      for (index_t p = 0; p < points; ++p) x.push_back(float(double(c) + double(p) / 1000 + double(t)));
    return x;
  };
}
observing with(scene const& s, char const* list) { return observe_by(json::parse(list), s, told_by_place(s), k); }

}  // namespace

TEST_CASE("values, columns and variances stand in one order: two families, four variances") {
  auto const s = small_scene();
  auto const seen = with(s, R"([{"kind": "stations", "count": 20, "noise": false, "error": {"t2m": 0.1, "sst": 0.2}},
                                {"kind": "random", "share": 0.2, "noise": false, "channels": ["z"], "error": {"z": 0.3, "z@850": 0.4}}])")
                        .assimilated(5);
  double const variances[] = {0.01, 0.04, 0.09, 0.16};
  index_t wrong = 0;
  std::set<index_t> kinds;
  for (std::size_t i = 0; i < seen.values.size(); ++i) {
    index_t const point = seen.columns[i] / 4, c = seen.columns[i] % 4;
    kinds.insert(c);
    wrong += seen.values[i] != float(double(c) + double(point) / 1000 + 5) || std::abs(seen.variances[i] - variances[c]) > 1e-8;
  }
  CHECK(wrong == 0);
  CHECK(kinds == std::set<index_t>{0, 1, 2, 3});
  CHECK((seen.corners == 1 && seen.weights.empty() && seen.columns.size() == seen.values.size()));
}

TEST_CASE("how many observations there are: dense, stations, none of the sea's temperature on land") {
  auto const s = small_scene();
  auto const count = [&](char const* list) { return with(s, list).assimilated(0).count(); };
  index_t const points = s.where.points(), sea = std::count(s.sea.begin(), s.sea.end(), char(1));
  CHECK(count(R"([{"kind": "dense"}])") == 3 * points + sea);
  CHECK(count(R"([{"kind": "dense", "channels": ["t2m", "z@500"]}])") == 2 * points);
  CHECK(count(R"([{"kind": "stations", "count": 30, "on": "sea"}])") == 60);
  CHECK(count(R"([{"kind": "stations", "count": 30, "on": "land"}])") == 30);
  CHECK(count(R"([{"kind": "stations", "count": 30, "every": 6}])") > 0);
  CHECK(with(s, R"([{"kind": "stations", "count": 30, "every": 6}])").assimilated(7).count() == 0);
  CHECK(count("[]") == 0);
  orbit const o;
  CHECK(count(R"([{"kind": "satellite"}])") == 2 * index_t(o.swath(s.where, 0).size()));
}

TEST_CASE("errors are drawn from R, anew for every hour and number, the same whoever asks and when") {
  auto const s = small_scene("64x33", {"t2m", "z"});
  auto const list = R"([{"kind": "dense", "error": {"t2m": 0.5, "z": 2}}])";
  auto const noisy = with(s, list), again = with(s, list);
  auto const later = noisy.assimilated(3);
  auto const seen = noisy.assimilated(0), same = again.assimilated(0);
  CHECK(seen.values == same.values);
  auto const truth = told_by_place(s);
  double squares = 0, product = 0;
  auto const at0 = truth(0), at3 = truth(3);
  for (std::size_t i = 0; i < seen.values.size(); ++i) {
    std::size_t const at = std::size_t(seen.columns[i] % 3 * s.where.points() + seen.columns[i] / 3);
    double const r = std::sqrt(double(seen.variances[i])), e = (seen.values[i] - at0[at]) / r, f = (later.values[i] - at3[at]) / r;
    squares += e * e, product += e * f;
  }
  double const n = double(seen.count());  // 6336: of standard normal numbers, squares deviate by √2, products by 1
  CHECK(std::abs(squares / n - 1) < 5 * std::sqrt(2 / n));
  CHECK(std::abs(product / n) < 5 / std::sqrt(n));

  std::vector<sight> together(4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) threads.emplace_back([&, t] { together[std::size_t(t)] = noisy.assimilated(t); });
  for (auto& t : threads) t.join();
  CHECK((together[0].values == seen.values && together[3].values == later.values));
}

TEST_CASE("places kept for verification are a share, the same in every hour and for all instruments, and never assimilated") {
  auto const s = small_scene("64x33", {"t2m", "z"});
  auto const all = with(s, R"([{"kind": "dense", "channels": ["t2m"], "left_out": 0.3}, {"kind": "dense", "channels": ["z"], "left_out": 0.3}])");
  auto const used = all.assimilated(0), kept = all.left_out(0), later = all.left_out(9);
  CHECK(kept.columns == later.columns);
  std::set<index_t> assimilated, verified[3];
  for (auto const c : used.columns) assimilated.insert(c / 3);
  for (auto const c : kept.columns) verified[c % 3].insert(c / 3);
  CHECK((verified[0] == verified[1] && verified[1] == verified[2]));
  CHECK(assimilated.size() + verified[0].size() == 2112);
  CHECK(std::abs(double(verified[0].size()) - 0.3 * 2112) < 5 * std::sqrt(2112 * 0.21));
  auto const described = all.all(0);
  CHECK((described.reports.size() == std::size_t(used.count() + kept.count()) && described.fates.size() == described.reports.size()));
}

TEST_CASE("reports say in units where, what and how well") {
  auto const s = small_scene();
  auto const all = with(s, R"([{"kind": "dense", "noise": false, "units": "physical", "error": {"t2m": 1, "sst": 2, "z": 30}}])").all(2);
  auto const& last = all.reports.back();  // z@850 at the southern end
  CHECK((last.where.latitude == -90 && last.level == 850 && last.what->short_name == "z" && last.from == 0));
  CHECK(last.error == Approx(30));
  CHECK(last.value == Approx((3 + 0.143 + 2) * 5 + 130));
  CHECK(all.seen.variances.back() == Approx(30 * 30 / 25.0));
}

TEST_CASE("a sight as the library's observation: its transpose is one, and sights in a row may differ in corners") {
  sight one{1, {4, 7}, {}, {1, 2}, {0.1f, 0.2f}};
  sight const two{3, {0, 1, 2}, {0.5f, 0.25f, 0.25f}, {3}, {0.3f}};
  append(one, two);
  CHECK((one.corners == 3 && one.count() == 3 && one.columns.size() == 9));
  auto const o = observation_of(state(1, 1), one, 8);
  state x(1, 8);
  x << 1, 2, 3, 4, 5, 6, 7, 8;
  state y(1, 3);
  y << 5, 8, 1.75;
  CHECK((o.op(x) - y).abs().maxCoeff() == 0);
  CHECK(sda::check_adjoint(o.op, x, k) < 1e-12);
  index_t const last[] = {2};
  CHECK(select(one, last).columns == std::vector<index_t>{0, 1, 2});
}

TEST_CASE("errors in chains: what is made independent gives the posterior of the dense R") {
  sight const chained{1, {0, 2, 1, 3}, {}, {1, -1, 0.5f, 2}, {1, 4, 0.25f, 2}};
  std::vector<float> const rho{0, 0.5f, -0.25f, 0};
  sda::small_matrix r(4, 4);
  for (index_t i = 0; i < 4; ++i)
    for (index_t j = 0; j <= i; ++j) {
      double correlation = 1;
      for (index_t m = j + 1; m <= i; ++m) correlation *= rho[std::size_t(m)];
      r[i][j] = r[j][i] = correlation * std::sqrt(double(chained.variances[std::size_t(i)]) * chained.variances[std::size_t(j)]);
    }
  state x(1, 5);
  x << 0.3, -1.2, 0.7, 2, 5;
  auto const raw = observation_of(x, chained, 5), white = observation_of(x, independent(chained, rho), 5);
  sda::full_error const dense(x, r);
  // (y - A x)ᵀ R⁻¹ (y - A x) and its gradient
  state const d = raw.y - raw.op(x), e = white.y - white.op(x);
  CHECK((d * dense.solve(d)).sum() == Approx((e * white.error.solve(e)).sum()).epsilon(1e-6));
  CHECK((raw.op.adjoint(dense.solve(d)) - white.op.adjoint(white.error.solve(e))).abs().maxCoeff() < 1e-5);  // sights are floats
  observations all{chained, rho, {fate::assimilated, fate::left_out, fate::assimilated, fate::assimilated}, {}};
  CHECK(all.of(fate::assimilated).correlations == std::vector<float>{0, -0.125f, 0});
}

TEST_CASE("stations of a list that cannot be used are counted") {
  sda_test::temporary_folder const tmp;
  auto const path = (tmp / "list.csv").string();
  std::ofstream(path) << "lat,lon\n10,10\n10,11\n-30,200\n100,10\nnowhere,10\n";
  auto const told = observe_by(json::parse(R"([{"kind": "dense"}, {"kind": "stations", "file": ")" + path + "\"}]"), small_scene(),
                               told_by_place(small_scene()), k);
  CHECK(told.summary == "observations[1]: 5 stations at 2 points; 2 lines without a place, 0 places off the grid");
}

TEST_CASE("why reports of the sea's temperature cannot be used: on land, or nobody knows where that is") {
  auto s = small_scene();
  place const ashore{s.where.latitudes[4], s.where.longitudes[2]};  // point 66
  CHECK(why_not(s, variable_of("sst"), ashore, 0, reading::nearest) == "of the sea's temperature on land");
  s.sea.clear();
  CHECK(why_not(s, variable_of("sst"), ashore, 0, reading::nearest) == "of the sea's temperature, and nothing says where the sea is");
}

TEST_CASE("what a list of instruments may not say") {
  auto const s = small_scene();
  auto const says = [&](char const* list) -> std::string {
    try {
      with(s, list);
    } catch (sda::error const& e) { return e.what(); }
    return "nothing";
  };
  CHECK_THAT(says(R"([{"kind": "dense"}, {"kind": "dense", "erorr": 1}])"), Catch::Contains("observations[1] has no key erorr; there are"));
  CHECK_THAT(says(R"([{"kind": "boat"}])"), Catch::Contains("observations[0] is of kind boat; known are stations"));
  CHECK_THAT(says(R"([{"kind": "dense", "error": "a"}])"), Catch::Contains("observations[0].error is \"a\", not a number"));
  CHECK_THAT(says(R"([{"kind": "dense", "error": {"t2m": 1}}])"), Catch::Contains("says nothing of sea_surface_temperature"));
  CHECK_THAT(says(R"([{"kind": "dense", "channels": ["q"]}])"), Catch::Contains("no channel of the states is q"));
  CHECK_THAT(says(R"([{"kind": "dense", "error": -1}])"), Catch::Contains("is -1"));
  CHECK_THAT(says(R"([{"kind": "stations"}])"), Catch::Contains("a file of stations, or a count"));
  CHECK_THAT(says(R"([{"kind": "stations", "count": 1000}])"), Catch::Contains("1000 stations at different points, of which there are 144"));
  CHECK_THAT(says(R"({"kind": "dense"})"), Catch::Contains("a list of instruments"));
  CHECK_THROWS_WITH(observe_by(json::parse(R"([{"kind": "dense"}])"), s, {}, k), Catch::Contains("nothing to look at"));
  CHECK(says("[]") == "nothing");
}

TEST_CASE("random columns and stations: fixed or anew each hour, spread over area") {
  auto const s = small_scene("64x33", {"t2m"});
  auto const fixed = random_columns(s.where, 0.3, true, k), moving = random_columns(s.where, 0.3, false, k);
  CHECK(fixed(0) == fixed(9));
  CHECK(moving(0) != moving(9));
  CHECK(std::abs(double(moving(4).size()) - 0.3 * 2112) < 5 * std::sqrt(2112 * 0.21));
  auto const stations = random_stations(s.where, 400, {}, k);
  index_t north = 0;  // of 30°: a quarter of the area, at most that where points run out
  for (index_t const p : stations) north += p / 64 < 11;
  CHECK(std::set<index_t>(stations.begin(), stations.end()).size() == 400);
  CHECK(std::abs(double(north) - 100) < 5 * std::sqrt(400 * 0.1875));
}

TEST_CASE("what was seen at places is spread over fields: exact there, under a mask that is 1 there and falls off") {
  auto const where = parse_grid("16x9");
  sight seen;  // channel 1 at points 40 and (twice) 75, between 50 and 51, and at the pole
  seen.corners = 2;
  seen.columns = {80 + 1, 80 + 1, 150 + 1, 150 + 1, 150 + 1, 150 + 1, 100 + 1, 102 + 1, 2 * 3 + 1, 2 * 3 + 1};
  seen.weights = {1, 0, 1, 0, 0.5f, 0.5f, 0.5f, 0.5f, 1, 0};
  seen.values = {0, 0, 0, 0, 0}, seen.variances = {0.1f, 0.1f, 0.3f, 0.1f, 0.1f};
  std::vector<float> const off{1, 2, 4, -1, 3};
  auto const fields = spread_out(where, 2, seen, off, {});
  REQUIRE(fields.departures.size() == 288);
  CHECK(fields.departures[81] == Approx(1).epsilon(1e-5));
  CHECK(fields.departures[151] == Approx(2.5).epsilon(1e-5));  // by variances: (3 * 2 + 4) / 4
  CHECK(fields.departures[7] == Approx(3).epsilon(1e-5));
  CHECK(fields.departures[1] == Approx(3).epsilon(1e-5));  // all of the pole is one place
  CHECK((fields.mask[81] == 1 && fields.mask[151] == 1 && fields.mask[1] == 1));
  CHECK(fields.mask[101] == Approx(fields.mask[103]).epsilon(1e-5));
  CHECK((fields.mask[101] > 0.5f && fields.mask[101] < 1));
  for (std::size_t i = 0; i < 288; ++i) {
    if (i % 2 == 0) CHECK((fields.departures[i] == 0 && fields.mask[i] == 0));  // a channel that nobody saw
    CHECK((fields.mask[i] >= 0 && fields.mask[i] <= 1));
  }
  CHECK(fields.departures[287] == 0);  // the other pole is farther than kriging reaches
  seen.weights[1] = -0.5f;
  CHECK_THROWS_AS(spread_out(where, 2, seen, off, {}), sda::error);
}
