// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>

#include "network/icosphere.hpp"

using namespace appa;

namespace {

std::vector<point> grid(int latitudes, int longitudes) {
  std::vector<point> out;
  for (int i = 0; i < latitudes; ++i)
    for (int j = 0; j < longitudes; ++j) out.push_back(on_sphere(90 - 180. * i / (latitudes - 1), 360. * j / longitudes));
  return out;
}

}  // namespace

TEST_CASE("an icosphere has 10 4^n + 2 vertices on the unit sphere, and its multi-mesh the sides of all divisions both ways") {
  std::int64_t const sides[] = {60, 300, 1260, 5100, 20460, 81900, 327660};
  for (int n = 0; n <= 6; ++n) {
    icosphere const sphere(n);
    auto const& v = sphere.vertices();
    CHECK(std::ssize(v) == 10 * (std::int64_t(1) << 2 * n) + 2);
    CHECK(std::ssize(sphere.multi_mesh()) == sides[n] + std::ssize(v));
    for (auto const& p : v) REQUIRE(std::abs(distance(p, {0, 0, 0}) - 1) < 1e-14);
  }
}

TEST_CASE("rings of neighbours hold as many edges as published") {
  auto const v = icosphere(3).vertices(), coarse = icosphere(2).vertices();
  CHECK(edges_within(v, v, hop_radius(v, 1)).size() == 4482);
  CHECK(edges_within(v, v, hop_radius(v, 2)).size() == 12582);
  CHECK(edges_within(v, v, hop_radius(v, 3)).size() == 24582);
  CHECK(edges_within(coarse, v, hop_radius(coarse, 1)).size() == 3042);  // published as 3038: rounding took four
}

TEST_CASE("a search finds what looking at all points finds") {
  auto const queries = icosphere(2).vertices(), keys = grid(19, 36);
  double const chord = area_radius(queries.size(), 1.2);
  std::vector<edge> expected;
  for (std::int64_t q = 0; q < std::ssize(queries); ++q)
    for (std::int64_t k = 0; k < std::ssize(keys); ++k)
      if (distance(queries[std::size_t(q)], keys[std::size_t(k)]) <= chord * rounding_slack) expected.push_back({q, k});
  CHECK((edges_within(queries, keys, chord) == expected));  // glog, where LibTorch has it, would print vectors of anything

  auto const nearest = nearest_keys(keys, queries);
  for (std::size_t k = 0; k < keys.size(); ++k)
    for (auto const& q : queries) REQUIRE(distance(keys[k], queries[std::size_t(nearest[k])]) <= distance(keys[k], q));
}

TEST_CASE("areas that leave holes, and more rings than a sphere has, are errors") {
  CHECK_THROWS_AS(area_radius(162, 1.1), sda::error);
  CHECK_THROWS_AS(hop_radius(icosphere(0).vertices(), 3), sda::error);
  CHECK_THROWS_AS(icosphere(-1), sda::error);
}
