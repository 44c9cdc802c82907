// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/era5_file.hpp"

#include <list>
#include <memory>

namespace appa {

/// The files that patterns (`data/*.nc`, names, folders that are Zarr stores) stand for, sorted; sda::error if one stands for none.
std::vector<std::string> expand(std::vector<std::string> const& patterns);

/// Chosen channels of many files, as one series of hours: a file may hold one variable or all, one level or all, a month or a year.
/// Where two files hold the same hour, the first in order counts. Any number of threads may read.
class archive {
 public:
  /// Opens every file once; sda::error, naming the channel, if none has it, or if the grids differ.
  archive(std::vector<std::string> const& patterns, channel_set channels, index_t member = 0);

  channel_set const& channels() const { return channels_; }
  grid const& where() const { return grid_; }
  /// The hours at which all channels are there, in order.
  std::vector<hours> const& times() const { return times_; }
  bool has(hours t) const;

  /// `count` states from `first`, `step` hours apart: count x channels x points numbers. sda::error naming the first hour that is missing.
  void read(hours first, index_t count, int step, float* out) const;

  /// The hours of a period, every `step` from its first, that are missing: as spans, and in words ("" if none is).
  std::vector<period> missing(period const& p, int step = 1) const;
  std::string report(period const& p, int step = 1) const;

 private:
  struct place {
    hours time;
    int file;
    index_t index;   // among the file's times
  };
  /// Channels of one variable that the same files hold, read together.
  struct group {
    std::string variable;
    std::vector<int> levels;              // hPa; empty for a field without
    index_t first_channel;
    std::vector<place> places;            // by time; one, of any time, for a constant
    bool constant = false;
  };
  struct known_file {
    std::string path;
    std::vector<hours> times;
    std::vector<double> levels;
    std::map<std::string, std::pair<bool, bool>> variables;   // has levels, depends on time
  };

  channel_set channels_;
  index_t member_;
  grid grid_;
  std::vector<known_file> files_;
  std::vector<group> groups_;
  std::vector<hours> times_;
  mutable std::list<std::pair<int, std::unique_ptr<era5_file>>> open_;   // the last used first

  void scan(std::vector<std::string> const& paths);
  void group_channels();
  std::vector<int> holders_of(channel const& c) const;
  void list_times();
  era5_file const& opened(int file) const;
  place const& find(group const& g, hours t) const;
};

}  // namespace appa
