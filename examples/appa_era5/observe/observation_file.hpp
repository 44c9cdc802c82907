// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "observe/observations.hpp"

#include <sda/netcdf/file.hpp>

namespace appa {

/// An hour's observations beside what an ensemble, before and after it knew them, shows in their place.
struct observed_hour {
  hours time = 0;
  observations what;                             // with reports
  std::vector<float> before, before_spread;      // mean and standard deviation of H(x) over members, standardised as sights are; any may be missing
  std::vector<float> after, after_spread;
};

/// H(x) of a standardised state [channels, points].
std::vector<float> shown_by(sight const& s, std::span<float const> state, index_t channels);

/// A file in observation space, of CF's point geometry: time, latitude, longitude, air_pressure, variable and instrument of every observation, its value and
/// error, flag (what became of it), and where they are known background, analysis, their spreads and the departures from them; in the variables'
/// units. read_points reads it. It has its name only when complete, and no clock in it.
void write_observations(std::string const& path, std::span<observed_hour const> all, std::string const& title, std::string const& history,
                        sda::netcdf::attributes const& about = {});

}  // namespace appa
