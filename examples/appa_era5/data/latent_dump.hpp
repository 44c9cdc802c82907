// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/dates.hpp"

#include <sda/core/config.hpp>

#include <string>
#include <vector>

namespace appa {

using sda::index_t;

/// Encoded states: what `appa encode` writes into era5.h5, and what others wrote there by the same names, `latents` (time, token,
/// channel) and `dates` (time, 4: year, month, day, hour).
struct latent_dump {
  index_t tokens = 0, channels = 0;
  std::vector<hours> times;   // each later than the one before
  std::vector<float> states;  // [times, tokens, channels], all finite
};

/// Reads all of it, in a process of its own: HDF5 crashes on some damaged files and never ends on others, which are sda::error here as is
/// any other fault. `seconds` of the processor without a number read are too many.
latent_dump read_latent_dump(std::string const& path, int seconds = 60);

}  // namespace appa
