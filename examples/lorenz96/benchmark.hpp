// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "commands.hpp"
#include "parameters.hpp"

#include <limits>

namespace lorenz96 {

inline constexpr double no_number = std::numeric_limits<double>::quiet_NaN();

/// A standard problem: a world, a network, and how many times of analysis there are.
struct benchmark_task {
  std::string name, about;
  world where;
  network net;
  index_t cycles;            // times of analysis
  double settling = 20;      // model time at the beginning that filters are not scored on
  std::string start = "beside";   // members: beside the truth (variance 0.001, the custom), or of the climate, or normal (0, 1)
  bool shocks = false;       // now and then the truth is multiplied by noise that no filter knows of
  bool unknown_forcing = false;   // filters estimate F beside the state, from N(7, 1)
};

/// What a method made of a task with one seed. `rmse_analysis` is of estimates from past and present observations,
/// `rmse_smoothed` from later ones too (the middle half of a window, or a filter's lag back); NaN where a method has none.
struct benchmark_outcome {
  double rmse_analysis = no_number, rmse_smoothed = no_number, crps = no_number, spread = no_number, spread_skill = no_number, rank_chi2 = no_number;
  double diverged = 0;   // share of analyses lost: error above that of the climate's mean
  std::vector<double> rmse_by_position{};   // of the window, first step first; empty for filters
  double rmse_parameter = no_number, spread_parameter = no_number;   // of an unknown forcing
  effort spent{};
  double seconds = no_number, seconds_model = no_number;   // per analysis, all of it; forecasts alone
};

/// Estimates the states of a scene. It is shown the observations; the truth is there for the scores alone.
using estimator = std::function<benchmark_outcome(scene const&, sda::key)>;

/// A way to estimate, configured by parameters whose defaults are those tuned for the task.
struct benchmark_method {
  std::string name, about;
  std::function<estimator(parameters&, benchmark_task const&, smoother_settings const&)> configure;
};

/// The classical filters of sda/filter, and its score filters that need no training.
std::vector<benchmark_method> classical_methods();

/// All tasks and methods. A new one is a line here.
std::vector<benchmark_task> const& benchmark_tasks();
std::vector<benchmark_method> const& benchmark_methods();

/// Analysis RMSE of a method with its own parameters: what this program scored when they were tuned, and what others
/// published for the same settings. NaN: unknown.
struct known_score {
  double here = no_number, published = no_number;
};
known_score expected_score(std::string const& task, std::string const& method);

struct benchmark_command {
  std::vector<std::string> tasks{"sakov2008"}, methods{"climatology", "oi", "score"};
  index_t cycles = 0;
  int seeds = 1;
  std::uint64_t first_seed = 3000;
  std::string json, plot, command;
  smoother_settings how;
};
void run_benchmark(benchmark_command const& c);

/// "a, b, c": for help texts.
std::string task_names();

}  // namespace lorenz96
