// SPDX-License-Identifier: Apache-2.0
#include <golden.hpp>
#include <temporary.hpp>

#include "data/state_file.hpp"
#include "evaluate/report.hpp"

#include <fstream>
#include <numeric>

using namespace appa;
using sda_test::distance;
using sda_test::normals;
using state = sda::host_array<double>;

namespace {

sda::host_table table(state const& x) { return {x.rows(), x.cols(), {x.data(), x.data() + x.size()}}; }
std::vector<double> row(state const& x, index_t i = 0) { return {x.data() + i * x.cols(), x.data() + (i + 1) * x.cols()}; }

}  // namespace

TEST_CASE("regions have the areas of their bands, and hemispheres and tropics make up the globe") {
  grid const g = parse_grid("64x33");
  std::vector<char> sea(std::size_t(g.points()), 1);
  for (std::size_t i = 0; i < sea.size(); i += 3) sea[i] = 0;
  auto const regions = regions_of(g, sea);
  auto const area = [](region const& r) { return std::accumulate(r.weights.begin(), r.weights.end(), 0.0); };
  REQUIRE(regions.size() == 5);
  CHECK(area(regions[0]) == Approx(double(g.points())));
  CHECK(area(regions[1]) + area(regions[2]) + area(regions[3]) == Approx(area(regions[0])));
  CHECK(area(regions[1]) / area(regions[0]) == Approx(std::sin(19.6875 * std::numbers::pi / 180)).epsilon(0.01));   // rows at 0 ... 16.9, edges half way
  CHECK(area(regions[2]) == Approx(area(regions[3])));
  CHECK(area(regions[4]) == Approx(area(regions[0]) * 2 / 3).epsilon(0.02));
  CHECK(regions_of(g).size() == 4);
}

TEST_CASE("the scores of a calibrated Gaussian ensemble are those of theory") {
  grid const g = parse_grid("240x121");
  index_t const n = 10, points = g.points();
  auto const regions = regions_of(g);
  score_table scores(n, 1, 1, index_t(regions.size()));
  for (int c = 0; c < 4; ++c) {
    state const signal = normals(1, points, sda::key{7}.fold(std::uint64_t(c))), truth = signal + normals(1, points, sda::key{8}.fold(std::uint64_t(c)));
    state members = normals(n, points, sda::key{9}.fold(std::uint64_t(c)));
    members.rowwise() += signal.row(0);
    std::vector<double> const climate(std::size_t(points), 0.0);
    scores.begin_case();
    scores.put(0, 0, area_means(table(members), row(truth), climate, regions));
    scores.rank(0, 0, table(members), row(truth), regions[0].weights, sda::key{10}.fold(std::uint64_t(c)));
  }
  auto const s = scores.at(0, 0, 0);   // about 60000 independent points count: a hundredth is five deviations
  CHECK(s.cases == 4);
  CHECK(s.ratio == Approx(1).epsilon(0.02));
  CHECK(s.spread == Approx(1).epsilon(0.01));
  CHECK(s.rmse == Approx(std::sqrt(1.1)).epsilon(0.02));
  CHECK(s.crps == Approx(std::numbers::inv_sqrtpi).epsilon(0.02));   // fair: that of N(0, 1), whatever the number of members
  CHECK(std::abs(s.bias) < 0.03);
  CHECK(s.correlation == Approx(1 / std::sqrt(1.1 * 2)).epsilon(0.02));
  auto const ranks = scores.ranks(-1, 0);
  double const total = double(std::accumulate(ranks.begin(), ranks.end(), index_t{0}));
  CHECK(total == Approx(4 * double(points) * 2 / std::numbers::pi).epsilon(0.02));   // the mean of a cosine
  for (index_t const r : ranks) CHECK(double(r) == Approx(total / 11).epsilon(0.06));
}

TEST_CASE("mirrored members that the truth is drawn with have a spread as large as their error, and the CRPS of N(0, 1)") {
  grid const g = parse_grid("240x121");
  index_t const n = 10, points = g.points();
  auto const regions = regions_of(g);
  score_table scores(n, 1, 1, index_t(regions.size()), true);
  for (std::uint64_t c = 0; c < 4; ++c) {
    state const signal = normals(1, points, sda::key{7}.fold(c)), truth = signal + normals(1, points, sda::key{8}.fold(c));
    state const half = normals(n / 2, points, sda::key{9}.fold(c));
    state members(n, points);
    for (index_t m = 0; m < n; ++m) members.row(m) = signal + (m % 2 ? -1 : 1) * half.row(m / 2);
    scores.begin_case();
    scores.put(0, 0, area_means(table(members), row(truth), {}, regions, true));
  }
  auto const s = scores.at(0, 0, 0);
  CHECK(s.ratio == Approx(1).epsilon(0.02));
  CHECK(s.spread == Approx(1).epsilon(0.01));
  CHECK(s.rmse == Approx(1).epsilon(0.02));
  CHECK(s.crps == Approx(std::numbers::inv_sqrtpi).epsilon(0.02));
}

