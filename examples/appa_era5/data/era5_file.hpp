// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/axes.hpp"
#include "data/channels.hpp"
#include "data/dates.hpp"
#include "data/grid.hpp"

#include <sda/netcdf.hpp>

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace appa {

/// One NetCDF file of fields on a regular grid, whoever wrote it: either generation of the CDS, WeatherBench, NCAR, cfgrib; netCDF-3,
/// netCDF-4 or NCZarr (a folder); packed or not; any order of dimensions, latitudes, longitudes and levels. Axes are recognised by CF
/// attributes, else by name; variables by name, else by GRIB parameter number. Fields come in one order: north to south, east from 0.
class era5_file {
 public:
  /// sda::error if the axes of its fields cannot be recognised, saying what was looked for, and if HDF5 crashes where it opens the file.
  explicit era5_file(std::string const& path);

  std::string const& path() const { return path_; }
  grid const& where() const { return grid_; }
  std::vector<hours> const& times() const { return times_; }     // as stored; empty if nothing depends on time
  std::vector<double> const& levels() const { return levels_; }  // hPa, as stored; empty if there are none
  index_t members() const { return members_; }                   // 1 where there is no such axis

  /// The known variables it holds, by their long names.
  std::vector<std::string> variables() const;
  bool has(std::string const& variable) const { return fields_.count(variable) == 1; }
  bool has_levels(std::string const& variable) const { return field_of(variable).over(axis::level); }
  bool depends_on_time(std::string const& variable) const { return field_of(variable).over(axis::time); }

  /// Fields at `count` stored times from `first`, on the levels at these places (none for a field that has no levels): time by time,
  /// level by level, `where().points()` numbers each. Missing values are NaN.
  void read(std::string const& variable, index_t first, index_t count, std::span<index_t const> levels, index_t member, float* out) const;

 private:
  struct field {
    std::string stored;   // the name it has in the file
    std::vector<axis> axes;
    std::vector<index_t> sizes;   // slowest first
    bool over(axis a) const;
  };
  /// A block of stored places: times, levels, one member, one version.
  struct block {
    index_t first_time, times, first_level, levels, member, version;
  };

  std::string path_;
  std::unique_ptr<sda::netcdf::reader> file_;
  grid grid_;
  std::vector<hours> times_;
  std::vector<double> levels_;
  std::vector<index_t> rows_, columns_;     // where stored rows and columns belong
  index_t members_ = 1;
  std::vector<index_t> versions_ = {0};     // places along `expver`: ERA5 before ERA5T
  std::map<std::string, field> fields_;

  field const& field_of(std::string const& variable) const;
  std::vector<double> numbers_of(file_axes const& axes, axis which) const;
  void open();
  void find_fields(file_axes const& axes);
  void find_grid(file_axes const& axes);
  void find_times(file_axes const& axes);
  void find_levels(file_axes const& axes);
  void find_members(file_axes const& axes);
  void check_units(std::string const& stored, variable const& v) const;
  void read_block(field const& f, block const& b, bool only_missing, index_t all_levels, float* out) const;
};

}  // namespace appa
