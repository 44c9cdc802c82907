// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "observe/orbit.hpp"

#include <string>

namespace appa {

struct station {
  place where;
  double elevation = 0;   // m; NaN if unknown
};

/// Stations of a list: CSV with a line of names (latitude or lat, longitude or lon, elevation or elev or "elev(m)"), or JSON, an array
/// of objects with those names. Case does not matter. Lines without a place on the globe are counted in `skipped`, not kept; sda::error
/// if nothing can be read, or no column is a latitude.
std::vector<station> read_stations(std::string const& path, index_t* skipped = nullptr);

/// The grid point nearest to a place, halves to even; -1 beyond the grid. A place at longitude 180 is one at -180, unless `seam`: the
/// published masks do not know that.
index_t nearest_point(grid const& g, place const& p, bool seam = false);
/// The grid points nearest to stations, in order, each once.
std::vector<index_t> station_points(grid const& g, std::vector<station> const& stations, bool seam = false);

}  // namespace appa
