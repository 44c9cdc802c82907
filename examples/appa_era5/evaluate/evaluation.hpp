// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/archive.hpp"
#include "evaluate/balance.hpp"
#include "evaluate/climate.hpp"
#include "evaluate/scores.hpp"
#include "evaluate/spectra.hpp"
#include "evaluate/trajectories.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace appa {

/// Against what runs are held.
struct reference {
  std::shared_ptr<archive const> truth;     // its channels are those that are scored
  std::optional<climate> normal = {};       // for correlations of anomalies
  std::vector<char> sea = {};               // one number a point; none: there is no ocean
  // 1 where a channel was observed in an hour of a run, channels x points numbers; makes a region `unobserved`.
  std::function<std::vector<char>(trajectories const&, hours)> seen = {};
};

struct evaluation_options {
  std::vector<index_t> members = {};   // counted from 1; none: all
  int physics_every = 6;               // states from one whose spectra and balances are looked at to the next; 0: never
  int degrees = 0;                     // of spectra; 0: those that the grid has exactly
  sda::key key = {};                   // ranks among equals, and points that stand for areas
  std::function<void(index_t done, index_t all)> progress = {};
};

/// What states look like beside what they should be: spectra and balances. Empty where grid and channels do not allow them.
struct appearance {
  std::optional<spectra> power;
  std::optional<balance> checks;

  appearance(grid const& g, channel_set const& channels, int degrees);
  void add(std::span<float const> state);
};

/// All that is said of the trajectories of one method, from one start or several.
struct evaluation {
  std::string name;
  std::vector<std::string> folders;         // one a case
  std::vector<hours> starts;
  nlohmann::json about;                     // run.json of the first
  index_t members = 0, assimilated = 0;     // of the first
  bool mirrored = false;                    // members are pairs of assimilation.mirrored: scored as area_means has it
  std::vector<hours> leads;
  std::vector<std::string> regions;
  score_table scores;
  std::vector<histogram> errors;            // of the mean of the members, by channel, weighted by area
  appearance own, of_truth;                 // of members, and of the truth at the same hours
  nlohmann::json left_out = nlohmann::json::array();   // scores at observations that were not assimilated, by variable
  index_t passed_over = 0;                  // hours for which there is no truth
};

/// Runs of one method: folders or files as `trajectories` takes them, each a case. sda::error if grids or channels differ from the
/// truth's, numbers of members from each other, or none of the hours has a truth.
evaluation evaluate(std::string const& name, std::vector<std::string> const& folders, reference const& against, evaluation_options const& o);

}  // namespace appa
