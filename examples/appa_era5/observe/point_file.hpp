// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "observe/observations.hpp"

#include <map>
#include <optional>

namespace appa {

/// An observation out of a file. A level is 0 where the variable has none; an error that the file does not give is NaN.
struct timed_report : report {
  std::int64_t seconds = 0;   // since 1970-01-01T00
  std::int64_t platform = 0;  // which station, sonde, ship: those of one number belong together

  /// The nearest full hour; half past belongs to the next.
  hours hour() const { return hours((seconds + 1800 + (std::int64_t{1} << 40) * 3600) / 3600 - (std::int64_t{1} << 40)); }
};

/// What could not be used: how many for each reason, and where the first of them was.
struct intake {
  struct loss {
    index_t count = 0;
    std::string first;
  };
  index_t read = 0;
  std::map<std::string, loss> lost;

  void lose(std::string const& why, std::string const& where, index_t count = 1);
  index_t usable() const;
  /// "1200 observations, 1150 of them usable; 50 off the grid (first: line 17)"
  std::string text() const;
};

struct point_file {
  std::vector<timed_report> reports;
  intake count;
};

/// Observations at points, from
/// * CSV with a line of names: time, latitude (or lat), longitude (or lon), variable, value; and perhaps level (hPa, or "level(Pa)"), error (a
///   standard deviation), units, platform (or station, id); in any order and case. Lines that make no sense are counted, with their number;
/// * NetCDF of CF's discrete sampling geometries (point, time series, profiles, trajectories; one array, contiguous or indexed ragged), the
///   variables known by standard_name or name, their errors by ancillary_variables or as NAME_error; or `variable` (numbers that flag_meanings
///   explains) beside `value` and perhaps `error` and `flag`, as `write_observations` has it.
/// Values come in ERA5's units: degC, hPa, knots, g/kg, mm, and geopotential heights in m are converted; others are counted as lost.
/// sda::error if the file cannot be read, or lacks what has to be there.
point_file read_points(std::string const& path, int from = 0);

/// From a unit to that of a variable: y = scale x + offset. None if it is not known how.
struct conversion {
  double scale = 1, offset = 0;
};
std::optional<conversion> to_units_of(variable const& what, std::string const& unit);

/// Seconds since 1970-01-01T00 of 2020-02-29, 2020-02-29T06, 2020-02-29 06:13, 2020-02-29T06:13:20.5Z; none of other words.
std::optional<std::int64_t> parse_seconds(std::string const& words);

}  // namespace appa
