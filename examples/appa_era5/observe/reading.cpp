// SPDX-License-Identifier: Apache-2.0
#include "observe/reading.hpp"

#include "observe/stations.hpp"

#include <algorithm>
#include <cmath>

namespace appa {

namespace {

bool is_wind(variable const& v) { return v.standard_name == "eastward_wind" || v.standard_name == "northward_wind"; }

weighted_points nearest_of(weighted_points const& all) {
  auto const at = std::max_element(all.weights.begin(), all.weights.end()) - all.weights.begin();
  return {{all.points[std::size_t(at)]}, {1}};
}

// Adds the points of a row around a position along it, in spacings from its first.
void add_row(grid const& g, index_t row, double x, double weight, weighted_points& out) {
  double const width = double(g.width()), wrapped = g.is_global() ? x - width * std::floor(x / width) : x;
  index_t const west = std::min(index_t(wrapped), g.width() - 1), east = west + 1 < g.width() ? west + 1 : g.is_global() ? 0 : west;
  double const fraction = wrapped - double(west);
  if (fraction < 1) out.points.push_back(row * g.width() + west), out.weights.push_back(weight * (1 - fraction));
  if (fraction > 0) out.points.push_back(row * g.width() + east), out.weights.push_back(weight * fraction);
}

}  // namespace

std::optional<weighted_points> points_around(grid const& g, place const& p, reading how, bool wind) {
  if (!(std::abs(p.latitude) <= 90) || !std::isfinite(p.longitude)) return {};
  double const slack = 1e-6, dy = g.latitudes[0] - g.latitudes[1], dx = g.longitudes[1] - g.longitudes[0];
  double const y = (g.latitudes[0] - p.latitude) / dy, last = double(g.height() - 1);
  double const east = p.longitude - g.longitudes[0];
  double x = (east - 360 * std::floor(east / 360)) / dx;
  bool const global = g.is_global();
  if (!global) {
    if (x > 360 / dx - slack) x = 0;
    if (y < -slack || y > last + slack || x > double(g.width() - 1) + slack) return {};
    x = std::min(x, double(g.width() - 1));
  }
  if (how == reading::nearest) {
    index_t const at = nearest_point(g, {p.latitude, g.longitudes[0] + dx * x});
    return at < 0 ? std::optional<weighted_points>() : weighted_points{{at}, {1}};
  }
  weighted_points out;
  double const inside = std::clamp(y, 0.0, last), beyond = std::abs(y - inside);
  index_t const row = std::min(index_t(inside), g.height() - 1);
  if (beyond > slack) {   // the other node is on the same row, half way round
    add_row(g, row, x, 1 - beyond, out);
    add_row(g, row, x + double(g.width()) / 2, wind ? -beyond : beyond, out);
    return out;
  }
  double const fraction = inside - double(row);
  add_row(g, row, x, 1 - fraction, out);
  if (fraction > 0) add_row(g, row + 1, x, fraction, out);
  return out;
}

std::optional<weighted_points> levels_around(std::vector<int> const& levels, double pressure, reading how) {
  if (levels.empty() || !(pressure >= 0.999 * levels.front()) || !(pressure <= 1.001 * levels.back())) return {};
  double const p = std::clamp(pressure, double(levels.front()), double(levels.back()));
  auto const below = std::upper_bound(levels.begin(), levels.end(), p);
  if (below == levels.end()) return weighted_points{{index_t(levels.size()) - 1}, {1}};
  index_t const lower = below - levels.begin();
  double const fraction = std::log(p / *(below - 1)) / std::log(double(*below) / *(below - 1));
  if (fraction == 0) return weighted_points{{lower - 1}, {1}};
  weighted_points const both{{lower - 1, lower}, {1 - fraction, fraction}};
  return how == reading::nearest ? nearest_of(both) : both;
}

std::optional<linear_reading> read_at(scene const& s, variable const& what, place const& p, double pressure, reading how) {
  bool const aloft = std::find(s.channels.atmosphere.begin(), s.channels.atmosphere.end(), what.name) != s.channels.atmosphere.end();
  auto points = points_around(s.where, p, how, is_wind(what));
  auto const levels = aloft ? levels_around(s.channels.levels, pressure, how) : weighted_points{{0}, {1}};
  index_t const first = s.channels.index_of({what.name, aloft ? s.channels.levels.front() : 0});
  if (!points || !levels || first < 0) return {};
  if (what.name == "sea_surface_temperature") {
    double sum = 0;
    for (std::size_t i = 0; i < points->points.size(); ++i) {
      if (s.sea.empty() || !s.sea[std::size_t(points->points[i])]) points->weights[i] = 0;
      sum += points->weights[i];
    }
    if (sum < 1e-6) return {};
    for (double& w : points->weights) w /= sum;
  }
  linear_reading out{{}, {}, 0, 0};
  for (std::size_t l = 0; l < levels->points.size(); ++l) out.unit += levels->weights[l] * s.standard.deviation[std::size_t(first + levels->points[l])];
  for (std::size_t l = 0; l < levels->points.size(); ++l)
    for (std::size_t i = 0; i < points->points.size(); ++i) {
      double const w = levels->weights[l] * points->weights[i];
      if (w == 0) continue;
      index_t const c = first + levels->points[l];
      out.columns.push_back(points->points[i] * s.channels.size() + c);
      out.weights.push_back(w * s.standard.deviation[std::size_t(c)] / out.unit);
      out.offset += w * s.standard.mean[std::size_t(c)];
    }
  return out;
}

std::string why_not(scene const& s, variable const& what, place const& p, double pressure, reading how) {
  auto const among = [&](auto const& names) { return std::find(names.begin(), names.end(), what.name) != names.end(); };
  if (!among(s.channels.surface) && !among(s.channels.atmosphere)) return "of variables that states do not have";
  if (!points_around(s.where, p, how)) return "off the grid";
  if (among(s.channels.atmosphere) && !levels_around(s.channels.levels, pressure, how)) return "above or below all levels, or without one";
  return s.sea.empty() ? "of the sea's temperature, and nothing says where the sea is" : "of the sea's temperature on land";
}

}  // namespace appa
