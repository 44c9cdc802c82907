// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "assimilate/chain.hpp"
#include "assimilate/results.hpp"
#include "assimilate/tasks.hpp"
#include "data/state_file.hpp"
#include "observe/observing.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>

namespace appa {

/// What members of one folder are.
struct plan {
  std::string task;
  hours first = 0;                                                      // of the states that are written,
  index_t states = 0;                                                   // so many of them,
  index_t assimilated = 0;                                              // to whose first ones something contributed
  period looked;                                                        // when observations were assimilated
  long draws = 1;                                                       // joint draws of a member
  std::function<stretch(chain const&, index_t member, sda::key)> draw;  // its last states are those that are written
  std::filesystem::path background = {};                                // a run's folder, whose members were the best guess before
  std::function<stretch(index_t member)> given = {};                    // what a member departs from, if it does
  bool certain = false;                                                 // nothing is drawn: one member is all
  nlohmann::json seen = {};                                             // what run.json and NetCDF say of observations
};

/// What all tasks of a run share.
class session {
 public:
  session(config const& whole, task_options const& o, job const& ranks);

  plan planned(hours date) const;
  void run(plan p, std::filesystem::path const& folder) const;
  void cycle(hours date, std::filesystem::path const& folder) const;

 private:
  config chosen_;
  nlohmann::json observations_;
  task_options const& o_;
  job const& ranks_;
  trained_system const system_;
  std::optional<trained_system> departing_;  // that draws analyses, if another does
  std::shared_ptr<archive const> data_;
  scene scene_;
  drawing how_;
  index_t predictions_;
  nlohmann::json weights_;

  sda::key seed() const { return sda::key{o_.seed}; }
  // With mirrored members, 2p and 2p + 1 are a pair of one key, and the latter begins at the opposite noise.
  std::uint64_t pair(index_t member) const { return std::uint64_t(how_.mirrored ? member / 2 : member); }
  bool opposite(index_t member) const { return how_.mirrored && member % 2 == 1; }
  index_t members() const { return chosen_.get("members", index_t{10}); }
  index_t states_in(char const* key, hours otherwise) const;
  period before(hours date, index_t states) const { return {date - states * system_.step, date - system_.step}; }

  trained_system const& analysing() const { return departing_ ? *departing_ : system_; }
  std::vector<float> truth(hours t) const;
  stretch encoded(std::shared_ptr<archive const> const& data, hours first, index_t states) const;
  stretch stored(std::filesystem::path const& folder, index_t member) const;
  stretch kept(std::filesystem::path const& folder, index_t member, hours date) const;
  std::function<stretch(index_t)> background(hours first, index_t states) const;
  std::filesystem::path run_before() const;
  observing instruments(plan const& p) const;
  plan forecast(hours date) const;
  plan persistence(hours date) const;
  std::function<stretch(chain const&, index_t, sda::key)> beginning(hours date, index_t states, std::string const& start) const;

  nlohmann::json configuration() const;
  nlohmann::json described(plan const& p) const;
  state_contents contents(plan const& p, std::string const& title) const;
  using field_at = std::function<at::Tensor(hours)>;
  field_at residual_of(plan const& p, index_t member) const;
  void write(std::string const& path, state_contents const& as, stretch const& states, field_at const& more = {}) const;
  void keep(result_folder const& to, plan const& p, index_t member, stretch const& made) const;
  void finish(result_folder const& to, plan const& p, observing const& look) const;
  void compare(result_folder const& to, plan const& p, observing const& look) const;
};

}  // namespace appa
