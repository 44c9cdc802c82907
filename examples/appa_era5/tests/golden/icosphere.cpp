// SPDX-License-Identifier: Apache-2.0
#include <golden.hpp>

#include "network/icosphere.hpp"

using namespace appa;

TEST_CASE("golden: vertices, edges and relabelled edges of icospheres") {
  auto const files = sda_test::golden_files("observations_encodings");
  if (files.empty()) SDA_SKIP("no observations_encodings* reference values");
  for (auto const& path : files) {
    sda_test::golden const file(path);
    for (int const n : {0, 1}) {
      icosphere const sphere(n);
      auto const name = "outputs/icosphere_" + std::to_string(n) + "_";
      auto const places = file[name + "vertices_latlon"].as<double>();
      REQUIRE(places.size() == 2 * sphere.vertices().size());
      for (std::size_t v = 0; v < sphere.vertices().size(); ++v)
        CHECK(distance(sphere.vertices()[v], on_sphere(places[2 * v], places[2 * v + 1])) < 1e-12);
      auto const sorted = [&](std::vector<edge> const& edges) {
        std::vector<std::int64_t> out;
        for (auto const& [query, key] : edges) out.push_back(query * std::ssize(sphere.vertices()) + key);
        return out;
      };
      CHECK(sphere.first_visits() == file[name + "relabelling"].as<std::int64_t>());
      CHECK(sorted(sphere.multi_mesh()) == file[name + "edges_sorted"].as<std::int64_t>());
      CHECK(sorted(sphere.relabelled_multi_mesh()) == file[name + "edges_relabelled_sorted"].as<std::int64_t>());
    }
    for (auto const& [n, hops] : {std::pair{2, 1}, {2, 2}, {3, 1}, {3, 2}, {3, 3}}) {
      auto const v = icosphere(n).vertices();
      auto const count = file["outputs/icosphere_" + std::to_string(n) + "_" + std::to_string(hops) + "hop_edge_count_with_slack"].as<std::int64_t>();
      CHECK(std::ssize(edges_within(v, v, hop_radius(v, hops))) == count.at(0));
    }
  }
}
