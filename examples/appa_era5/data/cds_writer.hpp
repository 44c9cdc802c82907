// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/channels.hpp"
#include "data/dates.hpp"
#include "data/grid.hpp"

#include <sda/netcdf.hpp>

#include <span>
#include <string>
#include <vector>

namespace appa {

/// What a file written like those of the Climate Data Store (since 2024) holds.
struct cds_contents {
  grid where;
  std::vector<std::string> variables;   // long names, all on the levels or, if there are none, all without
  std::vector<int> levels;              // hPa
  index_t times = 0;
  std::string history, comment;
  int deflate = 1;
};

/// Writes a file as the Climate Data Store does: netCDF-4 with valid_time in seconds, pressure_level falling, latitude from the north,
/// scalar `number`, text `expver`, GRIB attributes, missing values NaN. It has its name only when complete.
class cds_writer {
 public:
  cds_writer(std::string path, cds_contents what);
  ~cds_writer();
  cds_writer(cds_writer const&) = delete;

  /// The next hour: variables x levels (ascending, as in a state) x points numbers.
  void append(hours t, std::span<float const> fields);
  /// sda::error unless all times were appended.
  void commit();

 private:
  std::string path_, temporary_;
  cds_contents what_;
  sda::netcdf::handle file_;
  std::vector<int> variables_;
  int time_ = -1, version_ = -1;
  index_t written_ = 0;
  bool committed_ = false;

  template <class... T> void check(int status, T const&... what) const;
  void put_text(int v, char const* name, std::string const& value);
  int define_axis(char const* name, nc_type type, std::vector<int> const& over, std::vector<std::pair<char const*, std::string>> const& about);
  void define_fields(std::vector<int> const& over);
  void define();
};

}  // namespace appa
