// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda_test.hpp>

#include "data/dates.hpp"
#include "data/grid.hpp"

#include <netcdf.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace appa_test {

using namespace appa;

inline hours const start = hours_of({2020, 2, 28, 22});

/// What the files below hold: whole numbers that say where they are.
inline float value(std::string const& variable, hours t, int level, double latitude, double longitude) {
  return float(double(variable[0]) + 1000 * double(t - start) + 0.5 * level + latitude + longitude / 8);
}

/// A file of temperature and geopotential, dimension by dimension as somebody wants it.
struct layout {
  std::vector<std::string> order{"time", "level", "latitude", "longitude"};   // slowest first; also number, expver
  std::map<std::string, std::string> names;                                    // of dimensions, where they are others
  int format = NC_NETCDF4;
  bool packed = false, south_first = false, levels_fall = false, west_negative = false, pascal = false, bare = false;
  std::string time_units = "hours since 1900-01-01 00:00:00.0";

  void write(std::string const& path, index_t times = 3) const;
};

inline void layout::write(std::string const& path, index_t times) const {
  grid const g = parse_grid("8x5");
  std::vector<double> latitudes = g.latitudes, longitudes = g.longitudes, levels{500, 850};
  if (south_first) std::reverse(latitudes.begin(), latitudes.end());
  if (levels_fall) std::reverse(levels.begin(), levels.end());
  if (west_negative)
    for (double& x : longitudes) x -= 180;
  std::map<std::string, std::vector<double>> axes{{"latitude", latitudes}, {"longitude", longitudes}, {"level", levels}, {"number", {0, 1, 2}}, {"expver", {5, 1}}};
  for (index_t i = 0; i < times; ++i) axes["time"].push_back(time_units[0] == 'h' ? double(start + i - hours_of({1900, 1, 1, 0})) : double(start + i) * 3600);
  int id;
  REQUIRE(nc_create(path.c_str(), format, &id) == NC_NOERR);
  std::vector<int> over;
  for (auto const& d : order) {
    int dimension, v;
    std::string const stored = names.count(d) ? names.at(d) : d;
    nc_def_dim(id, stored.c_str(), axes.at(d).size(), &dimension);
    nc_def_var(id, stored.c_str(), NC_DOUBLE, 1, &dimension, &v);
    over.push_back(dimension);
    auto numbers = axes.at(d);
    if (d == "level" && pascal)
      for (double& p : numbers) p *= 100;
    if (d == "time") nc_put_att_text(id, v, "units", time_units.size(), time_units.data());
    if (!bare && d == "latitude") nc_put_att_text(id, v, "units", 13, "degrees_north");
    if (!bare && d == "longitude") nc_put_att_text(id, v, "units", 12, "degrees_east");
    if (!bare && d == "level") nc_put_att_text(id, v, "standard_name", 12, "air_pressure");
    if (d == "level") nc_put_att_text(id, v, "units", pascal ? 2 : 9, pascal ? "Pa" : "millibars");
    nc_enddef(id);
    nc_put_var_double(id, v, numbers.data());
    nc_redef(id);
  }
  for (std::string const variable : {"t", "z"}) {
    int v;
    short const fill = -32767;
    double const scale = 0.125, offset = 2000;
    nc_def_var(id, variable.c_str(), packed ? NC_SHORT : NC_FLOAT, int(over.size()), over.data(), &v);
    if (packed) {
      nc_put_att_short(id, v, "_FillValue", NC_SHORT, 1, &fill);
      nc_put_att_double(id, v, "scale_factor", NC_DOUBLE, 1, &scale);
      nc_put_att_double(id, v, "add_offset", NC_DOUBLE, 1, &offset);
    }
    nc_enddef(id);
    std::vector<float> all;
    std::map<std::string, double> at;
    std::function<void(std::size_t)> const fill_from = [&](std::size_t d) {
      if (d < order.size()) {
        for (double const x : axes.at(order[d])) at[order[d]] = x, fill_from(d + 1);
        return;
      }
      double const x = at["longitude"] < 0 ? at["longitude"] + 360 : at["longitude"];
      hours const t = hours(time_units[0] == 'h' ? at["time"] : at["time"] / 3600) + (time_units[0] == 'h' ? hours_of({1900, 1, 1, 0}) : 0);
      float f = value(variable, t, int(at["level"]), at["latitude"], x) + 100 * float(at["number"]);
      if (at.count("expver")) {   // ERA5 knows the first two hours, ERA5T all of them, with other numbers
        if (at["expver"] == 1 && t >= start + 2) f = packed ? 2000 - 32767 * 0.125f : std::nanf("");
        if (at["expver"] == 5) f += t >= start + 2 ? 0 : 77;
      }
      all.push_back(packed ? (f - 2000) / 0.125f : f);
    };
    fill_from(0);
    REQUIRE(nc_put_var_float(id, v, all.data()) == NC_NOERR);
    nc_redef(id);
  }
  REQUIRE(nc_close(id) == NC_NOERR);
}

}  // namespace appa_test
