// SPDX-License-Identifier: Apache-2.0
#include "assimilate/results.hpp"

#include <sda/core/error.hpp>
#include <sda/core/pending_file.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <fstream>
#include <span>

namespace appa {

namespace fs = std::filesystem;
using nlohmann::json;
using sda::require;

namespace {

std::string numbered(index_t m, char const* ending) {
  auto const digits = std::to_string(m + 1);
  return "member_" + std::string(digits.size() < 3 ? 3 - digits.size() : 0, '0') + digits + ending;
}
json read_json(fs::path const& file) {
  std::ifstream in(file);
  auto const out = json::parse(in, nullptr, false);
  require(out.is_object(), file.string(), " is no JSON object");
  return out;
}
/// All ranks are past this before one goes on.
void meet(job const& ranks) {
  double one = 1;
  if (ranks.size() > 1) ranks.sum_doubles({&one, 1});
}

}  // namespace

result_folder::result_folder(fs::path folder, index_t members, json const& same, json const& more, bool resume, job const& ranks)
    : folder_(std::move(folder)), count_(members) {
  if (ranks.first()) {
    std::error_code failure;
    fs::create_directories(folder_ / "members", failure);
    if (!failure) fs::create_directories(folder_ / "latents", failure);
    require(!failure, "cannot make the folder ", folder_.string(), ": ", failure.message());
    lock_.reset(new int(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
    require(*lock_ >= 0 && ::flock(*lock_, LOCK_EX | LOCK_NB) == 0, "another run works in ", folder_.string());
    auto const about = folder_ / "run.json";
    if (resume && fs::exists(about)) {
      auto const there = read_json(about);
      json compared = json::object();
      for (auto const& [key, unused] : same.items()) compared[key] = there.value(key, json());
      std::string const differing = differences(compared, same);
      require(differing.empty(), folder_.string(), " was made by another run; choose another folder, or --no-resume:", differing);
    }
    clear_away(!resume);
    auto all = same;
    all.update(more);
    all["members"] = members;
    write_whole(about, all.dump(2) + "\n");
  }
  meet(ranks);
  for (index_t m = 0; m < members; ++m)
    if (!has(m)) missing_.push_back(m);
  meet(ranks);  // before one is finished
}

void result_folder::unlock::operator()(int const* file) const {
  if (*file >= 0) ::close(*file);
  delete file;
}

// What killed runs left half-written; with `all`, whatever a run writes.
void result_folder::clear_away(bool all) const {
  for (fs::path const& where : {folder_, folder_ / "members", folder_ / "latents"})
    for (auto const& entry : fs::directory_iterator(where)) {
      auto const& file = entry.path();
      bool const unfinished = file.extension() == ".tmp" || file.extension() == ".partial";  // of NetCDF and of everything else
      bool const ours = file.extension() == ".nc" || file.filename() == "run.json" || (file.extension() == ".safetensors" && where != folder_);
      if (entry.is_regular_file() && (unfinished || (all && ours))) fs::remove(file);
    }
}

std::string result_folder::member(index_t m) const { return (folder_ / "members" / numbered(m, ".nc")).string(); }
std::string result_folder::latents(index_t m) const { return latents_of(folder_, m); }

std::vector<std::string> result_folder::members() const {
  std::vector<std::string> out;
  for (index_t m = 0; m < count_; ++m) out.push_back(member(m));
  return out;
}

std::string latents_of(fs::path const& folder, index_t m) { return (folder / "latents" / numbered(m, ".safetensors")).string(); }

std::string differences(json const& there, json const& here) {
  std::string out;
  auto const flat = [](json const& j) { return j.empty() ? json::object() : j.flatten(); };
  auto const all = flat(there), now = flat(here);
  auto const words = [](json const& in, std::string const& key) { return in.contains(key) ? in.at(key).dump() : std::string("nothing"); };
  auto names = all;
  names.update(now);
  for (auto const& [key, unused] : names.items())
    if (words(all, key) != words(now, key)) out += "\n  " + key.substr(1) + ": " + words(all, key) + " there, " + words(now, key) + " here";
  return out;
}

void write_whole(fs::path const& file, std::string const& text) {
  sda::pending_file out(file);
  out.write(std::as_bytes(std::span(text)));
  out.commit();
}

}  // namespace appa
