// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "assimilate/estimate.hpp"
#include "training/job.hpp"

#include <functional>

namespace appa {

/// Consecutive states of a trajectory, as standardised latents [states, tokens, channels].
struct stretch {
  hours first = 0;
  at::Tensor states;

  index_t size() const { return states.defined() ? states.size(0) : 0; }
};

/// How trajectories are drawn, a joint draw of windows after the other. Hours at which nothing was seen have empty sights.
struct chain {
  trained_system const& system;
  drawing how;
  std::function<sight(hours)> seen;
  job const& ranks;     // that share the windows of a draw
  index_t predictions;  // states that a forecast goes on by
  watcher watch;
  estimate* instead = nullptr;  // nothing is drawn: what it would take is added up here, and states are 0
  stretch background = {};      // of a system that takes one; it covers all windows that are drawn

  hours step() const { return system.step; }
  /// States before those that a forecast's window predicts.
  index_t past() const { return system.length() - predictions; }

  /// `states` from `first` given what was seen of them in a period.
  stretch joint(hours first, index_t states, period const& observed, sda::key k) const;
  /// The states that follow known ones, given those and what was seen at the first `observed` that follow.
  stretch after(stretch const& known, index_t states, index_t observed, sda::key k) const;
  /// ... window by window, `predictions` states at a time, each given the states before; nothing is seen.
  stretch forecast(stretch const& known, index_t states, sda::key k) const;

 private:
  at::Tensor drawn(hours first, index_t states, conditions given, sda::key k) const;
};

/// One after the other; the second begins where the first ends.
stretch operator+(stretch const& a, stretch const& b);
/// The states from a date; sda::error with the dates if they are not all there.
stretch part(stretch const& s, hours first, index_t states, hours step);
/// The last n states.
stretch last(stretch const& s, index_t n, hours step);

}  // namespace appa
