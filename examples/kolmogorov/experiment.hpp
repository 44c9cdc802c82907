// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

namespace kolmogorov {

/// SDA's second experiment (Rozet & Louppe, 2023): what is left of observations after assimilation.
struct experiment {
  std::string cases = "assimilation,extrapolation,saturation";
  std::string weights;              // of a network that `train` wrote; none: the Gaussian of waves
  std::int64_t batch = 0;           // its windows that are evaluated together, 0: all
  std::int64_t points = 64, frames = 32, runs = 16, members = 4;
  std::string guidance = "gamma";   // or mmps
  double gamma = 1e-2;
  int iterations = 40;              // of GMRES at most, for mmps
  double tolerance = 0.05;          // ... which ends when so much of the innovation is left
  std::int64_t steps = 256;
  int corrections = 1;
  double tau = 0.5;
  double sigma_min = 3e-3, sigma_max = 1e3;
  std::uint64_t seed = 1;
  std::string out, command;         // files to write begin with `out`, one a case, if it is not empty; the command is told in them
};
void run(experiment const& e);

}  // namespace kolmogorov
