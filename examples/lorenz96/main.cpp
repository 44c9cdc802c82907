// SPDX-License-Identifier: Apache-2.0
// lorenz96: score-based data assimilation on the Lorenz-96 ring, from simulated observations to scores and pictures.
#include "benchmark.hpp"
#include "commands.hpp"
#include "../interrupt.hpp"
#include "train.hpp"

#include <CLI/CLI.hpp>

#include <iostream>

namespace {

using namespace lorenz96;

void world_options(CLI::App& app, world& w, network& net) {
  app.add_option("--ring", w.ring, "sites on the ring")->group("World");
  app.add_option("--forcing", w.forcing, "the model's F")->group("World");
  app.add_option("--step", w.step, "model time between states; 0.05 is six hours")->group("World");
  app.add_option("--length", w.length, "steps in a window, assimilated at once")->group("World");
  app.add_option("--windows", w.windows, "windows, one after the other")->group("World");
  app.add_option("--seed", w.seed, "of truth, errors and samples")->group("World");
  app.add_option("--sites", net.sites, "who looks: all, every:N, random:F (fixed stations), scattered:F (others each time), or 0,3,8-12")
      ->group("Observations");
  app.add_option("--every", net.every, "steps between times of observation")->group("Observations");
  app.add_option("--operator", net.through, "what is read of a site's value: " + instrument_names())->group("Observations");
  app.add_option("--error", net.error, "standard deviation of observation errors")->group("Observations");
}

void smoother_options(CLI::App& app, smoother_settings& s) {
  auto const option = [&](char const* name, auto& value, std::string const& about) { app.add_option(name, value, about)->group("Score smoother"); };
  option("--prior", s.prior, "network (trained weights) or gaussian (the Gaussian of the climate)");
  option("--weights", s.weights, "weights of the network");
  option("--members", s.members, "members of the ensemble");
  option("--schedule", s.schedule, "noise schedule: " + schedule_names());
  option("--sigma-min", s.sigma_min, "least noise");
  option("--sigma-max", s.sigma_max, "most noise (schedules of exploding variance)");
  option("--sampler", s.sampler, sampler_names());
  option("--steps", s.steps, "sampling steps");
  option("--corrections", s.corrections, "Langevin corrections after each step");
  option("--corrector", s.corrector, "langevin, adaptive (SDA's step rule) or renoising");
  option("--tau", s.tau, "size of a correction");
  option("--limit", s.limit, "longest step of an adaptive correction; few sampling steps want 2");
  option("--guidance", s.guidance, "mmps, gamma (SDA's likelihood), gamma-free (the same without network Jacobian), dps or none");
  option("--solver", s.solver, "gmres, cg or bicgstab, for mmps");
  option("--iterations", s.iterations, "of the solver");
  option("--gamma", s.gamma, "variance of SDA's likelihood, in units of (sigma/alpha)²");
  option("--zeta", s.zeta, "step of dps");
  option("--stride", s.stride, "steps from one network window to the next");
  option("--batch", s.batch, "network windows evaluated together; 0: all");
  option("--join", s.join, "how windows make a trajectory: together (composed at every level of noise) or forward (one after the other)");
  option("--passes", s.passes, "of alternating windows over what was drawn: all between strips of held steps anew, given the strips");
  option("--held", s.held, "steps that a window is given at an end, forward and in passes");
  option("--held-error", s.held_error, "standard deviation within which it keeps them");
  option("--redraws", s.redraws, "rounds of drawing anew the members that the observations contradict, from noised others; 0: none");
  option("--redraw-noise", s.redraw_noise, "the noise they begin with, in standard deviations of the climate");
  option("--finish", s.finish, "iterations of weak-constraint Gauss-Newton that finish each sample with the model itself; 0: none");
  option("--model-error", s.model_error, "standard deviation that the finish allows a step of the model");
  option("--finish-from", s.finish_from, "the one it begins with; that of --model-error where samples are trusted to be in the right basin");
  option("--device", s.device, "where the network runs: cpu or cuda");
}

void train_options_of(CLI::App& app, train_options& t) {
  auto const option = [&](char const* group, char const* name, auto& value, std::string const& about) { app.add_option(name, value, about)->group(group); };
  option("Run", "--out", t.out, "weights to write; .checkpoint and .jsonl (the log) beside them");
  app.add_flag("--resume", t.resume, "go on from the checkpoint, if there is one")->group("Run");
  option("Run", "--device", t.device, "cpu or cuda");
  option("Run", "--workers", t.workers, "threads that each take a part of every batch (cpu)");
  option("Run", "--checkpoint-every", t.every, "steps between checkpoints, each with a validation");
  option("Run", "--seed", t.seed, "of data, noise and first weights");
  option("Data", "--ring", t.ring, "sites on the ring");
  option("Data", "--runs", t.runs, "runs of the model");
  option("Data", "--length", t.length, "states in a run");
  option("Data", "--forcing", t.forcing, "the model's F");
  option("Data", "--step", t.spacing, "model time between states");
  option("Network", "--window", t.window, "states in a window");
  option("Network", "--hidden", t.hidden, "channels");
  option("Network", "--blocks", t.blocks, "residual blocks");
  option("Network", "--kernel", t.kernel, "sites a convolution spans (odd)");
  option("Network", "--embedding", t.embedding, "numbers that describe the noise level (even)");
  option("Optimiser", "--steps", t.steps, "steps of training");
  option("Optimiser", "--batch", t.batch, "windows in a step");
  option("Optimiser", "--warmup", t.warmup, "steps until the learning rate is reached");
  option("Optimiser", "--rate", t.rate, "learning rate");
  option("Optimiser", "--decay", t.decay, "share of the steps, at the end, over which the rate falls");
  option("Optimiser", "--floor", t.floor, "share of the rate that is left at the end");
  option("Optimiser", "--weight-decay", t.weight_decay, "of AdamW");
  option("Optimiser", "--average", t.average, "decay of the moving average of the weights");
  option("Optimiser", "--clip", t.clip, "largest norm of the gradient");
  option("Optimiser", "--sigma-min", t.sigma_min, "least noise seen");
  option("Optimiser", "--sigma-max", t.sigma_max, "most noise seen");
  option("Optimiser", "--rho", t.rho, "how much levels crowd in the middle");
}

int run(int argc, char** argv) {
  CLI::App app{"Score-based data assimilation on the Lorenz-96 ring.", "lorenz96"};
  app.option_defaults()->always_capture_default();
  app.require_subcommand(1);
  std::string command = "lorenz96";
  for (int i = 1; i < argc; ++i) command += std::string(" ") + argv[i];
  int threads = 0;
  auto const begin = [&](CLI::App& sub) -> CLI::App& {
    sub.option_defaults()->always_capture_default();
    sub.add_option("--threads", threads, "processor threads; 0: all");
    return sub;
  };

  simulate_command simulate;
  simulate.command = command;
  auto& s = begin(*app.add_subcommand("simulate", "runs the model and writes truth and observations"));
  s.add_option("--out", simulate.out, "NetCDF file to write")->required();
  world_options(s, simulate.where, simulate.net);
  s.callback([&] { use_threads(threads), run_simulate(simulate); });

  assimilate_command assimilate;
  assimilate.command = command;
  auto& a = begin(*app.add_subcommand("assimilate", "draws the posterior given observations, compares it with the truth"));
  a.add_option("--input", assimilate.input, "observations as `simulate` writes them (NaN: not observed); default: simulate here");
  a.add_option("--out", assimilate.out, "NetCDF file to write");
  a.add_option("--plot", assimilate.plot, "draw PREFIX.png and its parts (needs --out)");
  a.add_flag("--no-baselines", assimilate.no_baselines, "leave out climatology and optimal interpolation");
  world_options(a, assimilate.where, assimilate.net);
  smoother_options(a, assimilate.how);
  a.callback([&] { use_threads(threads), run_assimilate(assimilate); });

  auto& t = begin(*app.add_subcommand("train", "trains the window score network on runs of the model"));
  train_options train_with;
  train_with.between_steps = examples::heed_interrupts;
  train_options_of(t, train_with);
  t.callback([&] { use_threads(threads), train(train_with); });

  benchmark_command benchmark;
  benchmark.command = command;
  auto& b = begin(*app.add_subcommand("benchmark", "puts methods side by side on standard tasks"));
  b.add_option("--task", benchmark.tasks, "one or several of: " + task_names() + "; name:parameter=value,... changes one; help lists them")->delimiter(',');
  b.add_option("--methods", benchmark.methods, "one or several, such as etkf:members=40,inflation=1.02,letkf; help lists them with their parameters")->delimiter(',');
  b.add_option("--cycles", benchmark.cycles, "times of analysis; 0: the task's own");
  b.add_option("--seeds", benchmark.seeds, "repetitions with other truths and errors");
  b.add_option("--seed", benchmark.first_seed, "the first of them");
  b.add_option("--json", benchmark.json, "file for the records");
  b.add_option("--plot", benchmark.plot, "picture of them to draw (needs --json)");
  smoother_options(b, benchmark.how);
  b.callback([&] { use_threads(threads), run_benchmark(benchmark); });

  CLI11_PARSE(app, argc, argv);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  examples::catch_interrupts();
  try {
    return run(argc, argv);
  } catch (std::exception const& e) {
    std::cerr << "lorenz96: " << e.what() << '\n';
    return 1;
  }
}
