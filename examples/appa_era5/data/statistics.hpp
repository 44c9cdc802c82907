// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/archive.hpp"

#include <functional>
#include <span>
#include <string>

namespace appa {

/// Mean and standard deviation of each channel, over time and space; missing values do not count.
struct statistics {
  channel_set channels;
  std::vector<double> mean, deviation;

  /// (x - mean) / deviation of states one after the other, channels x points numbers each; values that are missing stay NaN.
  void standardise(std::span<float> states, index_t points) const;
  /// ... and back.
  void restore(std::span<float> states, index_t points) const;
  /// Those of some of the channels; sda::error if one is not among them.
  statistics select(channel_set const& some) const;
};

struct statistics_options {
  period over = splits{}.train;
  int step = 1;              // hours
  bool area_weighted = false;  // else every grid point counts alike, as published
  std::function<void(index_t done, index_t all)> progress = {};
};
/// One pass over the hours of a period that the archive has; sda::error if there is none, or a channel never has a value.
statistics compute_statistics(archive const& data, statistics_options const& o);

/// One NetCDF file: t2m_mean, t2m_std, t_mean(level), t_std(level), ... and where they came from.
void write_statistics(std::string const& path, statistics const& s, std::string const& source, std::string const& command);
statistics read_statistics(std::string const& path, channel_set const& channels);

}  // namespace appa
