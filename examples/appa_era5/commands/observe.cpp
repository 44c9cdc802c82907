// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "data/dataset.hpp"
#include "data/sea.hpp"
#include "observe/observation_file.hpp"
#include "observe/observing.hpp"

#include <sda/core/progress.hpp>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdio>
#include <memory>

namespace {

using namespace appa;

struct settings {
  std::vector<std::string> data, variables;
  std::vector<int> levels = levels_13();
  std::string config, statistics, over, out;
  int step = 1;
};

void run_observe(settings const& s, run_options const& run) {
  auto const data = std::make_shared<archive>(s.data, s.variables.empty() ? published_channels(s.levels) : select_channels(s.variables, s.levels));
  period const over = parse_period(s.over);
  scene states{data->where(), data->channels(), read_statistics(s.statistics, data->channels()), sea_of(*data)};
  auto const truth = [&](hours t) { return dataset(data, {t, t}, {}, states.standard)[0].values; };
  auto const list = observation_list(s.config);
  auto const all = observe_by(list, states, truth, sda::key{run.seed});
  if (!all.summary.empty()) std::printf("%s\n", all.summary.c_str());

  std::vector<observed_hour> seen;
  index_t counts[4] = {};
  sda::progress bar("observe", long((over.size() + s.step - 1) / s.step));
  for (hours t = over.first; t <= over.last; t += s.step) {
    seen.push_back({t, all.all(t), {}, {}, {}, {}});
    for (fate const f : seen.back().what.fates) ++counts[std::size_t(f)];
    bar.at(long(seen.size()));
  }
  write_observations(s.out, seen, "observations of " + text(over), run.line, {{"instruments", list.dump()}, {"seed", double(run.seed)}});
  std::printf("%td assimilated, %td left out, %td gross errors, %td thinned\n", counts[0], counts[1], counts[2], counts[3]);
}

command const observe("observe", "draws the observations that a configuration lists, and checks real ones: a file in observation space",
                      [](CLI::App& app, run_options const& run) {
                        auto s = std::make_shared<settings>();
                        app.add_option("--config", s->config, "YAML file with a list `observations:`")->required()->check(CLI::ExistingFile);
                        app.add_option("--data", s->data, "NetCDF files of the states looked at, as names or patterns")->required()->delimiter(',');
                        app.add_option("--statistics", s->statistics, "means and deviations, of `appa stats`")->required();
                        app.add_option("--period", s->over, "which hours: 2020-03, 2020-01-01T06..2020-01-05")->required();
                        app.add_option("--out", s->out, "NetCDF file to write")->required();
                        app.add_option("--variables", s->variables, "names, short or long; none: those of the published system")->delimiter(',');
                        app.add_option("--levels", s->levels, "pressure levels, hPa")->delimiter(',');
                        app.add_option("--step", s->step, "hours from one state to the next")->check(CLI::PositiveNumber);
                        app.callback([s, &run] { run_observe(*s, run); });
                      });

}  // namespace
