// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/gaspari_cohn.hpp>
#include <sda/core/config.hpp>
#include <sda/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace sda {

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
