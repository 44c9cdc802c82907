// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace kolmogorov {

/// A training run of the window network; everything that decides its result, and where it is written.
struct train_options {
  std::string out = "kolmogorov.safetensors";   // the weights; out + ".checkpoint" holds the run, out + ".jsonl" its log
  bool resume = false;                          // go on from the checkpoint, if there is one
  std::string device = "cpu";                   // or cuda

  std::int64_t points = 64, runs = 12, length = 128;   // the data: `runs` runs of `length` states

  std::int64_t window = 5, patch = 2;   // the network
  std::vector<std::int64_t> channels{32, 48, 64};
  std::int64_t blocks = 1, kernel = 3, embedding = 64;
  bool forcing = true;

  std::int64_t steps = 6000, batch = 4, warmup = 100;
  double rate = 1e-3, decay = 0.3;   // the learning rate, falling over this last part of the steps
  double weight_decay = 1e-3, average = 0.995, clip = 0.2;
  double sigma_min = 1e-3, sigma_max = 100, rho = 1;   // levels seen: a log-logistic law around the geometric mean
  int workers = 1;                                       // threads that each take a part of every batch (CPU)
  std::int64_t every = 100;                              // steps between checkpoints, each with a validation
  std::uint64_t seed = 1;

  std::function<void()> between_steps;   // called after each step; an exception ends the run
};

/// Trains by denoising score matching on runs of the model. sda::error for what cannot be.
void train(train_options const& o);

}  // namespace kolmogorov
