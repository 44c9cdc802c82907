// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "evaluate/observed.hpp"
#include "evaluate/static_gaussian.hpp"

#include <filesystem>
#include <memory>
#include <optional>

namespace appa {

/// Trajectories that need no network, written as tasks write theirs: run.json, members/member_001.nc, ..., mean.nc and spread.nc.
/// Members that are there stay.
struct baseline {
  std::filesystem::path folder;
  std::string task;                   // climatology, persistence or optimal interpolation
  hours first = 0;                    // of the states that are written,
  index_t states = 1, assimilated = 0;
  int step = 1;
  std::shared_ptr<archive const> data;
  std::vector<char> sea = {};         // one number a point; none: it is everywhere
  nlohmann::json about = {};          // more of run.json
  std::string command = {};

  /// The states of a run, by its run.json.
  void like(nlohmann::json const& run);
  hours at(index_t state) const { return first + state * step; }
};

/// Members are what states of `from` did from a start within `days` of the same day of the year, at the same time of day: each start is
/// drawn once. sda::error if there are fewer starts than members.
void write_climatology(baseline const& b, period const& from, index_t members, int days, sda::key k);
/// One member, that is always the state of one hour.
void write_persistence(baseline const& b, hours known);
/// The posterior of a static Gaussian around the climate, given all that a run had observed; one member is the mean itself.
void write_interpolation(baseline const& b, observed_run const& seen, static_gaussian const& prior, climate const& normal,
                         interpolation_settings const& s, sda::key k);

}  // namespace appa
