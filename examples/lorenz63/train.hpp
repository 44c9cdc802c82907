// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <string>

namespace lorenz63 {

/// A training run of the window network; everything that decides its result, and where it is written.
struct train_options {
  std::string out = "lorenz63.safetensors";  // the weights; out + ".jsonl" is the log
  std::string start;                         // weights to start from, of a network of the same shape; default: new ones
  std::int64_t window = 9, hidden = 128, blocks = 4, embedding = 32;
  bool unknown_rho = false;                 // every run has its own ρ, which the network sees behind the states
  std::int64_t runs = 1024, length = 1024;  // the data
  std::int64_t steps = 60000, batch = 256, warmup = 500, every = 2000;
  double rate = 2e-3, average = 0.9995;
  double sigma_min = 3e-4, sigma_max = 100;  // levels seen: a log-logistic law around the geometric mean
  std::uint64_t seed = 1;
};

/// Trains by denoising score matching on runs of the model. sda::error for what cannot be.
void train(train_options const& o);

}  // namespace lorenz63
