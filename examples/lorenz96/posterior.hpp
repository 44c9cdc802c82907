// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "../erased.hpp"
#include "smoother.hpp"

namespace lorenz96 {

using any_prior = examples::erased<members, sda::level>;
using any_reading = examples::erased<members>;

/// A differentiable prior of standardised trajectories, (x - mean) / deviation, made of windows of `size` steps.
struct standardised_prior {
  any_prior composed, window;  // of whole trajectories, and of a window alone
  index_t size;
  double mean, deviation;
};

/// Members of one trajectory, in the model's units.
members draw_posterior(smoother_settings const& s, standardised_prior const& prior, window_task const& task);

}  // namespace lorenz96
