// SPDX-License-Identifier: Apache-2.0
#include <sda/metrics/latitude_weights.hpp>
#include <sda/metrics/spread_skill.hpp>
#include <sda_test.hpp>

using namespace sda;
using sda_test::normals;
using state = host_array<double>;

namespace {

std::vector<double> numbers(state const& x) { return {x.data(), x.data() + x.size()}; }
double mean(std::vector<double> const& x) { return weighted_mean(x); }

}  // namespace

TEST_CASE("to_host keeps rows as members, of any element type") {
  host_array<float> const x = normals<float>(3, 5, key{1});
  host_table const e = to_host(x);
  CHECK((e.members == 3 && e.columns == 5));
  CHECK(e(2, 4) == double(x(2, 4)));
}

TEST_CASE("a weighted mean ignores what has no weight, and needs some") {
  double const nan = std::nan("");
  CHECK(weighted_mean(std::vector<double>{1, nan, 4}, std::vector<double>{2, 0, 1}) == 2);
  CHECK_THROWS_AS(weighted_mean(std::vector<double>{1, 2}, std::vector<double>{0, 0}), error);
  CHECK_THROWS_AS(weighted_mean(std::vector<double>{1, 2}, std::vector<double>{1, -1}), error);
  CHECK_THROWS_AS(weighted_mean(std::vector<double>{1, 2}, std::vector<double>{1}), error);
}

TEST_CASE("rmse is the root of the weighted mean square") {
  CHECK(rmse(std::vector<double>{1, 2}, std::vector<double>{4, 6}) == Approx(std::sqrt(12.5)).epsilon(1e-15));
  CHECK(rmse(std::vector<double>{1, 2}, std::vector<double>{4, 6}, std::vector<double>{0, 1}) == 4);
  CHECK(rmse(host_table{2, 1, {1, 5}}, std::vector<double>{4}) == 1);
}

TEST_CASE("spread matches skill for calibrated ensembles of any size") {
  for (index_t const members : {2, 10}) {
    index_t const cases = 40000;
    state const x = normals(members, cases, key{1}), y = normals(1, cases, key{2});
    spread_skill s;
    s.add(to_host(x), numbers(y));
    CHECK(s.spread() == Approx(1).margin(0.02));  // each of the two deviates by less than √(2 / cases) / √2 = 0.005
    CHECK(s.skill() == Approx(std::sqrt(1 + 1.0 / double(members))).margin(0.025));
    CHECK(s.ratio() == Approx(1).margin(0.03));
  }
}

TEST_CASE("spread and skill average squares over cases and root last") {
  spread_skill s;
  CHECK_THROWS_AS(s.spread(), error);
  s.add({2, 1, {0, 2}}, std::vector<double>{1});                           // variance 2, error 0
  s.add({2, 1, {5, 5}}, std::vector<double>{11}, std::vector<double>{3});  // variance 0, squared error 36
  CHECK(s.cases() == 2);
  CHECK(s.spread() == Approx(1).epsilon(1e-15));
  CHECK(s.skill() == Approx(std::sqrt(18.0)).epsilon(1e-15));
  CHECK(s.ratio() == Approx(std::sqrt(1.5 / 18)).epsilon(1e-15));
  CHECK_THROWS_AS(s.add({3, 1, {0, 2, 4}}, std::vector<double>{1}), error);
  CHECK_THROWS_AS(s.add({1, 1, {0}}, std::vector<double>{1}), error);
}

TEST_CASE("latitude weights are band areas with mean 1, whichever pole comes first") {
  std::vector<double> const north{90, 45, 0, -45, -90}, south{-90, -45, 0, 45, 90};
  auto const w = latitude_weights(north);
  CHECK(w == latitude_weights(south));
  CHECK(mean(w) == Approx(1).epsilon(1e-15));
  CHECK(w[2] == Approx(5 * std::sin(std::numbers::pi / 8)).epsilon(1e-14));
  std::vector<double> quarter(721);  // the grid of ERA5
  for (int i = 0; i < 721; ++i) quarter[std::size_t(i)] = 90 - 0.25 * i;
  auto const era = latitude_weights(quarter);
  double const half_cell = 0.125 * std::numbers::pi / 180;
  CHECK(era[0] / era[360] == Approx(std::tan(half_cell / 2) / 2).epsilon(1e-9));  // 1 - cos cancels 6 digits
  CHECK_THROWS_AS(latitude_weights(std::vector<double>{10, 20, 15}), error);
  CHECK_THROWS_AS(latitude_weights(std::vector<double>{10}), error);
}

TEST_CASE("an error needs a truth of the same size") {
  CHECK_THROWS_AS(rmse(host_table{2, 3, {1, 2, 3, 4, 5, 6}}, std::vector<double>{1, 2}), error);
}
