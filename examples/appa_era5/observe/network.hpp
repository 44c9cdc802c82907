// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/channels.hpp"
#include "observe/stations.hpp"

#include <sda/core/random.hpp>

#include <functional>
#include <span>

namespace appa {

/// Who looks: where in each hour, at which channels, and how well.
struct network {
  std::function<std::vector<index_t>(int hour)> points;
  std::vector<index_t> channels;
  std::vector<double> variances;   // of the errors, one a channel
};

/// Stations see the surface, satellites the upper air: as published, with error variances 1e-4 and 1e-2 of standardised values.
network station_network(std::vector<index_t> points, channel_set const& channels, double variance = 1e-4);
network satellite_network(orbit const& o, grid const& g, channel_set const& channels, double variance = 1e-2);
/// Every channel at a share of the grid's points, drawn anew every hour or, if `fixed`, once.
network random_columns(grid const& g, channel_set const& channels, double share, double variance, bool fixed, sda::key k);

/// What is observed of one state of channels x points numbers: columns of the state and the variances of their errors, in one order,
/// network by network, point by point, channel by channel.
struct observed {
  std::vector<index_t> columns;
  std::vector<double> variances;
};
/// The sea's temperature is not observed where `sea` is 0 (one number a point).
observed observed_at(std::span<network const> networks, grid const& g, channel_set const& channels, std::vector<char> const& sea, int hour);

}  // namespace appa
