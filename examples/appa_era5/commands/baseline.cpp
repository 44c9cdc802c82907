// SPDX-License-Identifier: Apache-2.0
// climate, baseline
#include "commands.hpp"
#include "data/sea.hpp"
#include "evaluate/baselines.hpp"

#include <sda/core/progress.hpp>

#include <cmath>
#include <cstdio>
#include <memory>

namespace {

using namespace appa;

struct climate_settings {
  std::vector<std::string> data, variables;
  std::vector<int> levels = levels_13();
  std::string over = "1993..2019", out;
  int step = 6;
};

void run_climate(climate_settings const& s, run_options const& run) {
  archive const data(s.data, s.variables.empty() ? published_channels(s.levels) : select_channels(s.variables, s.levels));
  std::unique_ptr<sda::progress> bar;
  write_climate(s.out, data, parse_period(s.over), s.step, run.line, [&](index_t done, index_t all) {
    if (!bar) bar = std::make_unique<sda::progress>("climate", long(all));
    bar->at(long(done));
  });
}

command const mean_states("climate", "mean states by month and time of day", [](CLI::App& app, run_options const& run) {
  auto s = std::make_shared<climate_settings>();
  app.add_option("--data", s->data, "NetCDF files, as names or patterns")->required()->delimiter(',');
  app.add_option("--out", s->out, "NetCDF file to write")->required();
  app.add_option("--variables", s->variables, "names, short or long; none: those of the published system")->delimiter(',');
  app.add_option("--levels", s->levels, "pressure levels, hPa")->delimiter(',');
  app.add_option("--period", s->over, "which hours: 2020, 2020-03, 1993..2019");
  app.add_option("--step", s->step, "hours from one time of day to the next")->check(CLI::PositiveNumber);
  app.callback([s, &run] { run_climate(*s, run); });
});

struct baseline_settings {
  std::string method, like, statistics, climate, over = "1993..2019", out, from;
  std::vector<std::string> data;
  int days = 15;
  gaussian_settings gaussian;
  interpolation_settings interpolation;
};

void run_baseline(baseline_settings s, run_options const& run) {
  trajectories const other(s.like);
  auto const data = std::make_shared<archive const>(s.data, other.channels());
  baseline b{s.out, s.method, 0, 1, 0, 1, data};
  b.like(other.about());
  b.command = run.line, b.sea = sea_of(*data);
  period const over = parse_period(s.over);
  if (s.method == "climatology") return write_climatology(b, over, s.interpolation.members, s.days, sda::key{run.seed});
  if (s.method == "persistence") {
    hours const usual = b.states > b.assimilated && b.assimilated > 0 ? b.at(b.assimilated - 1) : b.at(-1);
    return write_persistence(b, s.from.empty() ? usual : hours_of(parse_date(s.from)));
  }
  sda::require(!s.statistics.empty() && !s.climate.empty(), "optimal interpolation needs --statistics and --climate");
  auto const standard = read_statistics(s.statistics, data->channels());
  climate const normal(s.climate, data->channels());
  s.gaussian.over = over, s.gaussian.step = b.step;
  auto const prior = estimate_gaussian(*data, standard, normal, s.gaussian);
  std::fprintf(stderr, "anomalies to degree %d; memory over %d h: %.3f at degree 1, %.3f at the last; beyond it lie %.1f %% of the variance\n", prior.sphere.truncation(),
               b.step, prior.memory(1), prior.memory(prior.sphere.truncation()), 100 * prior.beyond.mean());
  write_interpolation(b, observed_by(other.about(), data, standard, other.path()), prior, normal, s.interpolation, sda::key{run.seed});
}

command const baselines("baseline", "what needs no network, as a run like another: climatology, persistence, optimal interpolation", [](CLI::App& app, run_options const& run) {
  auto s = std::make_shared<baseline_settings>();
  auto& oi = s->interpolation;
  app.add_option("method", s->method, "climatology: states of other years; persistence: one state for ever;\noptimal-interpolation: of the same observations, with covariances of other states")
      ->required()
      ->check(CLI::IsMember({"climatology", "persistence", "optimal-interpolation"}));
  app.add_option("--like", s->like, "folder of a run: the states to write, and what was observed of them")->required()->check(CLI::ExistingDirectory);
  app.add_option("--data", s->data, "NetCDF files of states, as names or patterns")->required()->delimiter(',');
  app.add_option("--out", s->out, "folder to write")->required();
  app.add_option("--period", s->over, "from which climatology and covariances are taken");
  app.add_option("--members", oi.members, "members; of optimal interpolation one is the mean itself")->check(CLI::PositiveNumber);
  app.add_option("--days", s->days, "climatology: days of the year from the date, at the most")->check(CLI::NonNegativeNumber);
  app.add_option("--from", s->from, "persistence: the hour whose state stays; none: the last before what is predicted or analysed");
  app.add_option("--statistics", s->statistics, "file of `appa stats`")->check(CLI::ExistingFile);
  app.add_option("--climate", s->climate, "file of `appa climate`")->check(CLI::ExistingFile);
  app.add_option("--samples", s->gaussian.samples, "pairs of states from which covariances are estimated")->check(CLI::PositiveNumber);
  app.add_option("--degrees", s->gaussian.degrees, "last degree of spherical harmonics; 0: by the grid")->check(CLI::NonNegativeNumber);
  app.add_option("--iterations", oi.iterations, "of conjugate gradients, at the most")->check(CLI::PositiveNumber);
  app.add_option("--tolerance", oi.tolerance, "where they stop")->check(CLI::PositiveNumber);
  app.callback([s, &run] { run_baseline(*s, run); });
});

}  // namespace
