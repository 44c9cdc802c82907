// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "data/statistics.hpp"

#include <sda/core/progress.hpp>

#include <cstdio>
#include <memory>

namespace {

using namespace appa;

struct settings {
  std::vector<std::string> data, variables;
  std::vector<int> levels = levels_13();
  std::string over = "1993..2019", out;
  int step = 1;
  bool area = false;
};

void run_stats(settings const& s, run_options const& run) {
  archive const data(s.data, s.variables.empty() ? published_channels(s.levels) : select_channels(s.variables, s.levels));
  period const over = parse_period(s.over);
  if (auto const lost = data.report(over, s.step); !lost.empty()) std::fprintf(stderr, "%s\n", lost.c_str());
  sda::progress bar("stats", long((over.size() + s.step - 1) / s.step));
  auto const result = compute_statistics(data, {over, s.step, s.area, [&](index_t done, index_t all) { bar.at(done == all ? long((over.size() + s.step - 1) / s.step) : done); }});
  write_statistics(s.out, result, "hours of " + text(over) + (s.area ? ", weighted by area" : ", every grid point alike"), run.line);
  std::printf("%-36s %14s %14s\n", "channel", "mean", "std");
  std::size_t i = 0;
  for (auto const& c : result.channels.list()) {
    std::printf("%-36s %14.6g %14.6g  %s\n", label(c).c_str(), result.mean[i], result.deviation[i], variable_of(c.name).units.c_str());
    ++i;
  }
}

command const stats("stats", "means and deviations of channels over the hours that are trained on", [](CLI::App& app, run_options const& run) {
  auto s = std::make_shared<settings>();
  app.add_option("--data", s->data, "NetCDF files, as names or patterns")->required()->delimiter(',');
  app.add_option("--out", s->out, "NetCDF file to write")->required();
  app.add_option("--variables", s->variables, "names, short or long; none: those of the published system")->delimiter(',');
  app.add_option("--levels", s->levels, "pressure levels, hPa")->delimiter(',');
  app.add_option("--period", s->over, "which hours: 2020, 2020-03, 1993..2019, 2020-01-01T06..2020-01-05");
  app.add_option("--step", s->step, "hours from one state to the next")->check(CLI::PositiveNumber);
  app.add_flag("--area", s->area, "weigh grid points by the area they stand for");
  app.callback([s, &run] { run_stats(*s, run); });
});

}  // namespace
