// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "observe/observations.hpp"
#include "observe/stations.hpp"

#include <functional>

namespace appa {

/// Who looks at numbers of the state: at which points in each hour, at which channels, and how well.
struct network {
  std::function<std::vector<index_t>(hours)> points;
  std::vector<index_t> channels;
  std::vector<double> variances;   // of the errors of standardised values, one a channel
  bool noise = true;               // whether values have errors, as variances say, or are true
  double left_out = 0;             // share of the places that is kept for verification
  int from = 0;                    // its number among all that look
};

/// The points nearest to places drawn evenly over the grid's area, each another, as many as `count`, where `allowed` is not 0.
std::vector<index_t> random_stations(grid const& g, index_t count, std::vector<char> const& allowed, sda::key k);
/// A share of all points: drawn anew every hour or, if `fixed`, once.
std::function<std::vector<index_t>(hours)> random_columns(grid const& g, double share, bool fixed, sda::key k);

/// Adds what a network sees in an hour of a standardised state [channels, points], point by point, channel by channel. The sea's temperature is
/// never seen on land. An error is a function of key, network, hour and what is seen alone.
void look(network const& n, scene const& s, hours t, std::span<float const> state, sda::key k, bool describe, observations& out);

}  // namespace appa
