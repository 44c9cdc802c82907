// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "assimilate/residuals.hpp"
#include "config.hpp"
#include "data/dates.hpp"
#include "data/grid.hpp"
#include "data/statistics.hpp"
#include "network/latent_prior.hpp"
#include "network/roles.hpp"

#include <filesystem>
#include <functional>

namespace appa {

/// A noise schedule chosen by `noise_schedule`, `sigma_min` and `sigma_max` of a `train` section: levels of t.
std::function<sda::level(double)> schedule_of(config const& train);

/// How latents are standardised, (z - mean) / deviation by channel; the deviation is that of latents with the noise that the
/// autoencoder's decoder was trained to bear, √(std² + noise²).
struct latent_scale {
  at::Tensor mean, deviation;  // [channels]
  double noise = 0;            // in the latents' own units

  at::Tensor standardised(at::Tensor const& z) const { return (z - mean.to(z.options())) / deviation.to(z.options()); }
  at::Tensor restored(at::Tensor const& z) const { return z * deviation.to(z.options()) + mean.to(z.options()); }
};
/// ... of a latent dump: stats.safetensors or stats.pth, and the noise of the autoencoder in ae/.
latent_scale read_latent_scale(std::filesystem::path const& dump, bool with_noise);
/// The autoencoder of a latent dump: ae/model.safetensors, or ae/model.pth with its config.yaml.
std::string autoencoder_file(std::filesystem::path const& dump);

/// What was trained, with what its numbers mean, loaded once: an autoencoder of states and a prior of windows of its latents.
struct trained_system {
  channel_set channels;  // of states, on `where`, standardised by `standard`
  grid where;
  statistics standard;
  latent_scale scale;
  std::function<sda::level(double)> schedule;
  int step = 1;  // hours between the states of a window
  std::shared_ptr<autoencoder> space;
  std::shared_ptr<backbone> net;
  at::Device device = at::kCPU;
  at::ScalarType type = at::kFloat;        // networks compute in
  latent_scale departures = {};            // of standardised latents from a background: the prior is theirs, given the background; none: of latents
  std::optional<residuals> residual = {};  // if the dump has them

  bool takes_background() const { return departures.mean.defined(); }
  index_t length() const { return net->length(); }           // states in a window
  index_t tokens() const { return space->where().cells(); }  // of a state's latents,
  index_t latents() const { return space->latents(); }       // and the channels of a token
  index_t numbers() const { return tokens() * latents(); }   // of a state's latents

  /// Dates of states from `first`, [states, 4].
  at::Tensor dates(hours first, index_t states) const;
  /// E[x_0 | x_t] of the window of standardised latents that begins then, rows of length() * numbers(); given its background of
  /// standardised latents [length(), tokens, channels], of the window's standardised departure from it.
  auto prior(hours first, at::Tensor const& background = {}) const { return latent_prior{net, device, type}.at(dates(first, length()), background); }
  /// Standardised latents [states, tokens, channels] of consecutive states to standardised states [states, points, channels], one at a
  /// time, and back.
  at::Tensor decode(at::Tensor const& z, hours first) const;
  at::Tensor encode(at::Tensor const& x, hours first) const;
  /// The largest numbers that fields [states, points, channels] have among the points of each cell, [states, tokens, channels].
  at::Tensor pooled(at::Tensor const& x) const;
  /// What the autoencoder's noise leaves unknown of standardised latents, [channels]: noise² / deviation², but at least the noise
  /// that the schedule ends with, below which nothing can be told apart.
  at::Tensor variance_of_known() const;
};

struct system_options {
  std::string latents, model, device = "cpu";  // the dump's folder, the denoiser's folder or weights
  std::string statistics = {};                 // of states, where the autoencoder's file has none: a file of `appa stats`
};
trained_system load_system(system_options const& o);
/// The networks that a configuration's sections autoencoder and denoiser describe, before training, in the host's memory: enough to tell what
/// drawing takes on a device.
trained_system untrained_system(config const& whole, std::string const& device);

}  // namespace appa
