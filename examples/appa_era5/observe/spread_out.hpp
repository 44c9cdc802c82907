// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/grid.hpp"
#include "observe/sight.hpp"

#include <sda/observation/kriging.hpp>

namespace appa {

/// How what was seen at some places becomes fields, as DiffDA does it (Huang et al., 2024, arXiv:2401.05932): kriging, and a mask.
struct spreading {
  sda::kriging kriging;
  double width = 0;  // of the mask's bells, km; 0: one and a half rows of the grid
};
/// Fields [points, channels]: departures, and a mask that is 1 where a channel was seen and falls off around, 0 where it never was.
struct spread_fields {
  std::vector<float> departures, mask;
};

/// Spreads the departures of a sight's observations over its channels. An observation counts for the channel that has most of its
/// weight, at the middle of its corners there; those at one place are averaged by their variances. sda::error for negative weights:
/// differences of observations (correlated errors) are of no place.
spread_fields spread_out(grid const& where, index_t channels, sight const& seen, std::span<float const> departures, spreading const& how);

}  // namespace appa
