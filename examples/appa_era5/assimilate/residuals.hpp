// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/dates.hpp"
#include "observe/sight.hpp"

#include <sda/core/random.hpp>

#include <torch/torch.h>

#include <filesystem>
#include <optional>

// What decoded latents are not: states are x = D(z) + δ, and δ is in neither the posterior's latents nor the observations' errors.

namespace appa {

/// What an autoencoder leaves of standardised states, as `appa encode` measured it at K hours of the training period: δ is taken to be
/// normal and independent of z, with the mean and the covariance (1/K) Σ_k f_k f_kᵀ of those hours in space and ρ^|i - j| between
/// states i and j. It is the climate's: it knows nothing of the weather.
struct residuals {
  at::Tensor mean;         // [points, channels]
  at::Tensor fields;       // f, [K, points, channels], whose mean is 0
  at::Tensor deviation;    // a, [channels]: the root mean square of f over hours and area
  double correlation = 0;  // ρ

  /// What a sight says of D(z): y - H E[δ] = H D(z) + (e + H (δ - E[δ])), variances r_i + Σ_k w_ik² a²[channel of c_ik], as though what is left
  /// of one number told nothing of the next.
  sight beside(sight seen) const;
  /// A draw of δ at an hour, [points, channels]: E[δ] + (1/√K) Σ_k w_k(t) f_k with w_k(t) = Σ_j ρ^j ε_k(t - j step) / √(Σ_j ρ^2j), ε normal
  /// numbers of the key and the hour. So a function of both alone, whatever else is drawn; `sign` -1 gives the opposite draw.
  at::Tensor drawn(sda::key k, hours t, int step, double sign = 1) const;
};

/// The file residuals.safetensors of a latent dump, if it is there: tensors of these names. sda::error if they do not fit states of these sizes.
std::optional<residuals> read_residuals(std::filesystem::path const& dump, index_t points, index_t channels);

}  // namespace appa
