// SPDX-License-Identifier: Apache-2.0
#include <sda/observation/kriging.hpp>

#include <dense.hpp>
#include <sda_test.hpp>

using namespace sda;
using namespace sda_test;

namespace {

std::vector<place> scattered(index_t n, key k) {  // evenly over the sphere
  std::vector<place> out;
  for (index_t i = 0; i < n; ++i) out.push_back({std::asin(2 * uniform(k, i, 0) - 1) * 180 / std::numbers::pi, 360 * uniform(k, i, 1)});
  return out;
}

}  // namespace

TEST_CASE("great circles have the lengths that spherical geometry says") {
  double const quarter = earth_radius * std::numbers::pi / 2;
  CHECK(great_circle({0, 0}, {0, 90}) == Approx(quarter));
  CHECK(great_circle({90, 17}, {0, 200}) == Approx(quarter));
  CHECK(great_circle({0, 10}, {0, 190}) == Approx(2 * quarter));
  CHECK(great_circle({60, 0}, {60, 180}) == Approx(2 * quarter / 3));
  CHECK(great_circle({10, 359.5}, {10, -0.5}) <= 1e-9);
  CHECK(great_circle({0, 0}, {0, 1e-9}) == Approx(earth_radius * 1e-9 * std::numbers::pi / 180).epsilon(1e-6));
}

TEST_CASE("the nearest stations are those that a look at all of them finds, across the date line and the poles") {
  auto const stations = scattered(300, key{1});
  nearest_stations const near(stations);
  std::vector<place> targets = scattered(50, key{2});
  targets.push_back({90, 0}), targets.push_back({-90, 5}), targets.push_back({0, 0.01}), targets.push_back({5, 359.99});
  for (place const& t : targets) {
    std::vector<nearest_stations::neighbour> all;
    for (std::size_t s = 0; s < stations.size(); ++s)
      if (double const d = great_circle(stations[s], t); d <= 3000) all.push_back({d, index_t(s)});
    std::sort(all.begin(), all.end());
    all.resize(std::min(all.size(), std::size_t(9)));
    CHECK(near(t, 9, 3000) == all);
  }
}

TEST_CASE("kriging gives the stations their values, and everything in reach their common value where the mean is unknown") {
  auto const stations = scattered(400, key{3});
  array const like, values = normals(2, 400, key{4});
  for (bool const unknown_mean : {false, true}) {
    interpolating const back(like, kriging{.reach = 5000, .unknown_mean = unknown_mean}(stations, stations), 400);
    CHECK(distance(back(values), values) <= 1e-12);
  }
  auto const targets = scattered(100, key{5});
  interpolating const ordinary(like, kriging{.reach = 5000, .unknown_mean = true}(stations, targets), 400);
  CHECK(distance(ordinary(array::Constant(1, 400, 7.0)), array::Constant(1, 100, 7.0)) <= 1e-12);
  interpolating const nowhere(like, kriging{.reach = 1e-3}(stations, targets), 400);
  CHECK((nowhere(values) == 0).all());
}

TEST_CASE("kriging is the conditional mean of a Gaussian field seen with errors") {
  auto const stations = scattered(12, key{6}), targets = scattered(30, key{7});
  auto const covariance = [](std::vector<place> const& a, std::vector<place> const& b) {
    matrix c(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i)
      for (std::size_t j = 0; j < b.size(); ++j) c(index_t(i), index_t(j)) = std::exp(-great_circle(a[i], b[j]) / 3000);
    return c;
  };
  array const y = normals(1, 12, key{8});
  matrix const gain = covariance(targets, stations) * (covariance(stations, stations) + .3 * matrix::Identity(12, 12)).inverse();
  interpolating const op(y, kriging{.length = 3000, .neighbours = 12, .reach = 3e4, .nugget = .3}(stations, targets), 12);
  CHECK(distance(op(y), to_rows(y.matrix() * gain.transpose())) <= 1e-12);
}

TEST_CASE("fields are spread each on its own, and the soft mask is one at the stations") {
  auto const stations = scattered(40, key{9}), targets = scattered(60, key{10});
  auto const one = kriging{.reach = 9000}(stations, targets);
  array const y = normals(2, 120, key{11});
  array const together = interpolating(y, for_fields(one, 40, 3), 120)(y);
  for (index_t f = 0; f < 3; ++f) CHECK((together.middleCols(60 * f, 60) == interpolating(y, one, 40)(array(y.middleCols(40 * f, 40)))).all());
  CHECK((soft_mask(y, stations, stations, 150, 2) == 1).all());
  array const mask = soft_mask(y, stations, targets, 1500);
  for (std::size_t t = 0; t < targets.size(); ++t) {
    double nearest = 1e9;
    for (place const& s : stations) nearest = std::min(nearest, great_circle(s, targets[t]));
    CHECK(mask(0, index_t(t)) == Approx(std::exp(-nearest * nearest / 2 / 1500 / 1500)).margin(1.6e-8));
  }
}

TEST_CASE("kriging refuses what has no answer, with the numbers") {
  std::vector<place> const twice{{10, 20}, {10, 20}}, beyond{{91, 0}};
  CHECK_THROWS_WITH(kriging{}(twice, twice), Catch::Contains("are at one place"));
  CHECK_THROWS_WITH(kriging{}(beyond, twice), Catch::Contains("latitude 91"));
  CHECK_THROWS_WITH(kriging{.length = 0}(twice, twice), Catch::Contains("length 0"));
}
