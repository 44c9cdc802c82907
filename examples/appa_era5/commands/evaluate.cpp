// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "data/sea.hpp"
#include "data/statistics.hpp"
#include "evaluate/observed.hpp"
#include "evaluate/report.hpp"

#include <sda/core/progress.hpp>

#include <cmath>
#include <cstdio>
#include <map>
#include <memory>

namespace {

using namespace appa;
using nlohmann::json;

struct settings {
  std::vector<std::string> runs, truth, variables, land;
  std::vector<int> levels;
  std::vector<index_t> members;
  std::string climate, statistics, observations, out;
  index_t truth_member = 1;
  int physics_every = 6, degrees = 0;
};

using methods = std::vector<std::pair<std::string, std::vector<std::string>>>;   // a name and its folders

// NAME=FOLDER, several folders of one name being several starts; the name of a FOLDER alone is its last part.
methods methods_of(std::vector<std::string> const& words) {
  methods out;
  for (auto const& word : words) {
    auto const equals = word.find('=');
    std::string path = equals == std::string::npos ? word : word.substr(equals + 1);
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    auto const name = equals == std::string::npos ? std::filesystem::path(path).stem().string() : word.substr(0, equals);
    sda::require(!name.empty() && name.find('/') == std::string::npos, "\"", word, "\" is not of the form name=folder");
    auto at = std::find_if(out.begin(), out.end(), [&](auto const& m) { return m.first == name; });
    if (at == out.end()) at = out.insert(out.end(), {name, {}});
    at->second.push_back(path);
  }
  return out;
}

// 1 at sea: where the truth's sea has a temperature or, if files with a mask of land are named, where that is below a half.
std::vector<char> ocean_of(settings const& s, archive const& truth) {
  if (s.land.empty()) return sea_of(truth);
  archive const mask(s.land, select_channels({"land_sea_mask"}, {}));
  sda::require(same(mask.where(), truth.where()), s.land[0], " is on a grid of ", text(mask.where()), ", the truth on one of ", text(truth.where()));
  std::vector<float> field(static_cast<std::size_t>(truth.where().points()));
  mask.read(truth.times().front(), 1, 1, field.data());
  std::vector<char> sea;
  for (float const x : field) sea.push_back(x < 0.5f);
  return sea;
}

// What all runs had observed, each its own or all that of the run that is named; made once where several say the same.
observed_beside observations_of(settings const& s, methods const& all) {
  observed_beside out;
  sda::require(s.observations.empty() || !s.statistics.empty(), "--observations needs --statistics, too");
  if (s.statistics.empty()) return out;
  std::map<json, std::shared_ptr<observed_run const>> made;
  for (auto const& [name, folders] : all)
    for (auto const& folder : folders) {
      trajectories const run(folder), observer(s.observations.empty() ? folder : s.observations);
      auto const& about = observer.about();
      bool const observed = about.value(json::json_pointer("/observations/hours"), 0) > 0;
      sda::require(observed || s.observations.empty(), s.observations, " has observed nothing");
      if (!observed) continue;
      auto& seen = made[json::array({about.at("observations"), about.value(json::json_pointer("/configuration/observations"), json()), about.value("seed", json())})];
      if (!seen) {
        auto const channels = observer.channels();
        auto const data = std::make_shared<archive const>(s.truth, channels, s.truth_member - 1);
        seen = std::make_shared<observed_run const>(observed_by(about, data, read_statistics(s.statistics, channels), observer.path()));
      }
      out.add(run, seen);
    }
  return out;
}

std::string joined(std::vector<std::string> const& words) {
  std::string out;
  for (auto const& w : words) out += (out.empty() ? "" : ", ") + w;
  return out;
}

void run_evaluate(settings const& s, run_options const& run) {
  auto const compared = methods_of(s.runs);
  auto const all = trajectories(compared.front().second.front()).channels();
  std::vector<std::string> names = s.variables;
  if (names.empty()) {
    names = all.surface;
    names.insert(names.end(), all.atmosphere.begin(), all.atmosphere.end());
  }
  auto const channels = select_channels(names, s.levels.empty() ? all.levels : s.levels);
  reference against{std::make_shared<archive const>(s.truth, channels, s.truth_member - 1)};
  against.sea = ocean_of(s, *against.truth);
  if (!s.climate.empty()) against.normal.emplace(s.climate, channels);
  auto const deviations = s.statistics.empty() ? std::vector<double>() : read_statistics(s.statistics, channels).deviation;
  auto const observed = observations_of(s, compared);
  if (observed.any()) against.seen = [&](trajectories const& of, hours t) { return observed.points(of, t, channels); };

  std::vector<evaluation> results;
  for (auto const& [name, folders] : compared) {
    std::unique_ptr<sda::progress> bar;
    auto const progress = [&, n = name](index_t done, index_t total) {
      if (!bar) bar = std::make_unique<sda::progress>(n, long(total));
      bar->at(long(done));
    };
    results.push_back(evaluate(name, folders, against, {s.members, s.physics_every, s.degrees, sda::key{run.seed}, progress}));
    left_out_scores left_out;
    for (auto const& folder : folders) {
      trajectories const of(folder, s.members);
      if (auto const* const seen = observed.of(of)) left_out.add(of, *seen);
    }
    results.back().left_out = left_out.by_variable();
    if (auto const n = results.back().passed_over; n > 0) std::fprintf(stderr, "%s: there is no truth for %td of its hours\n", name.c_str(), n);
  }
  report_words const words{joined(s.truth), s.climate, s.observations, run.line};
  write_report(s.out, results, channels, deviations, words);
  std::printf("%s", tables(describe(results, channels, deviations, words)).c_str());
}

command const evaluate_runs("evaluate", "scores, spectra and balances of ensembles beside the truth: a report of methods side by side", [](CLI::App& app, run_options const& run) {
  auto s = std::make_shared<settings>();
  app.add_option("runs", s->runs, "NAME=FOLDER of what a task wrote (members/*.nc), or NAME=FILE;\nseveral folders of one name are several starts")->required();
  app.add_option("--truth", s->truth, "NetCDF files of the true states, as names or patterns")->required()->delimiter(',');
  app.add_option("--out", s->out, "folder of the report")->required();
  app.add_option("--truth-member", s->truth_member, "which one, where the truth is an ensemble")->check(CLI::PositiveNumber);
  app.add_option("--members", s->members, "only these members of the runs, from 1")->delimiter(',');
  app.add_option("--variables", s->variables, "names, short or long; none: those of the first run")->delimiter(',');
  app.add_option("--levels", s->levels, "pressure levels, hPa; none: those of the first run")->delimiter(',');
  app.add_option("--climate", s->climate, "file of `appa climate`, for correlations of anomalies")->check(CLI::ExistingFile);
  app.add_option("--statistics", s->statistics, "file of `appa stats`, for errors of standardised fields")->check(CLI::ExistingFile);
  app.add_option("--observations", s->observations, "folder of a run whose observations count for all;\nnone: each run's own, if there are statistics");
  app.add_option("--land-sea-mask", s->land, "files of the land-sea mask, for scores over the ocean; none: where the truth's sea has a temperature")->delimiter(',');
  app.add_option("--physics-every", s->physics_every, "states from one whose spectra and balances are looked at to the next; 0: never")->check(CLI::NonNegativeNumber);
  app.add_option("--degrees", s->degrees, "of spectra; 0: those that the grid has exactly")->check(CLI::NonNegativeNumber);
  app.callback([s, &run] { run_evaluate(*s, run); });
});

}  // namespace
