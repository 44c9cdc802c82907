// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/era5_file.hpp"

#include <sda/metrics/table.hpp>

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <vector>

namespace appa {

/// An ensemble of trajectories on files, read field by field: a folder that a run wrote (members/*.nc, and run.json, which says what was
/// assimilated), or one file of fields, whose members are those along its axis of members.
class trajectories {
 public:
  /// With `chosen`, only those members, counted from 1. sda::error naming the file if members differ in grid or hours.
  explicit trajectories(std::string const& path, std::vector<index_t> const& chosen = {});

  std::string const& path() const { return path_; }
  index_t members() const { return index_t(members_.size()); }
  grid const& where() const { return files_.front()->where(); }
  /// The hours of all members, in order.
  std::vector<hours> const& times() const { return times_; }
  bool has(channel const& c) const;
  /// All that the first file holds.
  channel_set channels() const;

  /// One member's field, and all members'; missing values are NaN.
  void read(channel const& c, hours t, index_t member, float* out) const;
  sda::host_table read(channel const& c, hours t) const;

  /// run.json; an empty object if there is none.
  nlohmann::json const& about() const { return about_; }
  /// Hours since the last state of which something was assimilated: forecasts have positive leads, analyses the others. Where nothing
  /// was assimilated, the first state has lead 1.
  hours lead(hours t) const { return t - last_seen_; }
  hours last_seen() const { return last_seen_; }
  /// States of which something was assimilated.
  index_t assimilated() const { return assimilated_; }
  /// Whether members are all pairs that `assimilation.mirrored` drew.
  bool mirrored() const { return mirrored_; }

 private:
  struct place {
    std::size_t file;
    index_t along;   // along its axis of members
  };
  std::string path_;
  std::vector<std::unique_ptr<era5_file>> files_;
  std::vector<place> members_;
  std::vector<hours> times_;
  nlohmann::json about_ = nlohmann::json::object();
  index_t assimilated_ = 0;
  hours last_seen_ = 0;
  bool mirrored_ = false;

  static index_t place_of(era5_file const& f, channel const& c);
};

}  // namespace appa
