// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/grid.hpp"

#include <vector>

namespace appa {

/// Degrees.
struct place {
  double latitude = 0, longitude = 0;
};

/// A satellite on a circle around the turning Earth, which starts southward over the equator at longitude -180 + phase.
struct orbit {
  double altitude = 800;      // km
  double inclination = 75;    // degrees; the highest latitude it passes over
  double phase = 0;           // degrees
  int samples = 60;           // positions an hour
  double field_of_view = 5;   // degrees of great circle around the point below
  double delay = 0;           // hours

  /// Hours for a round: 2π √(r³ / GM).
  double round() const;
  /// The point below after t hours.
  place below(double t) const;
  /// The points below at the samples of the hour [hour, hour + 1).
  std::vector<place> track(int hour) const;
  /// The grid points within the field of view at any sample of an hour, in order.
  std::vector<index_t> swath(grid const& g, int hour) const;
};

}  // namespace appa
