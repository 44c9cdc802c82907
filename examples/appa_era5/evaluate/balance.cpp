// SPDX-License-Identifier: Apache-2.0
#include "evaluate/balance.hpp"

#include <cmath>
#include <numbers>

namespace appa {

using sda::require;

std::vector<double> hypsometric_heights(std::span<int const> levels, std::span<double const> temperature, std::span<double const> humidity, double base) {
  require(!levels.empty() && temperature.size() == levels.size() && (humidity.empty() || humidity.size() == levels.size()), "hypsometric_heights: ",
          temperature.size(), " temperatures and ", humidity.size(), " humidities on ", levels.size(), " levels");
  std::vector<double> heights(levels.size());
  auto const moist = [&](double t, std::size_t i) { return humidity.empty() ? t : t * (1 + physics::virtual_part * humidity[i]); };
  double below = base, height = 0, t_below = moist(temperature.back() * std::pow(base / (100.0 * levels.back()), physics::kappa), levels.size() - 1);
  for (std::size_t i = levels.size(); i-- > 0;) {
    double const above = 100.0 * levels[i], t = moist(temperature[i], i);
    height += physics::gas_constant / physics::gravity * std::log(below / above) / ((1 / t_below + 1 / t) / 2);
    heights[i] = height;
    below = above, t_below = t;
  }
  return heights;
}

wind geostrophic_wind(grid const& g, std::span<double const> geopotential, double tropics) {
  require(index_t(geopotential.size()) == g.points(), "geostrophic_wind: ", geopotential.size(), " values for ", text(g));
  index_t const width = g.width();
  double const radians = std::numbers::pi / 180, dx = 2 * std::numbers::pi / double(width);
  wind out{std::vector<double>(geopotential.size(), std::nan("")), std::vector<double>(geopotential.size(), std::nan(""))};
  for (index_t row = 1; row + 1 < g.height(); ++row) {
    double const latitude = g.latitudes[std::size_t(row)] * radians;
    if (std::abs(g.latitudes[std::size_t(row)]) <= tropics) continue;
    double const fa = 2 * physics::rotation * std::sin(latitude) * physics::radius;
    double const dy = (g.latitudes[std::size_t(row - 1)] - g.latitudes[std::size_t(row + 1)]) * radians;
    for (index_t column = 0; column < width; ++column) {
      auto const at = [&](index_t i, index_t j) { return geopotential[std::size_t(i * width + (j + width) % width)]; };
      std::size_t const here = std::size_t(row * width + column);
      out.u[here] = -(at(row - 1, column) - at(row + 1, column)) / (dy * fa);
      out.v[here] = (at(row, column + 1) - at(row, column - 1)) / (2 * dx * std::cos(latitude) * fa);
    }
  }
  return out;
}

double balance::of_level::correlation() const {
  double const a = speed / weight, b = balanced / weight;
  return (both / weight - a * b) / std::sqrt((speed2 / weight - a * a) * (balanced2 / weight - b * b));
}

namespace {
bool among(std::vector<std::string> const& names, char const* name) { return std::find(names.begin(), names.end(), name) != names.end(); }
}  // namespace

balance::balance(grid const& g, channel_set const& channels) : where_(g), channels_(channels), weights_(over_points(g, area_weights(g))) {
  auto const aloft = [&](char const* name) { return among(channels.atmosphere, name) && !channels.levels.empty(); };
  bool const pressure = among(channels.surface, "mean_sea_level_pressure");
  heights_ = aloft("geopotential") && aloft("temperature") && (pressure || channels.levels.size() > 1);
  winds_ = g.is_global() && aloft("geopotential") && aloft("u_component_of_wind") && aloft("v_component_of_wind");
  for (int const level : channels.levels) levels_.push_back(of_level{.level = level});
}

float const* balance::field(std::span<float const> state, char const* name, int level) const {
  index_t const c = channels_.index_of({name, level});
  return c < 0 ? nullptr : state.data() + c * where_.points();
}

void balance::add(std::span<float const> state) {
  require(index_t(state.size()) == channels_.size() * where_.points(), "balance: a state of ", state.size(), " numbers for ", channels_.size(), " channels on ", text(where_));
  if (heights_) add_heights(state);
  if (winds_) add_winds(state);
}

// From the pressure at sea level or, without it, from the lowest level, whose own height is then right.
void balance::add_heights(std::span<float const> state) {
  auto const& levels = channels_.levels;
  std::size_t const n = levels.size();
  float const* const pressure = field(state, "mean_sea_level_pressure", 0);
  bool const moist = among(channels_.atmosphere, "specific_humidity");
  std::vector<float const*> t, z, q;
  for (int const level : levels) {
    t.push_back(field(state, "temperature", level)), z.push_back(field(state, "geopotential", level));
    if (moist) q.push_back(field(state, "specific_humidity", level));
  }
  std::vector<double> temperature(n), humidity(moist ? n : 0);
  for (std::size_t p = 0; p < weights_.size(); ++p) {
    for (std::size_t l = 0; l < n; ++l) {
      temperature[l] = double(t[l][p]);
      if (moist) humidity[l] = double(q[l][p]);
    }
    auto const heights = hypsometric_heights(levels, temperature, humidity, pressure ? double(pressure[p]) : 100.0 * levels.back());
    double const start = pressure ? 0 : double(z.back()[p]) / physics::gravity;
    for (std::size_t l = 0; l + (pressure ? 0 : 1) < n; ++l)
      levels_[l].height.add((start + heights[l] - double(z[l][p]) / physics::gravity) / 1000, weights_[p]);
  }
}

void balance::add_winds(std::span<float const> state) {
  for (auto& out : levels_) {
    float const *const u = field(state, "u_component_of_wind", out.level), *const v = field(state, "v_component_of_wind", out.level),
                *const z = field(state, "geopotential", out.level);
    auto const calm = geostrophic_wind(where_, std::vector<double>(z, z + where_.points()));
    for (std::size_t p = 0; p < weights_.size(); ++p) {
      double const w = weights_[p], x = double(u[p]), y = double(v[p]), gx = calm.u[p], gy = calm.v[p];
      double const speed = std::hypot(x, y), balanced = std::hypot(gx, gy);
      if (!std::isfinite(speed + balanced)) continue;
      out.weight += w, out.speed += w * speed, out.balanced += w * balanced;
      out.speed2 += w * speed * speed, out.balanced2 += w * balanced * balanced, out.both += w * speed * balanced;
      out.difference2 += w * ((x - gx) * (x - gx) + (y - gy) * (y - gy));
      if (speed * balanced > 0) out.cosine.add((gx * x + gy * y) / (speed * balanced), w), out.sine.add((gx * y - gy * x) / (speed * balanced), w);
    }
  }
}

}  // namespace appa
