// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <concepts>

namespace sda {

/// Where a noisy state stands: x_t = alpha x_0 + sigma z, z ~ N(0, 1). Networks and guidance see levels, never times;
/// both numbers are doubles on the host.
struct level {
  double alpha = 1, sigma = 0;
  friend constexpr bool operator==(level const&, level const&) = default;
};

/// A noise schedule: p(t) for t from 1 (noise) down to 0 (data), sigma / alpha increasing in t.
template <class P> concept SDE = requires(P const& p, double t) {
  { p(t) } -> std::same_as<level>;
};

}  // namespace sda
