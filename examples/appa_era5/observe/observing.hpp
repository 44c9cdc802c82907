// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "observe/point_network.hpp"

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
///     kind: file           file: name, as read_points has it
///
/// with, for those that are simulated,
///
///     channels: [surface, atmosphere, t2m, temperature, t@850]   (stations: surface; satellite: atmosphere; else all)
///     noise: false gives true values; every: hours, counted from 1970-01-01T00
///
/// for files
///
///     interpolation: bilinear, or nearest; gross_error, thinning, correlation: {vertical: ...} or {track: ...}, as point_options has them
///
/// and for all
///
///     error: one number, or a map of such names      (stations 0.01, else 0.1; files: where an observation has none of its own, no default)
///     units: standardised, or physical: what errors are in
///     left_out: share of the places
///
/// Words that are no key, or values of the wrong kind, are sda::error. `truth` gives what simulated instruments look at, `prior` what gross errors
/// are told by: without it, the climate.
observing observe_by(nlohmann::json const& list, scene const& s, state_at const& truth, sda::key k,
                     std::function<background(hours)> const& prior = {});

/// The list under `observations:` of a YAML file.
nlohmann::json observation_list(std::string const& file);

}  // namespace appa
