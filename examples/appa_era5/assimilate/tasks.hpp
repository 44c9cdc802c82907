// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "assimilate/system.hpp"
#include "training/job.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace appa {

/// What a task is told beside its configuration, whose sections `assimilation` and `observations` decide the rest.
struct task_options {
  std::string task;                // prior, reanalyse, filter, forecast, persistence or cycle
  system_options model;            // without one, a dry run takes the networks that the configuration describes
  std::vector<std::string> data;   // ERA5 files: what simulated instruments look at, what full states begin with; dry runs need none
  std::string out;                 // the folder to fill; one below it for each of several dates
  std::vector<std::string> first;  // dates: of the first state, or (forecasts, persistence) the first that is predicted, or (filter) the only one
  std::string from;                // forecasts: the folder of an earlier run whose last states before the date begin them, member by member
  std::vector<std::string> background;  // what departures are from: the folder of an earlier run, member by member, or files of states
  std::string analysis;  // cycle: a denoiser of departures that draws analyses, from the forecast before or, the first one, the background
  std::uint64_t seed = 0;
  int workers = 1;     // members drawn at a time, on threads
  bool resume = true;  // go on where an earlier run stopped; else remove what it left
  bool dry = false;    // only say what it would take
  std::string line;    // the command line
};

/// Runs a task: results.hpp says what it leaves behind. Members depend on the configuration, the seed and their number alone: not on
/// how many there are, on workers, ranks or interruptions.
void run_task(config const& whole, task_options const& o, job const& ranks);

}  // namespace appa
