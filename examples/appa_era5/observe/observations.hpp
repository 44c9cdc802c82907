// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/statistics.hpp"
#include "observe/orbit.hpp"
#include "observe/sight.hpp"

#include <sda/core/random.hpp>

namespace appa {

/// What states are made of.
struct scene {
  grid where;
  channel_set channels;
  statistics standard;
  std::vector<char> sea;   // 1 where the sea has a temperature, one number a point; may be empty where that is no channel
};

/// What became of an observation.
enum class fate : char { assimilated, left_out, gross_error, thinned };

/// An observation in people's terms.
struct report {
  place where;
  double level = 0;                 // hPa; 0 at the surface
  variable const* what = nullptr;
  double value = 0, error = 0;      // in the variable's units; the error's deviation
  int from = 0;                     // which instrument, as listed
};

/// All observations of one hour, those that are not assimilated too.
struct observations {
  sight seen;
  std::vector<float> correlations;   // of an error with the one before, as `independent` takes them; none: all 0
  std::vector<fate> fates;
  std::vector<report> reports;       // empty unless asked for

  /// Those of one fate, with their chains: an error between two that is left out hands its correlation on.
  observations of(fate f) const;
};

/// Whether a place is among a share of all that is kept for verification: the same places whatever looks at them and when.
bool is_left_out(sda::key k, place const& p, double share);

}  // namespace appa
