// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "posterior.hpp"

namespace lorenz63 {

/// The score posterior against that of a particle filter (Rozet & Louppe, 2023): 65 states, the first coordinate seen.
struct validate_command {
  posterior_settings how;
  std::string cases = "lo,hi";  // lo: every 8 steps, error 0.05; hi: every step, error 0.25
  index_t truths = 1, members = 1024, particles = 4096;
  std::uint64_t seed = 1;
};
void validate(validate_command const& c);

/// Whether an unknown ρ is found with the uncertainty it should have: all coordinates of one window seen, many truths.
struct parameter_command {
  posterior_settings how;
  index_t truths = 32, members = 32, particles = 32768;
  index_t length = 17;
  double error = 0.25;
  std::uint64_t seed = 1;
};
void estimate_parameter(parameter_command const& c);

}  // namespace lorenz63
