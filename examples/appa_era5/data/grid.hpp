// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/config.hpp>

#include <string>
#include <vector>

namespace appa {

using sda::index_t;

/// Latitudes from north to south and longitudes eastward from within [0, 360), in degrees, both evenly spaced. Fields lie on it row by
/// row: point = row * width + column.
struct grid {
  std::vector<double> latitudes, longitudes;

  index_t height() const { return index_t(latitudes.size()); }
  index_t width() const { return index_t(longitudes.size()); }
  index_t points() const { return height() * width(); }
  bool has_poles() const { return latitudes.front() == 90 && latitudes.back() == -90; }
  /// Whether the columns go all the way round and the rows from pole to pole.
  bool is_global() const;
};

/// Whether two grids are the same to a thousandth of a degree.
bool same(grid const& a, grid const& b);
/// 1440 x 721 points
std::string text(grid const& g);

/// A global grid from longitude 0: rows at the poles and between them, or centred in `height` equal bands.
grid regular_grid(index_t width, index_t height, bool poles);
/// ... as configurations say it: 64x33 and 1440x721 (an odd number of rows has poles), 64x32; 64x32+poles, 128x65-poles.
grid parse_grid(std::string const& words);

/// cos(latitude) + 1 / width, as the published training loss has it: not scaled to mean 1. One number a row.
std::vector<double> cosine_weights(grid const& g);
/// The areas of rows, scaled to mean 1: sin(upper) - sin(lower), bounded half way between rows and at the poles.
std::vector<double> area_weights(grid const& g);
/// One number a row, repeated along it.
std::vector<double> over_points(grid const& g, std::vector<double> const& of_rows);

}  // namespace appa
