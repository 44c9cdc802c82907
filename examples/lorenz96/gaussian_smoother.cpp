// SPDX-License-Identifier: Apache-2.0
#include "posterior.hpp"

#include <sda/prior/gaussian_full.hpp>
#include <sda/trajectory/window.hpp>

namespace lorenz96 {

namespace {

/// More numbers than this in a window make its eigenvectors too dear; longer trajectories are composed of windows.
constexpr index_t most_numbers = 512;

sda::window_plan plan_for(index_t ring, index_t length, index_t stride) {
  sda::require(2 * ring <= most_numbers, "--prior gaussian: a ring of ", ring, " sites; at most ", most_numbers / 2);
  if (ring * length <= most_numbers) return {length, ring, length, length};
  index_t const size = std::min<index_t>(length, 200 / ring + 2);
  return {length, ring, size, stride};
}

}  // namespace

smoother gaussian_smoother(smoother_settings const& s, climatology const& climate, index_t ring, index_t length) {
  double const mean = climate.mean(), deviation = climate.deviation();
  sda::window_plan const plan = plan_for(ring, length, s.stride);
  plan.check();
  sda::small_matrix covariance(plan.window_columns(), plan.window_columns());
  for (index_t a = 0; a < covariance.height; ++a)
    for (index_t b = 0; b < covariance.width; ++b)
      covariance[a][b] = climate.state(b / ring - a / ring, b % ring - a % ring) / (deviation * deviation);
  auto const window = sda::gaussian_full(members(members::Zero(1, plan.window_columns())), covariance);
  standardised_prior const prior{any_prior(sda::windowed{plan, window, sda::solo{}, s.batch}), any_prior(window), plan.size, mean, deviation};
  return [=](window_task const& task) { return draw_posterior(s, prior, task); };
}

}  // namespace lorenz96
