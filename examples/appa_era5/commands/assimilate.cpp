// SPDX-License-Identifier: Apache-2.0
// prior, reanalyse, filter, forecast, persistence, cycle
#include "assimilate/tasks.hpp"

#include "../../interrupt.hpp"
#include "commands.hpp"

#include <filesystem>
#include <memory>

namespace {

using namespace appa;

struct settings {
  task_options task;
  std::string config, model;
  std::vector<std::string> words;

  // An option that stands for a word of the configuration.
  void stands_for(CLI::App& app, std::string const& option, std::string const& key, std::string const& about) {
    app.add_option_function<std::string>(
        option, [this, key](std::string const& value) { words.push_back("assimilation." + key + "=" + value); },
        about + " (assimilation." + key + ")");
  }
};

void start(settings& s, run_options const& run) {
  namespace fs = std::filesystem;
  auto& o = s.task;
  bool const described = o.dry && s.model.empty() && o.model.latents.empty() && o.model.model.empty();  // by the configuration
  if (!described && o.model.latents.empty()) o.model.latents = (fs::path(s.model) / "latents").string();
  if (!described && o.model.model.empty()) o.model.model = (fs::path(s.model) / "denoiser").string();
  o.seed = run.seed, o.line = run.line;
  examples::catch_interrupts();
  auto const whole = s.config.empty() ? config::parse("", s.words) : config::read(s.config, s.words);
  on_job([&](job const& ranks) { run_task(whole, o, ranks); });
}

std::shared_ptr<settings> task(CLI::App& app, run_options const& run, std::string const& name, std::string const& date) {
  auto s = std::make_shared<settings>();
  auto& o = s->task;
  o.task = name;
  app.add_option("--model", s->model, "folder that holds latents/ (of appa encode) and denoiser/ (of appa train-denoiser)");
  app.add_option("--latents", o.model.latents, "the former, if elsewhere: the autoencoder and statistics of latents");
  app.add_option("--denoiser", o.model.model, "the latter, if elsewhere: a folder, or a file of weights");
  app.add_option("--statistics", o.model.statistics, "of states, of appa stats, where the autoencoder does not know them");
  app.add_option("--config", s->config, "YAML file with sections assimilation and observations")->check(CLI::ExistingFile);
  app.add_option("words", s->words, "key=value: replaces a value of the configuration, as assimilation.steps=64");
  app.add_option("--out", o.out, "folder to fill; one below it for each date if there are several")->required();
  app.add_option("--first", o.first, "dates, YYYY-MM-DD or YYYY-MM-DDThh: " + date)->required()->delimiter(',')->allow_extra_args(false);
  s->stands_for(app, "--members", "members", "trajectories");
  app.add_option("--workers", o.workers, "members drawn at a time")->check(CLI::PositiveNumber);
  app.add_flag("--resume,!--no-resume", o.resume, "go on where an earlier run stopped; else remove what it left");
  app.add_flag("--dry-run", o.dry,
               "only say what it would take: memory, evaluations, time; for which no data are needed and, if the configuration describes the "
               "networks, no model");
  app.add_option("--device", o.model.device, "cpu, cuda (each rank the card of its number on its machine) or cuda:1");
  app.callback([s, &run] { start(*s, run); });
  return s;
}
void sees(CLI::App& app, settings& s) {
  app.add_option("--data", s.task.data, "NetCDF files of states, as names or patterns: what simulated instruments look at")->delimiter(',');
}
void departs(CLI::App& app, settings& s) {
  app.add_option("--background", s.task.background,
                 "what a denoiser of departures (denoiser.background) departs from: the folder of an earlier run, or files of states")
      ->delimiter(',');
}
void begins(CLI::App& app, settings& s) {
  s.stands_for(app, "--lead", "lead", "hours to predict");
  s.stands_for(app, "--start", "start", "what it begins with: full states, observations, or a reanalysis of observations");
  s.stands_for(app, "--spin-up", "spin_up", "hours of observations in that reanalysis");
  app.add_option("--from", s.task.from, "begin with the last states of an earlier run's members: its folder");
}

command const prior("prior", "draws trajectories from the prior, given nothing but the date", [](CLI::App& app, run_options const& run) {
  auto const s = task(app, run, "prior", "the first state");
  departs(app, *s), s->stands_for(app, "--hours", "hours", "to draw");
});
command const reanalyse("reanalyse", "draws the states of a period given all that was observed in it", [](CLI::App& app, run_options const& run) {
  auto const s = task(app, run, "reanalyse", "the first state");
  sees(app, *s), departs(app, *s), s->stands_for(app, "--hours", "hours", "in the period");
});
command const filter("filter", "draws a state given what was observed up to it", [](CLI::App& app, run_options const& run) {
  auto const s = task(app, run, "filter", "the state");
  sees(app, *s), departs(app, *s), s->stands_for(app, "--hours", "hours", "of observations, with the state's own");
});
command const forecast("forecast", "draws what follows full states, observations, a reanalysis or an earlier run",
                       [](CLI::App& app, run_options const& run) {
                         auto const s = task(app, run, "forecast", "the first state that is predicted");
                         sees(app, *s), begins(app, *s);
                         s->stands_for(app, "--hours", "hours", "before the date that it begins with");
                         app.add_flag_callback(
                             "--all-at-once", [s = s.get()] { s->words.push_back("assimilation.all_at_once=true"); },
                             "one trajectory of windows that join causally (assimilation.all_at_once)");
                       });
command const persistence("persistence", "repeats the last state before the date", [](CLI::App& app, run_options const& run) {
  auto const s = task(app, run, "persistence", "the first state that is predicted");
  sees(app, *s), begins(app, *s);
});
command const cycle("cycle", "analyses and forecasts in turn, each analysis continuing the one before", [](CLI::App& app, run_options const& run) {
  auto const s = task(app, run, "cycle", "the first state of the first forecast");
  sees(app, *s), departs(app, *s);
  app.add_option("--analysis-denoiser", s->task.analysis,
                 "one of departures: analyses depart from the forecasts before them, the first from --background, if there is one");
  s->stands_for(app, "--lead", "lead", "hours of every forecast");
  s->stands_for(app, "--hours", "hours", "of observations in the first analysis");
  s->stands_for(app, "--every", "every", "hours from one forecast to the next");
  s->stands_for(app, "--cycles", "cycles", "forecasts");
});

}  // namespace
