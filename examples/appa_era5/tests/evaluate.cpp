// SPDX-License-Identifier: Apache-2.0
#include <golden.hpp>

#include "evaluate/scores.hpp"

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