TEST_CASE("points where anything is missing do not count, and a region without points has no score") {
  grid const g = parse_grid("8x5");
  std::size_t const n = std::size_t(g.points());
  auto const regions = regions_of(g);
  state members = normals(3, g.points(), sda::key{1}), truth = normals(1, g.points(), sda::key{2});
  auto cut = regions;
  for (auto& r : cut)
    for (std::size_t i = n / 2; i < n; ++i) r.weights[i] = 0;
  auto const expected = area_means(table(members), row(truth), {}, cut);
  for (std::size_t i = n / 2; i < n; ++i)
    if (i % 2) truth(0, index_t(i)) = std::nan("");
    else members(1, index_t(i)) = std::nan("");
  auto const found = area_means(table(members), row(truth), {}, regions);
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    if (std::isnan(expected[i])) CHECK(std::isnan(found[i]));
    else CHECK(found[i] == Approx(expected[i]));
  CHECK(std::isnan(found[3 * std::size_t(measures)]));   // nothing is left of the south
}

TEST_CASE("one member has the absolute error as its score, and no spread") {
  grid const g = parse_grid("8x5");
  state const member = normals(1, g.points(), sda::key{1}), truth = member + 2;
  score_table scores(1, 1, 1, 4);
  scores.begin_case();
  scores.put(0, 0, area_means(table(member), row(truth), {}, regions_of(g)));
  auto const s = scores.over_leads(0, 0);
  CHECK(s.rmse == Approx(2));
  CHECK(s.crps == Approx(2));
  CHECK(s.bias == Approx(-2));
  CHECK((std::isnan(s.spread) && std::isnan(s.ratio) && std::isnan(s.correlation)));
}

TEST_CASE("what runs wrote is scored by lead, over starts, and reported") {
  sda_test::temporary_folder const folder;
  grid const g = parse_grid("16x9");
  auto const channels = select_channels({"t2m", "sst", "t"}, {500, 850});
  hours const first = hours_of({2020, 1, 1, 0});
  // The truth is the hour; members are 1, 2 and 3 above it in the first start and 6 in the second, where one more state was assimilated.
  auto const write = [&](std::string const& path, hours from, index_t states, float above) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    state_writer out(path, {.where = g, .channels = channels, .title = "", .source = "", .history = ""});
    for (index_t i = 0; i < states; ++i) {
      std::vector<float> fields(std::size_t(channels.size() * g.points()), float(from - first + i) + above);
      for (index_t p = 0; p < 16 * 4; ++p) fields[std::size_t(g.points() + p)] = std::nanf("");   // land in the north
      out.append(from + i, fields);
    }
    out.commit();
  };
  std::string const truth = folder / "truth.nc", one = folder / "one", two = folder / "two";
  write(truth, first, 12, 0);
  for (int m = 1; m <= 3; ++m) {
    write(one + "/members/member_00" + std::to_string(m) + ".nc", first, 4, float(m));
    write(two + "/members/member_00" + std::to_string(m) + ".nc", first + 10, 4, 6);
  }
  std::ofstream(one + "/run.json") << R"({"task": "forecast", "assimilated": 2})";
  std::ofstream(two + "/run.json") << R"({"task": "forecast", "assimilated": 1})";
  reference against{std::make_shared<archive const>(std::vector{truth}, channels)};
  for (index_t p = 0; p < g.points(); ++p) against.sea.push_back(p >= 16 * 4);
  int asked = 0;
  against.seen = [&](trajectories const&, hours) {
    ++asked;
    std::vector<char> seen(std::size_t(channels.size() * g.points()));
    std::fill_n(seen.begin(), g.points(), 1);
    return seen;
  };
  auto const e = evaluate("forecast", {one, two}, against, {.physics_every = 1, .degrees = 3});
  CHECK(asked == 6);   // once an hour, not once a channel
  CHECK(e.leads == std::vector<hours>{-1, 0, 1, 2});
  CHECK(e.passed_over == 2);   // the second start goes on after the truth
  CHECK(e.regions == std::vector<std::string>{"global", "tropics", "north", "south", "ocean", "unobserved"});
  CHECK(e.scores.at(0, 0, 0).rmse == Approx(2));
  CHECK(e.scores.at(1, 0, 0).cases == 2);
  CHECK(e.scores.at(1, 0, 0).rmse == Approx(std::sqrt((4.0 + 36) / 2)));
  CHECK(e.scores.at(1, 0, 0).spread == Approx(std::sqrt(0.5)));
  CHECK(e.scores.at(3, 0, 0).rmse == Approx(2));
  CHECK((e.scores.at(0, 0, 5).cases == 0 && e.scores.at(0, 1, 5).cases == 1));
  CHECK((e.scores.at(0, 1, 2).cases == 0 && e.scores.at(0, 1, 4).cases == 1));   // no sea in the north
  CHECK(e.own.power->states() == 18);
  CHECK_THROWS_AS(evaluate("three", {one}, against, {.members = {4}}), sda::error);
  reference other{std::make_shared<archive const>(std::vector{truth}, select_channels({"t2m", "t"}, {850}))};
  CHECK(evaluate("fewer", {one}, other, {.physics_every = 0}).scores.channels() == 2);

  write_report(folder / "report", std::span(&e, 1), channels, {1, 1, 2, 2}, {truth, "", "", "a command"});
  std::ifstream in(folder / "report/report.json");
  auto const report = nlohmann::json::parse(in);
  auto const& t = report["methods"][0]["scores"]["global"]["t850"];
  CHECK(t["rmse"][1].get<double>() == Approx(std::sqrt(20.0)));
  CHECK(t["standardised_mse"][1].get<double>() == Approx(5));
  CHECK(report["methods"][0]["ranks"]["t2m"][0].get<int>() > 0);
  auto const told = tables(report);
  CHECK(told.find("| forecast |") != std::string::npos);
  CHECK(told.find("| t (K) |  | 3.24 | 3.24 |") != std::string::npos);   // (2 + √20 + √20 + 2) / 4 at both levels, and no surface
  CHECK(told.find("| t |  | 3.00 | 3.00 |") != std::string::npos);
  sda::netcdf::reader const scores((folder / "report/scores_forecast.nc").string());
  CHECK(scores.read("squared_error_of_mean").size() == 2 * 4 * 4 * 6);
}

