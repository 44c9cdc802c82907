// SPDX-License-Identifier: Apache-2.0
// kolmogorov: SDA's second experiment, two-dimensional turbulence seen through coarse and partial instruments.
#include "experiment.hpp"

#include <CLI/CLI.hpp>

#include <iostream>

namespace {

int run(int argc, char** argv) {
  kolmogorov::experiment e;
  CLI::App app{"Assimilation of Kolmogorov flow with a Gaussian prior of waves: what is left of the observations, beside SDA's network.", "kolmogorov"};
  app.option_defaults()->always_capture_default();
  app.add_option("--cases", e.cases, "assimilation (velocity, 8 x 8 means), extrapolation (a patch of 4 x 4 means), saturation (of vorticity)");
  app.add_option("--points", e.points, "of the grid, in each direction");
  app.add_option("--frames", e.frames, "states of a trajectory, 0.2 apart");
  app.add_option("--runs", e.runs, "runs of the model that the prior is estimated from, each three trajectories long");
  app.add_option("--members", e.members, "members of the ensemble");
  app.add_option("--guidance", e.guidance, "gamma (SDA's likelihood) or mmps");
  app.add_option("--gamma", e.gamma, "variance of SDA's likelihood, in units of (sigma/alpha)²");
  app.add_option("--iterations", e.iterations, "of GMRES, for mmps");
  app.add_option("--steps", e.steps, "sampling steps");
  app.add_option("--corrections", e.corrections, "Langevin corrections after each step");
  app.add_option("--tau", e.tau, "size of a correction");
  app.add_option("--sigma-min", e.sigma_min, "last noise level, in units of vorticity");
  app.add_option("--sigma-max", e.sigma_max, "first noise level");
  app.add_option("--seed", e.seed, "of all that is random");
  CLI11_PARSE(app, argc, argv);
  kolmogorov::run(e);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (std::exception const& e) {
    std::cerr << "kolmogorov: " << e.what() << '\n';
    return 1;
  }
}
