// SPDX-License-Identifier: Apache-2.0
#include <golden.hpp>
#include <temporary.hpp>

#include "observe/stations.hpp"

#include <fstream>
#include <numeric>
#include <set>

using namespace appa;
using sda_test::golden;

TEST_CASE("golden orbits: tracks, and swaths on the quarter-degree grid") {
  auto const files = sda_test::golden_files("observations_orbits");
  if (files.empty()) SDA_SKIP("no observations_orbits_* reference values");
  grid const g = parse_grid("1440x721");
  for (auto const& file : files) {
    golden const stored(file);
    for (auto const& [name, about] : stored.config.at("configurations").items()) {
      INFO(name);
      orbit const o{about.at("orbital_altitude"), about.at("inclination"), about.at("initial_phase"), about.at("obs_freq"), about.at("fov"), about.at("delay")};
      int const duration = about.at("observation_time"), dt = about.value("trajectory_dt", 1);
      auto const track = stored["outputs/" + name + "/orbit"].as<double>();
      double worst = 0;
      std::size_t at = 0;
      for (int hour = 0; hour < duration; ++hour)
        for (auto const& p : o.track(hour)) {
          worst = std::max(worst, std::abs(p.latitude - track[at++]));
          worst = std::max(worst, std::abs(std::remainder(p.longitude - track[at++], 360.0)));
        }
      CHECK(worst < 1e-9 * 180);

      auto const counts = stored["outputs/" + name + "/counts"].as<std::int64_t>(), sums = stored["outputs/" + name + "/index_sums"].as<std::int64_t>();
      std::set<index_t> all;
      for (std::size_t i = 0; i < counts.size(); ++i) {   // of intervals of dt hours the last hour is kept
        auto const seen = o.swath(g, int(i) * dt + dt - 1);
        CHECK(std::abs(index_t(seen.size()) - counts[i]) <= 2);
        if (index_t(seen.size()) == counts[i]) CHECK(std::abs(std::accumulate(seen.begin(), seen.end(), index_t{0}) - sums[i]) <= 2 * g.points());
        all.insert(seen.begin(), seen.end());
        std::string const indices = "outputs/" + name + "/indices_" + std::to_string(i);
        if (!stored.contains(indices)) continue;
        auto const expected = stored[indices].as<index_t>();
        std::vector<index_t> apart;
        std::set_symmetric_difference(seen.begin(), seen.end(), expected.begin(), expected.end(), std::back_inserter(apart));
        CHECK(apart.size() <= 2);
      }
      CHECK(std::abs(double(all.size()) - stored.number("outputs/" + name + "/union_count")) <= 2.0 * double(counts.size()));
    }
  }
}

TEST_CASE("golden encodings: stations on the quarter-degree grid") {
  auto const files = sda_test::golden_files("observations_encodings");
  if (files.empty()) SDA_SKIP("no observations_encodings_* reference values");
  grid const g = parse_grid("1440x721");
  for (auto const& file : files) {
    golden const stored(file);
    auto const places = stored["inputs/station_lat_lon"].as<double>();
    auto const each = stored["outputs/station_mask_per_station"].as<index_t>(), all = stored["outputs/station_mask_indices"].as<index_t>();
    std::vector<station> stations;
    for (std::size_t i = 0; i < places.size() / 2; ++i) {
      stations.push_back({{places[2 * i], places[2 * i + 1]}, 0});
      CHECK(nearest_point(g, stations.back().where, true) == each[i]);
    }
    CHECK(station_points(g, stations, true) == all);
  }
}

TEST_CASE("a swath is the points within the field of view, whatever the grid") {
  orbit const o;
  for (auto const* const words : {"64x33", "120x60"}) {
    grid const g = parse_grid(words);
    std::vector<index_t> expected;
    auto const at = [](double latitude, double longitude) {
      double const d = std::acos(-1) / 180;
      return std::array{std::cos(latitude * d) * std::cos(longitude * d), std::cos(latitude * d) * std::sin(longitude * d), std::sin(latitude * d)};
    };
    for (index_t i = 0; i < g.points(); ++i) {
      auto const a = at(g.latitudes[std::size_t(i / g.width())], g.longitudes[std::size_t(i % g.width())]);
      bool seen = false;
      for (auto const& p : o.track(3)) {
        auto const b = at(p.latitude, p.longitude);
        seen |= a[0] * b[0] + a[1] * b[1] + a[2] * b[2] >= std::cos(5 * std::acos(-1) / 180);
      }
      if (seen) expected.push_back(i);
    }
    CHECK(o.swath(g, 3) == expected);
  }
}

TEST_CASE("stations come from CSV and JSON, the seam is closed, and nonsense is counted") {
  sda_test::temporary_folder const tmp;
  grid const g = parse_grid("1440x721");
  std::string const csv = (tmp / "a.csv").string(), json = (tmp / "a.json").string();
  std::ofstream(csv) << "\"USAF\",\"NAME\",\"LAT\",\"LON\",\"ELEV(M)\"\r\n\"1\",\"Here, there\",\"+50.60\",\"+005.57\",\"+0181.0\"\r\n2,x,,,\r\n3,y,12,179.95,\r\ngarbage\n4,z,95,0,1\n";
  std::ofstream(json) << R"([{"lat": 50.6, "lon": "5.57", "elevation": 181}, {"lat": null}, 7])";
  index_t skipped = 0;
  auto const stations = read_stations(csv, &skipped);
  CHECK((stations.size() == 2 && skipped == 3 && stations[0].elevation == 181 && std::isnan(stations[1].elevation)));
  auto const points = station_points(g, stations);
  CHECK(points == std::vector<index_t>{227542, 312 * 1440 + 720});
  CHECK((read_stations(json, &skipped).size() == 1 && skipped == 2));
  CHECK(station_points(g, read_stations(json)) == std::vector<index_t>{227542});
  std::ofstream(csv) << "a,b\n1,2\n";
  CHECK_THROWS_WITH(read_stations(csv), Catch::Contains("names no latitude"));
  std::ofstream(json) << "[{";
  CHECK_THROWS_WITH(read_stations(json), Catch::Contains("no JSON array"));
  CHECK_THROWS_WITH(read_stations((tmp / "none").string()), Catch::Contains("cannot read"));
}
