// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "sphere/synthesis.hpp"
#include "../../interrupt.hpp"

#include <sda/core/progress.hpp>

#include <memory>

namespace {

using namespace appa;

struct settings {
  synthesis_settings run;
  std::string folder, over = "2019-01..2019-12", where = "64x33";
  std::vector<std::string> variables;
  std::vector<int> levels = levels_13();
};

void run_synthesize(settings& s, run_options const& run) {
  auto& to = s.run;
  to.folder = s.folder, to.over = parse_period(s.over), to.where = parse_grid(s.where);
  to.channels = s.variables.empty() ? published_channels(s.levels) : select_channels(s.variables, s.levels);
  to.seed = run.seed, to.command = run.line;
  std::unique_ptr<sda::progress> bar;
  to.progress = [&](hours done, hours all) {
    if (!bar) bar = std::make_unique<sda::progress>("synthesize", long(all), long(done) - 1);
    bar->at(long(done), text(to.over.first + done - 24 * to.spin_up));
    examples::heed_interrupts();
  };
  examples::catch_interrupts();
  synthesize(to);
}

command const entry("synthesize", "makes the weather of an idealised Earth and writes it like ERA5, hour by hour", [](CLI::App& app, run_options const& run) {
  auto s = std::make_shared<settings>();
  app.add_option("--out", s->folder, "folder for the files; a run that was stopped goes on where it was")->required();
  app.add_option("--period", s->over, "which hours: 2019, 2019-03, 2018..2019, 2019-01-01T06..2019-01-05");
  app.add_option("--grid", s->where, "WIDTHxHEIGHT, with +poles or -poles when the height does not say so");
  app.add_option("--variables", s->variables, "names, short or long; none: those of the published system")->delimiter(',');
  app.add_option("--levels", s->levels, "pressure levels, hPa")->delimiter(',');
  app.add_flag("--context", s->run.context, "also the fields of the context: sun, land, orography");
  app.add_flag("--daily", s->run.daily, "files of a day each, not of a month");
  app.add_option("--deflate", s->run.deflate, "zlib level of the files, 0 to 9")->check(CLI::Range(0, 9));
  app.add_option("--truncation", s->run.model.truncation, "highest degree of the model's harmonics")->check(CLI::Range(10, 170));
  app.add_option("--spin-up", s->run.spin_up, "days before the first hour that is written")->check(CLI::NonNegativeNumber);
  app.callback([s, &run] { run_synthesize(*s, run); });
});

}  // namespace
