// SPDX-License-Identifier: Apache-2.0
#include "evaluate/trajectories.hpp"

#include "data/archive.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

namespace appa {

using sda::require;

namespace {

nlohmann::json read_about(std::filesystem::path const& file) {
  if (!std::filesystem::exists(file)) return nlohmann::json::object();
  std::ifstream in(file);
  auto about = nlohmann::json::parse(in, nullptr, false);
  require(about.is_object(), file.string(), " is no JSON object");
  return about;
}

}  // namespace

trajectories::trajectories(std::string const& path, std::vector<index_t> const& chosen) : path_(path) {
  bool const folder = std::filesystem::is_directory(std::filesystem::path(path) / "members");
  for (auto const& name : folder ? expand({path + "/members/*.nc"}) : std::vector{path}) {
    files_.push_back(std::make_unique<era5_file>(name));
    auto const& file = *files_.back();
    require(same(file.where(), where()), name, " has another grid (", text(file.where()), ") than the first member (", text(where()), ")");
    require(file.times() == files_.front()->times(), name, " has other hours than the first member");
    for (index_t m = 0; m < file.members(); ++m) members_.push_back({files_.size() - 1, m});
  }
  if (!chosen.empty()) {
    std::vector<place> some;
    for (index_t const m : chosen) {
      require(m >= 1 && m <= members(), path, " has ", members(), " members, and member ", m, " is asked for");
      some.push_back(members_[std::size_t(m - 1)]);
    }
    members_ = some;
  }
  times_ = files_.front()->times();
  std::sort(times_.begin(), times_.end());
  require(!times_.empty(), path, " has no hours");
  if (folder) about_ = read_about(std::filesystem::path(path) / "run.json");
  assimilated_ = about_.value("assimilated", index_t{0});
  require(assimilated_ >= 0 && assimilated_ <= index_t(times_.size()), path, "/run.json: ", assimilated_, " states of ", times_.size(), " were assimilated");
  last_seen_ = assimilated_ > 0 ? times_[std::size_t(assimilated_ - 1)] : times_[0] - 1;
  nlohmann::json::json_pointer const drawn_in_pairs("/configuration/assimilation/mirrored");
  mirrored_ = chosen.empty() && members() >= 4 && members() % 2 == 0 && about_.contains(drawn_in_pairs) && about_.at(drawn_in_pairs) == true;
}

// Along a file's levels; 0 for a field without, -1 if it is not there.
index_t trajectories::place_of(era5_file const& f, channel const& c) {
  if (!f.has(c.name) || (c.level == 0) == f.has_levels(c.name)) return -1;
  if (c.level == 0) return 0;
  for (std::size_t i = 0; i < f.levels().size(); ++i)
    if (std::abs(f.levels()[i] - c.level) < 1e-3 * c.level) return index_t(i);
  return -1;
}

bool trajectories::has(channel const& c) const {
  return std::all_of(files_.begin(), files_.end(), [&](auto const& f) { return place_of(*f, c) >= 0; });
}

channel_set trajectories::channels() const {
  auto const& file = *files_.front();
  std::vector<std::string> names;
  std::vector<int> levels;
  for (auto const known : {surface_variables(), atmospheric_variables()})
    for (auto const& v : known)
      if (file.has(v.name)) names.push_back(v.name);
  for (double const p : file.levels()) levels.push_back(int(std::lround(p)));
  return select_channels(names, levels);
}

void trajectories::read(channel const& c, hours t, index_t member, float* out) const {
  auto const& [number, along] = members_.at(std::size_t(member));
  auto const& file = *files_[number];
  auto const at = std::find(file.times().begin(), file.times().end(), t);
  index_t const level = place_of(file, c);
  require(level >= 0, file.path(), " holds no ", label(c));
  require(at != file.times().end(), file.path(), " holds nothing of ", text(t));
  index_t const first = at - file.times().begin();
  file.read(c.name, first, 1, c.level ? std::span(&level, 1) : std::span<index_t const>(), along, out);
}

sda::host_table trajectories::read(channel const& c, hours t) const {
  index_t const points = where().points();
  sda::host_table all{members(), points, {}};
  all.values.reserve(std::size_t(members() * points));
  std::vector<float> one(static_cast<std::size_t>(points));
  for (index_t m = 0; m < members(); ++m) {
    read(c, t, m, one.data());
    all.values.insert(all.values.end(), one.begin(), one.end());
  }
  return all;
}

}  // namespace appa
