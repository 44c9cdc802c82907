// SPDX-License-Identifier: Apache-2.0
#include "observe/network.hpp"

#include <sda/core/error.hpp>
#include <sda/core/parallel.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace appa {

using sda::require;

std::vector<index_t> random_stations(grid const& g, index_t count, std::vector<char> const& allowed, sda::key k) {
  require(g.height() > 1 && g.width() > 1 && (allowed.empty() || index_t(allowed.size()) == g.points()), "stations where ", allowed.size(),
          " numbers allow them, on ", text(g));
  index_t const most = allowed.empty() ? g.points() : index_t(std::count_if(allowed.begin(), allowed.end(), [](char a) { return a != 0; }));
  require(count >= 0 && count <= most, count, " stations at different points, of which there are ", most);
  double const degree = std::numbers::pi / 180, spacing = g.longitudes[1] - g.longitudes[0];
  double const low = std::sin(g.latitudes.back() * degree), high = std::sin(g.latitudes.front() * degree);
  double const span = g.is_global() ? 360 : g.longitudes.back() - g.longitudes.front() + spacing;
  std::vector<char> taken(static_cast<std::size_t>(g.points()));
  std::vector<index_t> points;
  for (index_t i = 0; index_t(points.size()) < count; ++i) {
    require(i < 1000 * (g.points() + 100), "only ", points.size(), " of ", count, " stations were found: what is left is too little of the area");
    place const p{std::asin(low + (high - low) * sda::uniform(k, i, 0)) / degree, g.longitudes.front() - spacing / 2 + span * sda::uniform(k, i, 1)};
    index_t const at = nearest_point(g, p);
    if (at < 0 || taken[std::size_t(at)] || (!allowed.empty() && !allowed[std::size_t(at)])) continue;
    taken[std::size_t(at)] = 1, points.push_back(at);
  }
  std::sort(points.begin(), points.end());
  return points;
}

std::function<std::vector<index_t>(hours)> random_columns(grid const& g, double share, bool fixed, sda::key k) {
  require(share > 0 && share <= 1, "a share of ", share, " of the points");
  return [n = g.points(), share, fixed, k](hours t) {
    sda::key const now = fixed ? k : k.fold(std::uint64_t(t));
    std::vector<index_t> points;
    for (index_t i = 0; i < n; ++i)
      if (sda::uniform(now, 0, i) < share) points.push_back(i);
    return points;
  };
}

void look(network const& n, scene const& s, hours t, std::span<float const> state, sda::key k, bool describe, observations& out) {
  index_t const points = s.where.points(), channels = s.channels.size(), water = s.channels.index_of({"sea_surface_temperature", 0});
  require(index_t(state.size()) == channels * points, "a state of ", state.size(), " numbers, not of ", channels, " channels on ", text(s.where));
  require(n.channels.size() == n.variances.size(), n.variances.size(), " variances for ", n.channels.size(), " channels");
  bool const sees_water = std::find(n.channels.begin(), n.channels.end(), water) != n.channels.end();
  require(!sees_water || index_t(s.sea.size()) == points, "the sea's temperature cannot be observed without knowing where the sea is");

  auto const list = s.channels.list();
  std::size_t const before = out.fates.size();
  sight now;
  for (index_t const point : n.points(t)) {
    place const where{s.where.latitudes[std::size_t(point / s.where.width())], s.where.longitudes[std::size_t(point % s.where.width())]};
    auto const becomes = is_left_out(k.fold(0), where, n.left_out) ? fate::left_out : fate::assimilated;
    for (std::size_t c = 0; c < n.channels.size(); ++c) {
      if (n.channels[c] == water && !s.sea[std::size_t(point)]) continue;
      now.columns.push_back(point * channels + n.channels[c]), now.variances.push_back(float(n.variances[c]));
      out.fates.push_back(becomes);
      if (!describe) continue;
      auto const& what = list[std::size_t(n.channels[c])];
      double const unit = s.standard.deviation[std::size_t(n.channels[c])];
      out.reports.push_back({where, double(what.level), &variable_of(what.name), 0, std::sqrt(n.variances[c]) * unit, n.from});
    }
  }
  sda::key const errors = k.fold(1).fold(std::uint64_t(n.from)).fold(std::uint64_t(t));
  now.values.resize(now.columns.size());
  sda::parallel_for(now.count(), 50 * now.count(), [&](index_t i) {
    index_t const column = now.columns[std::size_t(i)], c = column % channels;
    double y = state[std::size_t(c * points + column / channels)];
    if (n.noise) y += std::sqrt(double(now.variances[std::size_t(i)])) * sda::normal<double>(errors, 0, column);
    now.values[std::size_t(i)] = float(y);
    if (describe) out.reports[before + std::size_t(i)].value = y * s.standard.deviation[std::size_t(c)] + s.standard.mean[std::size_t(c)];
  });
  append(out.seen, now);
}

}  // namespace appa
