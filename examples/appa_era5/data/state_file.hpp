// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/channels.hpp"
#include "data/dates.hpp"
#include "data/grid.hpp"

#include <sda/netcdf.hpp>

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace appa {

/// What the numbers of a file of states are: fields, or over members their mean, their spread or a difference of means.
enum class quantity { field, mean, spread, increment };

/// What a file of states says of itself. There is no clock in it: a run writes the same bytes whenever it is done.
struct state_contents {
  grid where;
  channel_set channels;
  std::string title, source, history;       // CF's; history is the command line
  sda::netcdf::attributes about = {};       // more of the file: configuration, seed, checkpoints, ...
  quantity what = quantity::field;
  std::vector<char> sea = {};               // one a point: where it is 0 there is no temperature of the sea; none: it is everywhere
  int deflate = 1;
};

/// A trajectory in one CF file: t2m(time, latitude, longitude), t(time, pressure_level, latitude, longitude), ... in physical units, read
/// by era5_file, xarray, CDO. States are appended one by one; the file has its name only when complete.
class state_writer {
 public:
  state_writer(std::string const& path, state_contents what);

  /// The next state: channels x points numbers.
  void append(hours t, std::span<float const> state);
  void commit();

 private:
  state_contents what_;
  sda::netcdf::writer file_;

  void define();
};

/// Mean and spread (standard deviation, members - 1 below the sum) of members' files of the same channels and times, as many states at a
/// time as fit `memory` bytes. sda::error naming the file that differs.
void write_mean_and_spread(std::vector<std::string> const& members, std::string const& mean, std::string const& spread, state_contents const& as,
                           double memory = 2e9);
/// What one file holds minus what another does, at the times of the first that the second has too. False if there are none.
bool write_difference(std::string const& of, std::string const& minus, std::string const& to, state_contents const& as);

}  // namespace appa
