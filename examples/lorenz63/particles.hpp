// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "posterior.hpp"

#include <sda/filter/particle.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/masked.hpp>

namespace lorenz63 {

/// The posterior by a bootstrap particle filter and backward simulation: `count` trajectories in physical units, exact as particles
/// grow. Particles start as SDA's do, from the first guess after 64 steps. What is seen is standardised.
inline states particle_posterior(sighting const& seen, index_t count, index_t particles, sda::key k) {
  model const step_of{};
  states x = first_guess(particles, k.fold(0));
  for (std::uint64_t i = 0; i < 64; ++i) x = step_of(x, k.fold(1).fold(i));
  auto p = sda::particle_filter::start(std::move(x));
  std::vector<sda::particles<states>> filtered;
  for (index_t t = 0; t < seen.length; ++t) {
    if (t > 0) p.x = step_of(p.x, k.fold(2).fold(std::uint64_t(t)));
    std::vector<std::int64_t> at;
    std::vector<double> values;
    for (std::size_t i = 0; i < seen.columns.size(); ++i)
      if (seen.columns[i] / 3 == t) at.push_back(seen.columns[i] % 3), values.push_back(seen.y(0, index_t(i)));
    if (!at.empty()) {
      states y(1, index_t(at.size())), r(1, index_t(at.size()));  // in physical units
      std::vector<double> variances;
      for (std::size_t i = 0; i < at.size(); ++i) {
        auto const c = std::size_t(at[i]);
        y(0, index_t(i)) = values[i] * scale[c] + centre[c], variances.push_back(std::pow(seen.error * scale[c], 2));
      }
      sda::particle_filter{}.analyse(p, sda::observation{sda::masked<states>(y, at, 3), y, sda::diagonal_error<states>(y, variances)},
                                     k.fold(3).fold(std::uint64_t(t)));
    }
    filtered.push_back(p);
  }
  return sda::backward_simulation(filtered, [&](states const& at) { return step_of.mean(at); }, sda::scalar_error{step}, count, k.fold(4));
}

}  // namespace lorenz63