TEST_CASE("golden metrics: scores by date, by lead and over leads") {
  auto const files = sda_test::golden_files("metrics_");
  if (files.empty()) SDA_SKIP("no metrics_* reference values");
  for (auto const& file : files) {
    sda_test::golden const g(file);
    index_t const members = g.config.at("ensemble_size"), dates = g.config.at("dates"), leads = g.config.at("lead_times");
    index_t const height = g.config.at("grid").at(0), width = g.config.at("grid").at(1), points = height * width;
    std::vector<char> sea;
    for (double const x : g["inputs/ocean_mask"].as<double>()) sea.push_back(x != 0);
    auto const all = regions_of(regular_grid(width, height, true), sea);
    std::vector<region> const regions{all.front(), all.back()};
    auto const ensemble = g["inputs/ensemble"].as<double>(), truth = g["inputs/truth"].as<double>();
    score_table scores(members, leads, 1, 2);
    for (index_t date = 0; date < dates; ++date) {
      scores.begin_case();
      for (index_t lead = 0; lead < leads; ++lead) {
        sda::host_table e{members, points, {}};
        for (index_t m = 0; m < members; ++m) {
          auto const first = ensemble.begin() + ((m * dates + date) * leads + lead) * points;
          e.values.insert(e.values.end(), first, first + points);
        }
        scores.put(lead, 0, area_means(e, std::span(truth).subspan(std::size_t((date * leads + lead) * points), std::size_t(points)), {}, regions));
      }
    }
    for (index_t r = 0; r < 2; ++r) {
      std::string const name = r == 0 ? "global" : "ocean";
      INFO(file << ": " << name);
      auto const same = [&](state const& value, std::string const& expected) {
        INFO(expected);
        CHECK(distance(value, g.array("outputs/" + name + "/" + expected)) < g.tolerance());
      };
      auto const by_date = [&](measure m) {
        state x(dates, leads);
        for (index_t date = 0; date < dates; ++date)
          for (index_t lead = 0; lead < leads; ++lead) x(date, lead) = scores(date, lead, 0, r, m);
        return x;
      };
      same(by_date(measure::crps), "crps");
      same(by_date(measure::crps_skill), "crps_skill");
      same(by_date(measure::crps_spread), "crps_spread");
      same(by_date(measure::variance), "ensemble_variance");
      same(by_date(measure::squared_error), "mean_squared_error_of_mean");
      state x(4, leads);
      for (index_t lead = 0; lead < leads; ++lead) {
        auto const s = scores.at(lead, 0, r);
        x.col(lead) << s.crps, s.rmse, s.spread, s.ratio;
      }
      same(x.row(0), "crps_mean");
      same(x.row(1), "skill");
      same(x.row(2), "spread");
      same(x.row(3), "spread_skill_ratio");
      auto const mean = scores.over_leads(0, r);
      same((state(1, 4) << mean.crps, mean.rmse, mean.spread, mean.ratio).finished(), "time_average");
    }
  }
}
