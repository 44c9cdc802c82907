// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <functional>
#include <string>

namespace lorenz96 {

/// A training run of the window network; everything that decides its result, and where it is written.
struct train_options {
  std::string out = "lorenz96.safetensors";  // the weights; out + ".checkpoint" holds the run, out + ".jsonl" its log
  bool resume = false;                       // go on from the checkpoint, if there is one
  std::string device = "cpu";                // or cuda

  std::int64_t ring = 40, runs = 1024, length = 512;  // the data: `runs` runs of `length` states
  double forcing = 8, spacing = 0.05;                 // of the model; model time between the states of a window

  std::int64_t window = 17, hidden = 96, blocks = 6, kernel = 5, embedding = 64;  // the network

  std::int64_t steps = 26000, batch = 32, warmup = 400;
  double rate = 2e-3, decay = 0.3, floor = 0;  // the learning rate, falling to the floor over this last part of the steps
  double weight_decay = 1e-4, average = 0.999, clip = 1;
  double sigma_min = 3e-4, sigma_max = 80, rho = 0.8;  // levels seen: a log-logistic law around the geometric mean
  int workers = 1;                                     // threads that each take a part of every batch (CPU)
  std::int64_t every = 1000;                           // steps between checkpoints, each with a validation
  std::uint64_t seed = 1;

  std::function<void()> between_steps;  // called after each step; an exception ends the run
};

/// Trains by denoising score matching on runs of the model; returns 0. sda::error for what cannot be.
int train(train_options const& o);

}  // namespace lorenz96
