// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

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
  double operator()(double a, double b) const {
    double const d = std::abs(std::remainder(a - b, circumference));
    return d;
  }
};

/// For every column of a state: the observations that reach it and their tapers in (0, 1], as compressed rows. The
/// observations of column j are observation[first[j]] ... observation[first[j + 1] - 1], ascending.
struct localisation {
  std::vector<std::int64_t> first{0};
  std::vector<std::int64_t> observation;
  std::vector<double> taper;

  index_t columns_covered() const { return index_t(first.size()) - 1; }
};

/// Gaspari-Cohn localisation between positions of any kind, by distance(state position, observation position). Compares every
/// pair; build large ones from neighbour lists.
template <class Position, class Distance>
localisation localise(std::span<Position const> states, std::span<Position const> observations, double half_width, Distance const& distance) {
  require(half_width > 0, "localise: half width ", half_width, " is not positive");
  localisation out;
  for (auto const& s : states) {
    for (std::size_t o = 0; o < observations.size(); ++o)
      if (double const weight = gaspari_cohn(distance(s, observations[o]), half_width); weight > 0) {
        out.observation.push_back(std::int64_t(o));
        out.taper.push_back(weight);
      }
    out.first.push_back(std::int64_t(out.observation.size()));
  }
  return out;
}

/// ... on a ring of `n` columns of which those in `seen` are observed, `half_width` in columns.
inline localisation localise_ring(index_t n, std::span<std::int64_t const> seen, double half_width) {
  std::vector<double> states(static_cast<std::size_t>(n)), observations(seen.begin(), seen.end());
  for (std::size_t i = 0; i < states.size(); ++i) states[i] = double(i);
  return localise(std::span<double const>(states), std::span<double const>(observations), half_width, ring_distance{double(n)});
}

}  // namespace sda
