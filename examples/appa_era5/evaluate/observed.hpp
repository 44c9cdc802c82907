// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/archive.hpp"
#include "evaluate/trajectories.hpp"
#include "observe/observing.hpp"

#include <memory>

namespace appa {

/// What a run had observed, made anew from its configuration, seed and the states it looked at: the same numbers.
struct observed_run {
  scene states;
  observing look;
  period looked;   // when something was assimilated

  /// All observations of an hour with their reports; none beyond `looked`.
  observations at(hours t) const { return looked.contains(t) ? look.all(t) : observations{}; }
  /// What was assimilated of an hour.
  sight assimilated(hours t) const { return looked.contains(t) ? look.assimilated(t) : sight{}; }
  /// 1 at points of which an observation of a channel was assimilated, whatever the others around it.
  std::vector<char> points(hours t, channel const& c) const;
};

/// By a run's run.json. `data` holds the states that simulated instruments look at, all channels of the run. sda::error if the file says
/// nothing of observations.
observed_run observed_by(nlohmann::json const& about, std::shared_ptr<archive const> data, statistics const& standard, std::vector<char> const& sea);

/// Scores of members at observations that were not assimilated, by variable: number, RMSE and bias of the mean of the members, CRPS, and
/// √((M + 1) / M spread² + error²), which RMSE would be if members and errors were right. In the variables' units.
nlohmann::json at_left_out(trajectories const& run, observed_run const& seen);

}  // namespace appa
