// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <cmath>
#include <numbers>
#include <span>
#include <vector>

namespace sda {

/// The areas of latitude bands around monotone latitudes (degrees), bounded half way between neighbours and at the poles:
/// sin(upper) - sin(lower), scaled to mean 1.
inline std::vector<double> latitude_weights(std::span<double const> latitudes) {
  std::size_t const n = latitudes.size();
  require(n >= 2 && latitudes[0] != latitudes[1], "latitude_weights: needs two latitudes that differ");
  double const first_pole = latitudes[0] > latitudes[1] ? 90 : -90;
  std::vector<double> w(n);
  double total = 0, before = first_pole;
  for (std::size_t i = 0; i < n; ++i) {
    require(std::abs(latitudes[i]) <= 90 && (i == 0 || (latitudes[i - 1] - latitudes[i]) * first_pole > 0), "latitude_weights: latitude ", i, ", ",
            latitudes[i], ", breaks the order or lies beyond a pole");
    double const after = i + 1 < n ? (latitudes[i] + latitudes[i + 1]) / 2 : -first_pole;
    w[i] = std::abs(std::sin(before * std::numbers::pi / 180) - std::sin(after * std::numbers::pi / 180));
    total += w[i];
    before = after;
  }
  for (double& x : w) x *= double(n) / total;
  return w;
}

}  // namespace sda
