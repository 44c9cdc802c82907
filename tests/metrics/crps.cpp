// SPDX-License-Identifier: Apache-2.0
#include <sda/metrics/crps.hpp>
#include <sda_test.hpp>

using namespace sda;
using sda_test::normals;
using state = host_array<double>;

namespace {

std::vector<double> numbers(state const& x) { return {x.data(), x.data() + x.size()}; }
double mean(std::vector<double> const& x) { return weighted_mean(x); }

}  // namespace

TEST_CASE("crps equals the sum over all pairs") {
  for (index_t const members : {2, 5, 17}) {
    state const x = normals(members, 9, key{1}), y = normals(1, 9, key{2});
    auto const fair = crps(to_host(x), numbers(y)), standard = crps(to_host(x), numbers(y), crps_kind::standard);
    for (index_t c = 0; c < 9; ++c) {
      double const skill = (x.col(c) - y(0, c)).abs().mean();
      double pairs = 0;
      for (index_t i = 0; i < members; ++i) pairs += (x.col(c) - x(i, c)).abs().sum();
      double const m = double(members);
      CHECK(fair[std::size_t(c)] == Approx(skill - pairs / (2 * m * (m - 1))).epsilon(1e-13).margin(1e-14));
      CHECK(standard[std::size_t(c)] == Approx(skill - pairs / (2 * m * m)).epsilon(1e-13).margin(1e-14));
    }
  }
}

TEST_CASE("crps keeps its digits far from zero") {
  // temperatures in kelvin that differ by a millionth
  CHECK(crps({2, 1, {300, 300 + 1e-6}}, std::vector<double>{300}, crps_kind::standard)[0] == Approx(0.25e-6).epsilon(1e-6));
}

TEST_CASE("the crps of one member is its absolute error, and has no fair form") {
  host_table const one{1, 2, {3, -1}};
  CHECK(crps(one, std::vector<double>{1, 1}, crps_kind::standard) == std::vector<double>{2, 2});
  CHECK_THROWS_AS(crps(one, std::vector<double>{1, 1}), error);
}

TEST_CASE("the fair crps of small Gaussian ensembles has the closed form as its mean") {
  index_t const cases = 200000;
  for (double const y : {0.0, 1.3, -4.0}) {
    double const expected = crps_gaussian(1, 2, y);
    state const x = 1 + 2 * normals(3, cases, key{4});
    double const found = mean(crps(to_host(x), std::vector<double>(std::size_t(cases), y)));
    CHECK(found == Approx(expected).margin(0.015));  // one score deviates by about 1.2, their mean by 0.003
  }
  CHECK(crps_gaussian(0, 1, 0) == Approx((std::sqrt(2.0) - 1) / std::sqrt(std::numbers::pi)).epsilon(1e-14));
  CHECK(crps_gaussian(2, 0, 5) == 3);
}

TEST_CASE("crps refuses sizes that do not fit") {
  CHECK_THROWS_AS(crps({2, 3, {1, 2, 3, 4, 5, 6}}, std::vector<double>{1, 2}), error);
  CHECK_THROWS_AS(crps({2, 3, {1, 2}}, std::vector<double>{1, 2, 3}), error);
}
