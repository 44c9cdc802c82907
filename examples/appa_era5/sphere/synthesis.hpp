// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sphere/weather.hpp"

#include <filesystem>
#include <functional>

namespace appa {

struct synthesis_settings {
  std::filesystem::path folder;
  period over = parse_period("2019-01");
  grid where = parse_grid("64x33");
  channel_set channels = published_channels();
  bool context = false, daily = false;   // files of a day each, else of a month
  int spin_up = 60, deflate = 0;         // days; zlib level: 1 takes a third off the files and three times as long
  atmosphere_settings model;
  std::uint64_t seed = 0;
  std::string command;
  std::function<void(hours done, hours all)> progress = {};
};

/// Writes the weather of a period, hour by hour, as files like those of the Climate Data Store: single-levels-2019-01.nc,
/// pressure-levels-2019-01.nc and, with the context, invariant.nc. Files that are complete stay: a run that was stopped goes on from
/// the model's memory in model.memory, and ends with the same numbers. sda::error if the folder holds another run's.
void synthesize(synthesis_settings const& s);

}  // namespace appa
