// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/level.hpp>
#include <sda/core/config.hpp>
#include <sda/core/error.hpp>

#include <algorithm>
#include <span>
#include <vector>

namespace sda {

/// How a rewinding path gets ahead: by one step of the sampler, or by small ones through every level of the grid.
enum class leap { one_jump, small_steps };

/// A path through a grid of levels that overshoots and returns: from level i down to level i + ahead, then by the forward
/// process back up to level i + 1, and so on; the last rounds are as short as the grid requires. Given to sample() with
/// ddim{} this is Appa's rewind sampler: an exploration like Langevin corrections, without their step size.
inline std::vector<level> rewinding(std::span<level const> grid, index_t ahead, leap how = leap::one_jump) {
  require(ahead >= 1, "rewinding: ", ahead, " levels ahead");
  require(!grid.empty(), "rewinding: an empty grid");
  index_t const last = index_t(grid.size()) - 1;
  auto const at = [&](index_t i) { return grid[std::size_t(i)]; };
  std::vector<level> path{at(0)};
  for (index_t i = 0; i < last; ++i) {
    index_t const end = std::min(last, i + ahead);
    for (index_t j = how == leap::one_jump ? end : i + 1; j <= end; ++j) path.push_back(at(j));
    if (end > i + 1) path.push_back(at(i + 1));
  }
  return path;
}

}  // namespace sda
