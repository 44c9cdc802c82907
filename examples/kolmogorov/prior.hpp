// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "../erased.hpp"
#include "sight.hpp"

#include <string>

namespace kolmogorov {

/// A differentiable denoiser of trajectories of vorticity.
using any_prior = examples::erased<states, sda::level>;

/// The prior of trajectories in a file that `train` wrote: its network on every window, joined where a window is most central (SDA).
/// At most `batch` windows go through it at once. In a build without LibTorch this only says so.
any_prior network_prior(std::string const& weights, index_t frames, index_t points, index_t batch);

}  // namespace kolmogorov
