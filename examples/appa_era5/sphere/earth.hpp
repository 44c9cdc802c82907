// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/grid.hpp"

namespace appa {

/// An idealised Earth: continents as ellipses, mountains as bells, where the real ones are.
struct earth {
  std::vector<double> land;        // 0 (sea) to 1, one number a point
  std::vector<double> height;      // m
};
earth idealised_earth(grid const& g);

/// The mean cosine of the sun's zenith angle over the hour that ends at t, 0 at night: t in hours since 1970-01-01T00, degrees.
double sunlight(double t, double latitude, double longitude);
/// The part of a circle that the year has passed since the northern winter solstice, in radians.
double season(double t);

}  // namespace appa
