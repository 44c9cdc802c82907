// SPDX-License-Identifier: Apache-2.0
// lorenz63: SDA's validation on a system small enough for particle filters to be right about.
#include "text.hpp"
#include "train.hpp"
#include "validate.hpp"

#include <torch/torch.h>
#include <CLI/CLI.hpp>

#include <iostream>

namespace {

using namespace lorenz63;

void sampling_options(CLI::App& app, posterior_settings& s) {
  auto const option = [&](char const* name, auto& value, std::string const& about) { app.add_option(name, value, about)->group("Sampling"); };
  option("--weights", s.weights, "weights of the network");
  option("--guidance", s.guidance, "mmps, gamma (SDA's likelihood), jfps (without the network's Jacobian) or none");
  option("--iterations", s.iterations, "of GMRES, for mmps");
  option("--gamma", s.gamma, "variance of SDA's likelihood, in units of (sigma/alpha)²");
  option("--steps", s.steps, "sampling steps");
  option("--corrections", s.corrections, "Langevin corrections after each step");
  option("--tau", s.tau, "size of a correction");
  option("--stride", s.stride, "steps from one network window to the next; 1: SDA's pseudo-blankets");
  option("--batch", s.batch, "windows evaluated together");
}

int run(int argc, char** argv) {
  CLI::App app{"Score-based data assimilation of Lorenz-63, held against particle filters.", "lorenz63"};
  app.option_defaults()->always_capture_default();
  app.require_subcommand(1);
  int threads = 0;
  auto const begin = [&](char const* name, char const* about) -> CLI::App& {
    auto& sub = *app.add_subcommand(name, about);
    sub.option_defaults()->always_capture_default();
    sub.add_option("--threads", threads, "processor threads; 0: all");
    return sub;
  };
  auto const limit_threads = [&] {
    if (threads > 0) at::set_num_threads(threads);
  };

  simulate_command simulated;
  auto& s = begin("simulate", "writes a truth and what is seen of it as text: a line a state, a b c and y (- where nothing is seen)");
  s.add_option("--out", simulated.out, "file to write")->required();
  s.add_option("--length", simulated.length, "states");
  s.add_option("--every", simulated.every, "steps between observations of the first coordinate");
  s.add_option("--error", simulated.error, "their standard deviation, standardised (8 physical units)");
  s.add_option("--seed", simulated.seed, "of truth and errors");
  s.callback([&] { simulate(simulated); });

  train_options training;
  auto& t = begin("train", "trains the window network on runs of the model");
  t.add_option("--out", training.out, "weights to write; .jsonl (the log) beside them");
  t.add_option("--start", training.start, "weights to start from");
  t.add_flag("--unknown-rho", training.unknown_rho, "every run has its own rho, which the network sees");
  t.add_option("--window", training.window, "states in a window: 2 k + 1");
  t.add_option("--hidden", training.hidden, "width of the network");
  t.add_option("--blocks", training.blocks, "residual blocks");
  t.add_option("--runs", training.runs, "runs of the model");
  t.add_option("--length", training.length, "states in a run");
  t.add_option("--steps", training.steps, "steps of training");
  t.add_option("--batch", training.batch, "windows in a step");
  t.add_option("--rate", training.rate, "learning rate");
  t.add_option("--report-every", training.every, "steps between reports, each with a validation");
  t.add_option("--seed", training.seed, "of data, noise and first weights");
  t.callback([&] { limit_threads(), train(training); });

  assimilate_command assimilated;
  assimilated.how.weights = LORENZ63_WEIGHTS;
  auto& a = begin("assimilate", "draws the posterior of what `simulate` wrote: a line a state, mean and deviation of a b c");
  a.add_option("--input", assimilated.input, "file that simulate wrote")->required();
  a.add_option("--out", assimilated.out, "file to write")->required();
  a.add_option("--error", assimilated.error, "standard deviation of the observations, standardised");
  a.add_option("--members", assimilated.members, "members of the ensemble");
  a.add_option("--seed", assimilated.seed, "of the samples");
  sampling_options(a, assimilated.how);
  a.callback([&] { limit_threads(), assimilate(assimilated); });

  validate_command validated;
  validated.how.weights = LORENZ63_WEIGHTS;
  auto& v = begin("validate", "holds the score posterior against a particle filter's: medians over truths");
  v.add_option("--cases", validated.cases, "lo (every 8 steps, error 0.05), hi (every step, error 0.25)");
  v.add_option("--truths", validated.truths, "truths");
  v.add_option("--members", validated.members, "trajectories drawn of each posterior");
  v.add_option("--particles", validated.particles, "of the filter, before backward simulation");
  v.add_option("--seed", validated.seed, "of truths, errors and samples");
  sampling_options(v, validated.how);
  v.callback([&] { limit_threads(), validate(validated); });

  parameter_command parameter;
  parameter.how.weights = LORENZ63_RHO_WEIGHTS;
  auto& p = begin("parameter", "finds an unknown rho, with and without the network's Jacobian, beside a particle filter");
  p.add_option("--truths", parameter.truths, "truths, each with its own rho");
  p.add_option("--members", parameter.members, "members for each");
  p.add_option("--particles", parameter.particles, "of the filter");
  p.add_option("--length", parameter.length, "states seen");
  p.add_option("--error", parameter.error, "standard deviation of the observations, standardised");
  p.add_option("--seed", parameter.seed, "of truths, errors and samples");
  sampling_options(p, parameter.how);
  p.callback([&] { limit_threads(), estimate_parameter(parameter); });

  CLI11_PARSE(app, argc, argv);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (std::exception const& e) {
    std::cerr << "lorenz63: " << e.what() << '\n';
    return 1;
  }
}
