// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "observe/observations.hpp"

#include <optional>

namespace appa {

/// How a field is read between its points.
enum class reading { interpolated, nearest };

/// Points of a grid and what each counts; weights sum to 1, but where a wind is read across a pole.
struct weighted_points {
  std::vector<index_t> points;
  std::vector<double> weights;
};
/// Bilinear in latitude and longitude, which goes round. Between a pole and the row nearest to it, the other node lies on that row beyond the
/// pole, where the components of a wind have the other sign. None if the place is off the grid.
std::optional<weighted_points> points_around(grid const& g, place const& p, reading how, bool wind = false);

/// Levels (by number) between which a pressure (hPa) lies: linear in its logarithm. None if it lies beyond them by more than a thousandth.
std::optional<weighted_points> levels_around(std::vector<int> const& levels, double pressure, reading how);

/// A physical value as a sum of a state's standardised numbers: y = unit (Σ w x[c]) + offset.
struct linear_reading {
  std::vector<index_t> columns;
  std::vector<double> weights;
  double unit = 1, offset = 0;
};
/// A variable at a place and, aloft, at a pressure; none if states have no such thing there: see `why_not`. Of the sea's temperature, only points at
/// sea count.
std::optional<linear_reading> read_at(scene const& s, variable const& what, place const& p, double pressure, reading how);
/// In a few words, why there is no reading.
std::string why_not(scene const& s, variable const& what, place const& p, double pressure, reading how);

}  // namespace appa
