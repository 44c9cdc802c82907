// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "config.hpp"
#include "data/channels.hpp"
#include "training/job.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace appa {

/// What a training run is told beside its configuration.
struct training_options {
  std::string out;             // the folder: config.yaml, model_best and model_last, the run's checkpoint, log.jsonl
  bool resume = false;         // go on from the checkpoint, if there is one
  std::string device = "cpu";  // or cuda
  std::uint64_t seed = 0;
  std::vector<std::string> data;  // ERA5 files, instead of the configuration's data.files
  std::string statistics;         // of `appa stats`, instead of data.statistics
  std::string latents;            // the dump of `appa encode` (denoiser)
};

/// The channels that the configuration's `data` chooses.
channel_set channels_of(config const& whole);

/// Trains the autoencoder that the configuration's `autoencoder` describes.
void train_autoencoder(config const& whole, training_options const& o, job const& ranks);
/// Trains the denoiser that the configuration's `denoiser` describes, on a latent dump. With a section `background` it denoises departures
/// from a background that it is told (DiffDA, arXiv:2401.05932), standardised by their own mean and deviation, which are kept with its weights:
///
///     lead: hours      the background is the state so long before: {lead: 24}
///     latents: folder  ... of another dump of the same autoencoder, as of forecasts valid at the hours of the states
///     error: number    white noise put on it, in deviations of latents
void train_denoiser(config const& whole, training_options const& o, job const& ranks);

/// A latent dump: every hour of the configuration's periods through the encoder.
struct encode_options {
  std::string model, out, device = "cpu", statistics;  // the autoencoder's weights, the folder to write
  std::vector<std::string> data;
  int workers = 4;
  index_t residuals = 64;  // hours at which what the autoencoder leaves is measured; 0: nowhere
};
/// Writes out/era5.h5 (latents, dates), out/stats.safetensors (mean and std of each latent channel over the training period),
/// out/residuals.safetensors (what assimilate/residuals.hpp says) unless no two states of the training period are a step apart, and the
/// autoencoder in out/ae.
void encode(config const& whole, encode_options const& o);

}  // namespace appa
