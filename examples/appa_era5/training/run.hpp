// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "training/train.hpp"

#include <sda/core/progress.hpp>
#include <sda/torch/soap.hpp>
#include <sda/torch/trainer.hpp>

#include <fstream>

// What both trainings share: the optimiser that a configuration asks for, and the loop around it.

namespace appa {

using optimiser = sda::one_of<sda::adamw, sda::soap>;

optimiser make_optimiser(config const& optim, std::size_t threads = 1);
sda::learning_rate make_rate(config const& section);
at::ScalarType precision_of(config const& section);
/// cpu, cuda:1, or cuda, this rank's own card. sda::error if this LibTorch has no such device.
at::Device device_of(std::string const& name);

/// Metadata of a file of weights: configuration, step, seed, revision of the program.
std::map<std::string, std::string> provenance(nlohmann::json const& config, std::int64_t step, std::uint64_t seed);

/// read_weights() of a file, whichever of ours or PyTorch's it is.
void load_weights(std::string const& file, torch::nn::Module& into);
/// The configuration that a file of weights, or config.yaml beside it, holds.
config config_of(std::string const& file);
/// out/model_best.safetensors, or what was asked for if it is a file.
std::string model_file(std::string const& asked);

/// Modules of a kind, one for each worker, and the run that trains them.
struct training_loop {
  training_options const& options;
  config section;         // of the configuration: autoencoder or denoiser
  nlohmann::json stored;  // what is kept with weights
  job const& ranks;
  std::vector<std::shared_ptr<torch::nn::Module>> modules;

  /// The mean loss of a part of the batch of a step through module part % modules.
  std::function<at::Tensor(std::int64_t step, std::size_t part)> loss;
  std::function<void(std::int64_t step)> prepare;               // called before each step: fetches its batch
  std::function<nlohmann::json(std::size_t samples)> validate;  // through the first module; what it calls `loss` decides which is best

  std::int64_t batch() const { return section.get<std::int64_t>("train.batch_size_per_step", 1); }
  /// Rows of a part, and parts of this rank's batch.
  std::int64_t rows() const { return std::min(section.get<std::int64_t>("train.batch_element_per_gpu", 1), batch()); }
  std::size_t parts() const;

  void run();
};

}  // namespace appa
