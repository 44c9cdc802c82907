// SPDX-License-Identifier: Apache-2.0
#include "observe/network.hpp"

#include <sda/core/error.hpp>

#include <algorithm>
#include <numeric>

namespace appa {

namespace {

std::vector<index_t> counted(index_t first, index_t last) {
  std::vector<index_t> out(std::size_t(last - first));
  std::iota(out.begin(), out.end(), first);
  return out;
}

}  // namespace

network station_network(std::vector<index_t> points, channel_set const& channels, double variance) {
  auto const seen = counted(0, index_t(channels.surface.size()));
  return {[points = std::move(points)](int) { return points; }, seen, std::vector<double>(seen.size(), variance)};
}

network satellite_network(orbit const& o, grid const& g, channel_set const& channels, double variance) {
  auto const seen = counted(index_t(channels.surface.size()), channels.size());
  return {[o, g](int hour) { return o.swath(g, hour); }, seen, std::vector<double>(seen.size(), variance)};
}

network random_columns(grid const& g, channel_set const& channels, double share, double variance, bool fixed, sda::key k) {
  sda::require(share > 0 && share <= 1, "a share of ", share, " of the points");
  auto const draw = [n = g.points(), share, fixed, k](int hour) {
    std::vector<index_t> points;
    for (index_t i = 0; i < n; ++i)
      if (sda::uniform(k, fixed ? 0 : hour, i) < share) points.push_back(i);
    return points;
  };
  auto const seen = counted(0, channels.size());
  return {draw, seen, std::vector<double>(seen.size(), variance)};
}

observed observed_at(std::span<network const> networks, grid const& g, channel_set const& channels, std::vector<char> const& sea, int hour) {
  sda::require(index_t(sea.size()) == g.points(), "a mask of the sea of ", sea.size(), " points on a grid of ", g.points());
  index_t const water = channels.index_of({"sea_surface_temperature", 0});
  observed out;
  for (auto const& n : networks) {
    sda::require(n.channels.size() == n.variances.size(), n.variances.size(), " variances for ", n.channels.size(), " channels");
    for (index_t const point : n.points(hour))
      for (std::size_t c = 0; c < n.channels.size(); ++c) {
        if (n.channels[c] == water && !sea[std::size_t(point)]) continue;
        out.columns.push_back(n.channels[c] * g.points() + point), out.variances.push_back(n.variances[c]);
      }
  }
  return out;
}

}  // namespace appa
