// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cmath>

namespace sda {

/// The fifth-order piecewise rational taper of Gaspari & Cohn (1999), eq. 4.10: 1 at distance 0, exactly 0 from 2 c on.
/// `half_width` is c. Conversions: PDAF's support radius is 2 c; DART's cutoff is c; DAPPER's loc_rad (where the taper of the
/// same curvature at 0 is exp(-1/2)) is c / √(10/3), see from_loc_rad.
inline double gaspari_cohn(double distance, double half_width) {
  double const r = std::abs(distance) / half_width;
  if (r >= 2) return 0;
  double const r2 = r * r, r3 = r2 * r;
  if (r <= 1) return 1 + r2 * (-5.0 / 3) + r3 * (5.0 / 8 + r / 2 - r2 / 4);
  return 4 - 5 * r + r2 * (5.0 / 3) + r3 * (5.0 / 8 - r / 2 + r2 / 12) - 2 / (3 * r);
}

/// Gaspari and Cohn's half width for a radius in DAPPER's convention.
inline double from_loc_rad(double radius) { return std::sqrt(10.0 / 3) * radius; }

/// The distance of two positions on a ring of a given circumference.
struct ring_distance {
  double circumference;
  double operator()(double a, double b) const { return std::abs(std::remainder(a - b, circumference)); }
};

}  // namespace sda
