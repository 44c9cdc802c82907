// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "../erased.hpp"
#include "smoother.hpp"

namespace lorenz96 {

using any_prior = examples::erased<members, sda::level>;
using any_reading = examples::erased<members>;

/// Members of one window, in the model's units, given a differentiable prior of standardised windows: (x - mean) / deviation.
members draw_posterior(smoother_settings const& s, any_prior const& prior, double mean, double deviation, window_task const& task);

}  // namespace lorenz96
