// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cmath>
#include <concepts>

namespace sda {

/// Where a noisy state stands: x_t = alpha x_0 + sigma z, z ~ N(0, 1). Networks and guidance see levels, never times;
/// both numbers are doubles on the host.
struct level {
  double alpha = 1, sigma = 0;
  friend constexpr bool operator==(level const&, level const&) = default;
};

/// sigma / alpha: the noise of x_t / alpha, and all that E[x_0 | x_t] knows of the level.
constexpr double noise_ratio(level l) { return l.sigma / l.alpha; }
/// alpha² / sigma²
constexpr double snr(level l) { return (l.alpha / l.sigma) * (l.alpha / l.sigma); }
/// ln(alpha² / sigma²), also where the square itself would overflow.
inline double log_snr(level l) { return 2 * (std::log(l.alpha) - std::log(l.sigma)); }

/// A noise schedule: p(t) for t from 1 (noise) down to 0 (data), sigma / alpha increasing in t.
template <class P> concept SDE = requires(P const& p, double t) {
  { p(t) } -> std::same_as<level>;
};

/// Put `static_assert(sda::check_sde<P>())` beside a new schedule: one plain sentence per fault.
template <class P> consteval bool check_sde() {
  constexpr bool callable = requires(P const& p, double t) { p(t); };
  static_assert(callable, "sda: an SDE needs p(t) for a double t from 1 (noise) to 0 (data), callable while const");
  static_assert(!callable || SDE<P>, "sda: an SDE's p(t) must return sda::level");
  return true;
}

}  // namespace sda
