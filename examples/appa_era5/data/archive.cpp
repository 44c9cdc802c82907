// SPDX-License-Identifier: Apache-2.0
#include "data/archive.hpp"

#include <glob.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace appa {

namespace {

using sda::require;

std::size_t constexpr most_open = 64;   // files

index_t place_of_level(std::vector<double> const& levels, int level) {
  for (std::size_t i = 0; i < levels.size(); ++i)
    if (std::abs(levels[i] - level) < 1e-3 * level) return index_t(i);
  return -1;
}

}  // namespace

std::vector<std::string> expand(std::vector<std::string> const& patterns) {
  std::vector<std::string> paths;
  for (auto const& pattern : patterns) {
    glob_t found{};
    int const status = ::glob(pattern.c_str(), 0, nullptr, &found);
    std::vector<std::string> const some(found.gl_pathv, found.gl_pathv + (status == 0 ? found.gl_pathc : 0));
    ::globfree(&found);
    require(!some.empty(), "there is no file ", pattern);
    paths.insert(paths.end(), some.begin(), some.end());
  }
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

archive::archive(std::vector<std::string> const& patterns, channel_set channels, index_t member) : channels_(std::move(channels)), member_(member) {
  require(channels_.size() > 0, "an archive of no channels");
  scan(expand(patterns));
  group_channels();
  list_times();
}

void archive::scan(std::vector<std::string> const& paths) {
  for (auto const& path : paths) {
    era5_file const file(path);
    if (files_.empty()) grid_ = file.where();
    else require(same(grid_, file.where()), path, " has another grid (", text(file.where()), ") than ", paths[0], " (", text(grid_), ")");
    require(member_ < file.members(), path, " has ", file.members(), " members, and member ", member_, " is asked for");
    known_file k{path, file.times(), file.levels(), {}};
    for (auto const& v : file.variables()) k.variables[v] = {file.has_levels(v) || !file.levels().empty(), file.depends_on_time(v)};
    files_.push_back(std::move(k));
  }
}

std::vector<int> archive::holders_of(channel const& c) const {
  std::vector<int> holders;
  bool named = false;
  for (std::size_t f = 0; f < files_.size(); ++f) {
    auto const at = files_[f].variables.find(c.name);
    if (at == files_[f].variables.end()) continue;
    named = true;
    if (c.level == 0 || place_of_level(files_[f].levels, c.level) >= 0) holders.push_back(int(f));
  }
  std::string held;
  for (auto const& [name, about] : files_[0].variables) held += " " + name;
  require(!holders.empty(), "none of ", files_.size(), files_.size() == 1 ? " file" : " files", " holds ", label(c),
          named ? ": the variable is there, the level is not" : "", " (", files_[0].path, " holds", held, ")");
  return holders;
}

void archive::group_channels() {
  auto const list = channels_.list();
  std::vector<int> before;
  for (std::size_t c = 0; c < list.size(); ++c) {
    auto const holders = holders_of(list[c]);
    if (!groups_.empty() && list[c].level && groups_.back().variable == list[c].name && holders == before) {
      groups_.back().levels.push_back(list[c].level);
      continue;
    }
    group g{list[c].name, {}, index_t(c), {}, false};
    if (list[c].level) g.levels = {list[c].level};
    auto const& holder = files_[std::size_t(holders[0])];
    g.constant = !holder.variables.at(g.variable).second || (is_invariant(g.variable) && holder.times.size() == 1);
    for (int const f : holders) {
      auto const& times = files_[std::size_t(f)].times;
      if (g.constant) g.places = {{0, holders[0], 0}};
      else
        for (std::size_t i = 0; i < times.size(); ++i) g.places.push_back({times[i], f, index_t(i)});
    }
    std::stable_sort(g.places.begin(), g.places.end(), [](place const& a, place const& b) { return a.time < b.time; });
    g.places.erase(std::unique(g.places.begin(), g.places.end(), [](place const& a, place const& b) { return a.time == b.time; }), g.places.end());
    groups_.push_back(std::move(g));
    before = holders;
  }
}

void archive::list_times() {
  bool first = true;
  for (auto const& g : groups_) {
    if (g.constant) continue;
    std::vector<hours> own, both;
    for (auto const& p : g.places) own.push_back(p.time);
    if (first) times_ = own;
    else {
      std::set_intersection(times_.begin(), times_.end(), own.begin(), own.end(), std::back_inserter(both));
      times_ = both;
    }
    first = false;
  }
}

bool archive::has(hours t) const { return std::binary_search(times_.begin(), times_.end(), t); }

std::vector<period> archive::missing(period const& p, int step) const {
  std::vector<period> spans;
  for (hours t = p.first; t <= p.last; t += step) {
    if (has(t)) continue;
    if (!spans.empty() && spans.back().last == t - step) spans.back().last = t;
    else spans.push_back({t, t});
  }
  return spans;
}

std::string archive::report(period const& p, int step) const {
  auto const spans = missing(p, step);
  hours count = 0;
  std::string some;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    count += (spans[i].last - spans[i].first) / step + 1;
    if (i < 5) some += (i ? ", " : "") + (spans[i].first == spans[i].last ? text(spans[i].first) : text(spans[i]));
  }
  if (count == 0) return "";
  return sda::detail::text(count, " of ", (p.size() + step - 1) / step, " hours of ", text(p), " are missing: ", some,
                           spans.size() > 5 ? sda::detail::text(" and ", spans.size() - 5, " more spans") : "");
}

era5_file const& archive::opened(int file) const {
  auto at = std::find_if(open_.begin(), open_.end(), [&](auto const& o) { return o.first == file; });
  if (at == open_.end()) {
    open_.emplace_front(file, std::make_unique<era5_file>(files_[std::size_t(file)].path));
    if (open_.size() > most_open) open_.pop_back();
  } else
    open_.splice(open_.begin(), open_, at);
  return *open_.front().second;
}

archive::place const& archive::find(group const& g, hours t) const {
  auto const at = std::lower_bound(g.places.begin(), g.places.end(), t, [](place const& p, hours x) { return p.time < x; });
  require(at != g.places.end() && at->time == t, label({g.variable, g.levels.empty() ? 0 : g.levels[0]}), " is missing at ", text(t));
  return *at;
}

void archive::read(hours first, index_t count, int step, float* out) const {
  index_t const state = channels_.size() * grid_.points();
  for (auto const& g : groups_) {
    index_t const size = std::max(index_t(g.levels.size()), index_t{1}) * grid_.points();
    std::vector<float> block;
    for (index_t i = 0; i < count;) {
      place const& p = g.constant ? g.places[0] : find(g, first + i * step);
      index_t run = 1;   // times that follow each other in the file are read together
      while (!g.constant && step == 1 && i + run < count) {
        place const& next = find(g, first + i + run);
        if (next.file != p.file || next.index != p.index + run) break;
        ++run;
      }
      block.resize(std::size_t(run * size));
      {
        sda::netcdf::lock const alone;  // guards the list of open files, too
        auto const& file = opened(p.file);
        std::vector<index_t> places;
        for (int const level : g.levels) places.push_back(place_of_level(file.levels(), level));
        file.read(g.variable, p.index, run, places, member_, block.data());
      }
      for (index_t r = 0; r < run; ++r)
        std::copy_n(block.data() + r * size, size, out + (i + r) * state + g.first_channel * grid_.points());
      i += run;
    }
  }
}

}  // namespace appa
