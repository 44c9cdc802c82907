// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "observe/observations.hpp"

#include <nlohmann/json_fwd.hpp>

#include <functional>

namespace appa {

/// What is observed in any hour: functions of the hour alone, for any order and any thread.
struct observing {
  std::function<sight(hours)> assimilated, left_out;          // errors are independent
  std::function<observations(hours)> all;                     // with reports
  std::string summary;                                        // what was read, and what was not used, in words
};

/// A standardised state [channels, points].
using state_at = std::function<std::vector<float>(hours)>;

/// From a list of instruments, as configurations have it under `observations:`, each a map:
///
///     kind: stations       file: name, of a list of places; or count: number of places drawn over area, on: globe, land or sea
///     kind: satellite      altitude, inclination, phase, samples, field_of_view, delay, as `orbit` has them
///     kind: random         share of the points; fixed: whether they stay from hour to hour
///     kind: dense          every point
///
/// and for each of them
///
///     channels: [surface, atmosphere, t2m, temperature, t@850]   (stations: surface; satellite: atmosphere; else all)
///     error: one number, or a map of such names               (stations 0.01, else 0.1)
///     units: standardised, or physical: what errors are in
///     noise: false gives true values; left_out: share of the places; every: hours, counted from 1970-01-01T00
///
/// Words that are no key, or values of the wrong kind, are sda::error. `truth` gives what simulated instruments look at.
observing observe_by(nlohmann::json const& list, scene const& s, state_at const& truth, sda::key k);

}  // namespace appa
