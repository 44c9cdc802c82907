// SPDX-License-Identifier: Apache-2.0
// kolmogorov: SDA's second experiment, two-dimensional turbulence seen through coarse and partial instruments.
#include "../interrupt.hpp"
#include "experiment.hpp"
#include "train.hpp"

#include <CLI/CLI.hpp>

#include <iostream>

namespace {

void experiment_options(CLI::App& app, kolmogorov::experiment& e) {
  app.add_option("--cases", e.cases, "assimilation (velocity, 8 x 8 means), extrapolation (a patch of 4 x 4 means), saturation (of vorticity)");
  app.add_option("--weights", e.weights, "prior: a network that `train` wrote; default: the Gaussian of waves");
  app.add_option("--batch", e.batch, "windows of the network evaluated together; 0: all");
  app.add_option("--points", e.points, "of the grid, in each direction");
  app.add_option("--frames", e.frames, "states of a trajectory, 0.2 apart");
  app.add_option("--runs", e.runs, "runs of the model that the Gaussian is estimated from, each three trajectories long");
  app.add_option("--members", e.members, "members of the ensemble");
  app.add_option("--guidance", e.guidance, "gamma (SDA's likelihood) or mmps");
  app.add_option("--gamma", e.gamma, "variance of SDA's likelihood, in units of (sigma/alpha)²");
  app.add_option("--iterations", e.iterations, "of GMRES at most, for mmps");
  app.add_option("--tolerance", e.tolerance, "part of the innovation that GMRES may leave");
  app.add_option("--steps", e.steps, "sampling steps");
  app.add_option("--corrections", e.corrections, "Langevin corrections after each step");
  app.add_option("--tau", e.tau, "size of a correction");
  app.add_option("--sigma-min", e.sigma_min, "last noise level, in units of vorticity");
  app.add_option("--sigma-max", e.sigma_max, "first noise level");
  app.add_option("--seed", e.seed, "of all that is random");
  app.add_option("--out", e.out, "writes truth, observations and members to OUT-CASE.nc, which plot.py draws");
}

void train_options_of(CLI::App& app, kolmogorov::train_options& t) {
  auto const option = [&](char const* group, char const* name, auto& value, char const* about) { app.add_option(name, value, about)->group(group); };
  option("Files", "--out", t.out, "weights to write; .checkpoint (the whole run) and .jsonl (the log) beside them");
  app.add_flag("--resume", t.resume, "go on from the checkpoint, if there is one")->group("Files");
  option("Files", "--checkpoint-every", t.every, "steps between checkpoints, each with a validation");
  option("Data", "--points", t.points, "of the grid, in each direction");
  option("Data", "--runs", t.runs, "runs of the model");
  option("Data", "--length", t.length, "states of a run, 0.2 apart");
  option("Network", "--window", t.window, "states of a window: 2 k + 1");
  option("Network", "--patch", t.patch, "points, in each direction, that become one pixel of more channels; SDA: 1");
  app.add_option("--channels", t.channels, "widths, one for each resolution; SDA: 96,192,384")->delimiter(',')->group("Network");
  option("Network", "--blocks", t.blocks, "residual blocks at each resolution on each way; SDA: 3");
  option("Network", "--kernel", t.kernel, "points of a convolution, in each direction");
  option("Network", "--embedding", t.embedding, "width of the embedding of the noise level");
  option("Network", "--forcing", t.forcing, "whether the network sees a channel sin 4 y");
  option("Optimiser", "--steps", t.steps, "steps of training");
  option("Optimiser", "--batch", t.batch, "windows in a step");
  option("Optimiser", "--workers", t.workers, "threads that each take a part of every batch (with OMP_NUM_THREADS=1)");
  option("Optimiser", "--warmup", t.warmup, "steps until the rate is reached");
  option("Optimiser", "--rate", t.rate, "learning rate");
  option("Optimiser", "--decay", t.decay, "last part of the steps, over which the rate falls to 0");
  option("Optimiser", "--weight-decay", t.weight_decay, "of AdamW");
  option("Optimiser", "--average", t.average, "decay of the moving average of the parameters");
  option("Optimiser", "--clip", t.clip, "norm that gradients are scaled down to");
  option("Optimiser", "--sigma-min", t.sigma_min, "least noise level seen, in standard deviations of the vorticity");
  option("Optimiser", "--sigma-max", t.sigma_max, "largest noise level seen");
  option("Optimiser", "--rho", t.rho, "spread of the levels seen around their geometric mean");
  option("Optimiser", "--seed", t.seed, "of data, noise and first weights");
  option("Optimiser", "--device", t.device, "cpu or cuda");
}

int run(int argc, char** argv) {
  CLI::App app{"Assimilation of Kolmogorov flow: what is left of the observations, beside SDA's network.", "kolmogorov"};
  app.option_defaults()->always_capture_default();
  app.require_subcommand(0, 1);
  kolmogorov::experiment e;
  experiment_options(app, e);
  kolmogorov::train_options training;
  auto& t = *app.add_subcommand("train", "trains the network of windows on runs of the model");
  t.option_defaults()->always_capture_default();
  train_options_of(t, training);
  CLI11_PARSE(app, argc, argv);
  e.command = "kolmogorov";
  for (int i = 1; i < argc; ++i) e.command += std::string(" ") + argv[i];
  if (t.parsed()) {
    examples::catch_interrupts();
    training.between_steps = examples::heed_interrupts;
    kolmogorov::train(training);
  } else kolmogorov::run(e);
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
