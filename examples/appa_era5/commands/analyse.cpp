// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "data/state_file.hpp"
#include "observe/ensemble_analysis.hpp"
#include "observe/ensemble_case.hpp"
#include "observe/observation_file.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>
#include <memory>

namespace {

using namespace appa;
using state = sda::host_array<double>;

struct settings {
  std::vector<std::string> data, variables;
  std::vector<int> levels;
  std::string time, config, out;
  int truth = 0, stations = 300;
  double error = 0.5;
  bool letkf = false, draws = false;
  ensemble_analysis method{.taper = {.half_width = 500, .vertical = 0.6, .variables = 0.1}};
};

void write_fields(std::string const& path, ensemble_case const& c, state const& x, index_t row, hours t, std::string const& title, std::string const& line) {
  state_writer file(path, {c.states.where, c.states.channels, title, "appa", line});
  auto fields = as_fields(x, row, c.states.channels.size());
  c.states.standard.restore(fields, c.states.where.points());
  file.append(t, fields);
  file.commit();
}

void write_all(settings const& s, ensemble_case const& c, observations const& seen, state const& posterior, hours t, std::string const& line) {
  std::filesystem::create_directories(s.out);
  auto const in = [&](std::string const& name) { return (std::filesystem::path(s.out) / name).string(); };
  write_fields(in("mean.nc"), c, posterior, 0, t, "analysis, mean", line);
  for (index_t m = 1; m < posterior.rows(); ++m) write_fields(in("member_" + std::to_string(m) + ".nc"), c, posterior, m, t, "analysis, a member", line);
  auto const prior = c.prior();
  index_t const channels = c.states.channels.size();
  observed_hour const hour{t, seen, shown_by(seen.seen, prior.mean, channels), {}, shown_by(seen.seen, as_fields(posterior, 0, channels), channels), {}};
  write_observations(in("observations.nc"), std::span(&hour, 1), "observations and their departures", line);
}

void run_analyse(settings const& s, run_options const& run) {
  hours const t = hours_of(parse_date(s.time));
  auto const c = read_ensemble(s.data, s.variables, s.levels, t, s.truth);
  auto list = nlohmann::json::array();
  if (!s.config.empty()) list = observation_list(s.config);
  else list.push_back({{"kind", "stations"}, {"count", s.stations}, {"channels", std::vector<std::string>{"all"}}, {"error", s.error}});
  state_at const truth = c.truth.empty() ? state_at() : [&c](hours) { return c.truth; };
  auto const all = observe_by(list, c.states, truth, sda::key{run.seed}.fold(0), [&c](hours) { return c.prior(); });
  if (!all.summary.empty()) std::printf("%s\n", all.summary.c_str());
  auto const seen = all.assimilated(t);
  sda::require(seen.count() > 0, "nothing is observed at ", text(t));

  auto const members = c.as_rows();
  auto const posterior = s.method(members, c.states.where, c.states.channels, seen, s.draws, sda::key{run.seed}.fold(1));
  std::printf("%td members, %td observations, %td of them assimilated\n", members.rows(), all.all(t).seen.count(), seen.count());
  if (!c.truth.empty()) {
    state const mean = members.colwise().mean();
    auto const before = c.unobserved_error(mean, seen), after = c.unobserved_error(posterior.topRows(1), seen);
    std::vector<double> other(before.size(), 0);
    if (s.letkf) {
      auto const analysed = letkf_analysis(members, c.states.where, c.states.channels, seen, s.method.taper, s.method.inflation);
      other = c.unobserved_error(analysed.colwise().mean(), seen);
    }
    std::printf("root mean square errors where nothing was observed\n%-24s %12s %12s %8s%s\n", "channel", "ensemble", "analysis", "ratio", s.letkf ? "        LETKF    ratio" : "");
    for (std::size_t i = 0; i < before.size(); ++i) {
      std::printf("%-24s %12.4g %12.4g %8.3f", label(c.states.channels.list()[i]).c_str(), before[i], after[i], after[i] / before[i]);
      if (s.letkf) std::printf(" %12.4g %8.3f", other[i], other[i] / before[i]);
      std::printf("\n");
    }
  }
  if (!s.out.empty()) write_all(s, c, all.all(t), posterior, t, run.line);
}

command const analyse("analyse", "assimilates with no training: the prior is the Gaussian of an ensemble, localised", [](CLI::App& app, run_options const& run) {
  auto s = std::make_shared<settings>();
  app.add_option("--data", s->data, "NetCDF files of an ensemble on a global grid, as names or patterns")->required()->delimiter(',');
  app.add_option("--time", s->time, "hour: 2017-01-01T12")->required();
  app.add_option("--variables", s->variables, "names, short or long; none: those of the first file")->delimiter(',');
  app.add_option("--levels", s->levels, "pressure levels, hPa; none: those of the first file")->delimiter(',');
  app.add_option("--truth", s->truth, "the member that is taken out of the prior, looked at by simulated instruments and compared with; -1: none");
  app.add_option("--observations", s->config, "YAML file with a list `observations:`; else stations that see everything")->check(CLI::ExistingFile);
  app.add_option("--stations", s->stations, "how many, without such a list")->check(CLI::PositiveNumber);
  app.add_option("--error", s->error, "deviation of what they see, in the spread of the prior")->check(CLI::PositiveNumber);
  app.add_option("--half-width", s->method.taper.half_width, "of the taper of covariances over distance, km");
  app.add_option("--vertical", s->method.taper.vertical, "... over levels, in the logarithm of pressure; 0: none");
  app.add_option("--variables-taper", s->method.taper.variables, "what counts of covariances between variables");
  app.add_option("--inflation", s->method.inflation, "of the members' departures from their mean");
  app.add_option("--iterations", s->method.iterations, "of conjugate gradients, at the most");
  app.add_flag("--draws", s->draws, "also analyse every member");
  app.add_flag("--letkf", s->letkf, "compare with a local ensemble transform Kalman filter");
  app.add_option("--out", s->out, "folder for mean.nc, member_*.nc, observations.nc");
  app.callback([s, &run] { run_analyse(*s, run); });
});

}  // namespace
