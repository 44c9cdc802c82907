// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "model.hpp"

#include <string>
#include <vector>

namespace lorenz63 {

/// How the posterior is drawn: a predictor-corrector under the cosine schedule, as SDA has it.
struct posterior_settings {
  std::string weights;
  std::string guidance = "mmps";  // gamma (SDA's likelihood), jfps (without the network's Jacobian) or none
  int iterations = 2;             // of GMRES, for mmps
  double gamma = 3e-2;
  index_t steps = 256, stride = 1, batch = 2048;
  int corrections = 4;
  double tau = 0.25;
};

/// What is seen of trajectories, in standardised units: some columns with one error; a row of values for all members or one each.
struct sighting {
  index_t length;
  std::vector<std::int64_t> columns;
  states y;
  double error;
};

/// The first coordinate at every so many steps.
inline std::vector<std::int64_t> first_coordinate(index_t length, index_t every) {
  std::vector<std::int64_t> at;
  for (index_t t = 0; t < length; t += every) at.push_back(3 * t);
  return at;
}

/// Trajectories given what was seen, standardised, one a row; a network that knows of ρ adds it as the last column.
states draw_posterior(posterior_settings const& s, sighting const& seen, index_t members, sda::key k);

}  // namespace lorenz63
