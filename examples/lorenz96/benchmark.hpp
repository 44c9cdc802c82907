// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "commands.hpp"

#include <cstdint>

namespace lorenz96 {

/// A standard problem: a world, a network, and how many times of analysis count.
struct benchmark_task {
  std::string name, about;
  world where;
  network net;
  index_t cycles;
};

/// What a method made of a task with one seed. `rmse_analysis` is of estimates from past and present observations,
/// `rmse_smoothed` from later ones too (the middle half of a window); NaN where a method has none.
struct benchmark_outcome {
  std::string parameters;
  double rmse_analysis, rmse_smoothed, crps, spread, spread_skill, rank_chi2;
  double diverged = 0;   // share of analyses lost: error above that of the climate's mean
  double model_evaluations = 0, network_evaluations = 0;   // steps of one member; rows through the network, products with its Jacobian included
};

/// Something that estimates states. It is shown the observations of a scene; the truth is there for the scores alone.
struct benchmark_method {
  std::string name, about;
  std::function<benchmark_outcome(benchmark_task const&, scene const&, smoother_settings const&, sda::key)> run;
};

/// The classical filters of sda/filter, and its score filters that need no training.
std::vector<benchmark_method> classical_methods();

/// All tasks and methods. A new one is a line here.
std::vector<benchmark_task> const& benchmark_tasks();
std::vector<benchmark_method> const& benchmark_methods();

struct benchmark_command {
  std::vector<std::string> tasks{"sakov2008"}, methods{"climatology", "oi", "score"};
  index_t cycles = 0;
  int seeds = 1;
  std::uint64_t first_seed = 3000;
  std::string json, command;
  smoother_settings how;
};
void run_benchmark(benchmark_command const& c);

/// "a, b, c": for help texts.
std::string task_names();

}  // namespace lorenz96
