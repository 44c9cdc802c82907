// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "posterior.hpp"

namespace lorenz63 {

struct simulate_command {
  std::string out;
  index_t length = 65, every = 8;
  double error = 0.05;
  std::uint64_t seed = 1;
};
void simulate(simulate_command const& c);

struct assimilate_command {
  posterior_settings how;
  std::string input, out;
  double error = 0.05;
  index_t members = 64;
  std::uint64_t seed = 1;
};
void assimilate(assimilate_command const& c);

}  // namespace lorenz63
