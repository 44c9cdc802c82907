// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "data/statistics.hpp"
#include "evaluate/observed.hpp"
#include "evaluate/report.hpp"

#include <sda/core/progress.hpp>

#include <cmath>
#include <cstdio>
#include <memory>

namespace {

using namespace appa;

struct settings {
  std::vector<std::string> runs, truth, variables, land;
  std::vector<int> levels;
  std::vector<index_t> members;
  std::string climate, statistics, observations, out;
  index_t truth_member = 1;
  int physics_every = 6, degrees = 0;
};

// NAME=FOLDER, several folders of one name being several starts; the name of a FOLDER alone is its last part.
std::vector<std::pair<std::string, std::vector<std::string>>> methods_of(std::vector<std::string> const& words) {
  std::vector<std::pair<std::string, std::vector<std::string>>> out;
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

// 1 at sea: where the sea has a temperature at the truth's first hour or, if files with a mask of land are named, where that is below a half.
std::vector<char> sea_of(settings const& s, archive const& truth) {
  index_t const points = truth.where().points(), sst = truth.channels().index_of({"sea_surface_temperature", 0});
  std::vector<float> field(static_cast<std::size_t>(points));
  std::vector<char> sea;
  if (!s.land.empty()) {
    archive const mask(s.land, select_channels({"land_sea_mask"}, {}));
    sda::require(same(mask.where(), truth.where()), s.land[0], " is on a grid of ", text(mask.where()), ", the truth on one of ", text(truth.where()));
    mask.read(truth.times().front(), 1, 1, field.data());
    for (float const x : field) sea.push_back(x < 0.5f);
  } else if (sst >= 0) {
    std::vector<float> state(std::size_t(truth.channels().size() * points));
    truth.read(truth.times().front(), 1, 1, state.data());
    for (index_t p = 0; p < points; ++p) sea.push_back(std::isfinite(state[std::size_t(sst * points + p)]));
  }
  return sea;
}

// What the run named, or else the first, had observed; nothing if it did not observe.
std::optional<observed_run> observations_of(settings const& s, std::string const& first) {
  trajectories const run(s.observations.empty() ? first : s.observations);
  if (s.statistics.empty() || run.about().value(nlohmann::json::json_pointer("/observations/hours"), 0) <= 0) {
    sda::require(s.observations.empty(), s.statistics.empty() ? "--observations needs --statistics, too" : s.observations + " has observed nothing");
    return {};
  }
  auto const data = std::make_shared<archive const>(s.truth, run.channels(), s.truth_member - 1);
  return observed_by(run.about(), data, read_statistics(s.statistics, run.channels()), sea_of(s, *data));
}

std::string joined(std::vector<std::string> const& words) {
  std::string out;
  for (auto const& w : words) out += (out.empty() ? "" : ", ") + w;
  return out;
}

void run_evaluate(settings const& s, run_options const& run) {
  auto const methods = methods_of(s.runs);
  auto const all = trajectories(methods.front().second.front()).channels();
  std::vector<std::string> names = s.variables;
  if (names.empty()) {
    names = all.surface;
    names.insert(names.end(), all.atmosphere.begin(), all.atmosphere.end());
  }
  auto const channels = select_channels(names, s.levels.empty() ? all.levels : s.levels);
  reference against{std::make_shared<archive const>(s.truth, channels, s.truth_member - 1)};
  against.sea = sea_of(s, *against.truth);
  if (!s.climate.empty()) against.normal.emplace(s.climate, channels);
  auto const deviations = s.statistics.empty() ? std::vector<double>() : read_statistics(s.statistics, channels).deviation;
  auto const seen = observations_of(s, methods.front().second.front());
  if (seen)
    against.seen = [&, list = channels.list()](hours t, index_t c) { return seen->points(t, list[std::size_t(c)]); };

  std::vector<evaluation> results;
  for (auto const& [name, folders] : methods) {
    std::unique_ptr<sda::progress> bar;
    auto const progress = [&, n = name](index_t done, index_t total) {
      if (!bar) bar = std::make_unique<sda::progress>(n, long(total));
      bar->at(long(done));
    };
    results.push_back(evaluate(name, folders, against, {s.members, s.physics_every, s.degrees, sda::key{run.seed}, progress}));
    if (seen) results.back().left_out = at_left_out(trajectories(folders.front(), s.members), *seen);
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
  app.add_option("--observations", s->observations, "folder of the run whose observations tell what was not observed, and what was left out;\nnone: the first run's, if there are statistics");
  app.add_option("--land-sea-mask", s->land, "files of the land-sea mask, for scores over the ocean; none: where the truth's sea has a temperature")->delimiter(',');
  app.add_option("--physics-every", s->physics_every, "states from one whose spectra and balances are looked at to the next; 0: never")->check(CLI::NonNegativeNumber);
  app.add_option("--degrees", s->degrees, "of spectra; 0: those that the grid has exactly")->check(CLI::NonNegativeNumber);
  app.callback([s, &run] { run_evaluate(*s, run); });
});

}  // namespace
