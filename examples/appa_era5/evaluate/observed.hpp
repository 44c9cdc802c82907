// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/archive.hpp"
#include "evaluate/trajectories.hpp"
#include "observe/observing.hpp"

#include <map>
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
  /// 1 at points of which an observation of a channel was assimilated, whatever the others around it: channels x points numbers.
  std::vector<char> points(hours t, channel_set const& channels) const;
};

/// By a run's run.json, in whose `folder` it is. `data` holds the states that simulated instruments look at, all channels of the run. sda::error if the file says
/// nothing of observations, or has the digest of others (which takes all states that were looked at).
observed_run observed_by(nlohmann::json const& about, std::shared_ptr<archive const> data, statistics const& standard, std::string const& folder = {});

/// What runs that are compared had observed. Those that are of one start, by the hour last assimilated, are scored at the same points:
/// where none of them had assimilated anything. A run that assimilated nothing, a file say, is of every start.
class observed_beside {
 public:
  void add(trajectories const& run, std::shared_ptr<observed_run const> seen);
  bool any() const { return !all_.empty(); }

  /// 1 at points of which a run of the same start had assimilated a channel in an hour: channels x points numbers.
  std::vector<char> points(trajectories const& run, hours t, channel_set const& channels) const;
  /// A run's own, or else of the first run of its start; nullptr if there are none.
  observed_run const* of(trajectories const& run) const;

 private:
  struct one {
    std::string path;
    hours last_seen;
    std::shared_ptr<observed_run const> seen;
  };
  std::vector<one> all_;

  std::vector<observed_run const*> beside(trajectories const& run) const;   // each once
};

/// Scores of members at observations that were not assimilated, of one run or several of a method.
class left_out_scores {
 public:
  void add(trajectories const& run, observed_run const& seen);
  /// A list by variable, in its units: number, RMSE and bias of the mean of the members, CRPS, and √((M + 1) / M spread² + error²), of mirrored
  /// members √(spread² + error²), which RMSE would be if members and errors were right.
  nlohmann::json by_variable() const;

 private:
  struct sums {
    index_t count = 0;
    double square = 0, bias = 0, expected = 0, crps = 0;
  };
  std::map<std::string, sums> of_;
};

}  // namespace appa
