// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "training/job.hpp"

#include <sda/core/config.hpp>

#include <nlohmann/json.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace appa {

using sda::index_t;

/// The folder that a run fills: run.json, members/member_001.nc, latents/member_001.safetensors, ..., mean.nc, spread.nc. A member is
/// finished when its file is there: a run that was stopped goes on with those that are not.
class result_folder {
 public:
  /// `same` is what makes the numbers (a folder that another made is refused with the differences), `more` what else run.json says.
  /// Without `resume` what an earlier run left is removed. One run at a time: sda::error if another works here. Every rank calls it.
  result_folder(std::filesystem::path folder, index_t members, nlohmann::json const& same, nlohmann::json const& more, bool resume, job const& ranks);

  std::filesystem::path const& path() const { return folder_; }
  std::string file(std::string const& name) const { return (folder_ / name).string(); }
  /// Members are counted from 0 here, from 1 in names.
  std::string member(index_t m) const;
  std::string latents(index_t m) const;
  bool has(index_t m) const { return std::filesystem::exists(member(m)); }
  /// The files of all members, and the numbers of those that were not finished when the folder was opened.
  std::vector<std::string> members() const;
  std::vector<index_t> const& missing() const { return missing_; }

 private:
  std::filesystem::path folder_;
  index_t count_;
  std::vector<index_t> missing_;
  struct unlock {
    void operator()(int const* file) const;
  };
  std::unique_ptr<int const, unlock> lock_;

  void clear_away(bool all) const;
};

/// The file of a member's latents in such a folder.
std::string latents_of(std::filesystem::path const& folder, index_t m);
/// Where two trees differ, a line each: "assimilation/steps: 32 there, 64 here".
std::string differences(nlohmann::json const& there, nlohmann::json const& here);
/// A file of text under its name only when complete.
void write_whole(std::filesystem::path const& file, std::string const& text);

}  // namespace appa
