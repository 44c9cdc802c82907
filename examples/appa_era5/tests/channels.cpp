// SPDX-License-Identifier: Apache-2.0
#include <golden.hpp>

#include "data/channels.hpp"

using namespace appa;

TEST_CASE("the published channels stand where the published configurations look for them") {
  auto const all = published_channels();
  CHECK(all.size() == 71);
  CHECK(published_channels(levels_37()).size() == 191);
  CHECK(all.index_of({"total_precipitation"}) == 5);
  CHECK(all.index_of({"temperature", 850}) == 16);
  CHECK(all.index_of({"geopotential", 500}) == 52);
  CHECK(all.index_of({"geopotential", 850}) == 55);
  CHECK(all.index_of({"specific_humidity", 700}) == 67);
  CHECK(all.index_of({"temperature", 875}) == -1);
  CHECK(index_t(all.list().size()) == all.size());
}

TEST_CASE("channels are chosen by long or short names, and wrong choices are named") {
  auto const few = select_channels({"z", "2m_temperature", "u"}, {850, 500});
  CHECK(few.surface == std::vector<std::string>{"2m_temperature"});
  CHECK(few.atmosphere == std::vector<std::string>{"geopotential", "u_component_of_wind"});
  CHECK(few.levels == std::vector{500, 850});
  CHECK_THROWS_WITH(select_channels({"potential_vorticity"}, {500}), Catch::Contains("there is no variable potential_vorticity"));
  CHECK_THROWS_WITH(select_channels({"z", "geopotential"}, {500}), Catch::Contains("geopotential is asked for twice"));
  CHECK_THROWS_WITH(select_channels({"z"}, {500, 500}), Catch::Contains("twice"));
  CHECK_THROWS_WITH(select_channels({"z"}, {}), Catch::Contains("needs pressure levels"));
}

TEST_CASE("golden encodings: level weights") {
  auto const files = sda_test::golden_files("observations_encodings");
  if (files.empty()) SDA_SKIP("no observations_encodings_* reference values");
  for (auto const& file : files) {
    sda_test::golden const g(file);
    for (auto const& levels : {levels_13(), levels_37()})
      for (auto const scale : {level_scale::sum, level_scale::mean}) {
        std::string const stored = "outputs/level_weights_" + std::to_string(levels.size()) + (scale == level_scale::sum ? "_sum" : "_mean");
        auto const weights = level_weights(published_channels(levels), scale);
        auto const expected = g[stored].as<double>();
        REQUIRE(expected.size() == weights.size());
        INFO(stored);
        for (std::size_t i = 0; i < weights.size(); ++i) CHECK(weights[i] == Approx(expected[i]).epsilon(1e-7));   // they were stored as floats
      }
  }
}
