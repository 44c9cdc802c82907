// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "scene.hpp"
#include "smoother.hpp"

namespace lorenz96 {

struct simulate_command {
  world where;
  network net;
  std::string out, command;
};
void run_simulate(simulate_command const& c);

struct assimilate_command {
  world where;
  network net;
  smoother_settings how;
  std::string input, out, plot, command;
  bool no_baselines = false;
};
void run_assimilate(assimilate_command const& c);

/// 0: as many as the machine has.
void use_threads(int n);

}  // namespace lorenz96
