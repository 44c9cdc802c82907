// SPDX-License-Identifier: Apache-2.0
#include "sphere/weather.hpp"

#include <sda/core/error.hpp>
#include <sda/core/parallel.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace appa {

namespace {

using Eigen::ArrayXd;
using std::numbers::pi;
double constexpr gas = 287.0, degree = pi / 180;   // J/(kg K)

/// The mean air over the globe (K): 6.5 K/km up to 226 hPa, then even, then warmer.
double mean_temperature(double p) {
  double const below = 288.15 * std::pow(p / 1013.25, 0.1903), above = p < 55 ? 216.65 + 9 * std::log(55 / p) : 216.65;
  return std::max(below, above);
}

/// The cubic of Hermite between two ends: value and derivative.
std::array<double, 4> hermite(double s) {
  return {(1 + 2 * s) * (1 - s) * (1 - s), s * (1 - s) * (1 - s), s * s * (3 - 2 * s), s * s * (s - 1)};
}
std::array<double, 4> hermite_slope(double s) { return {6 * s * s - 6 * s, 3 * s * s - 4 * s + 1, 6 * s - 6 * s * s, 3 * s * s - 2 * s}; }

double saturation(double temperature, double pressure) {   // kg/kg, Bolton (1980)
  double const celsius = temperature - 273.15, vapour = 6.112 * std::exp(17.67 * celsius / (celsius + 243.5));
  return 0.622 * vapour / std::max(pressure - 0.378 * vapour, 0.2 * pressure);
}

double sea_climate(double t, double latitude, double longitude) {
  double const north = -6 * std::cos(season(t) - 1.2);   // of the equator, where the sea is warmest: most in September
  double const celsius = -3 + 31 * std::exp(-std::pow(std::abs(latitude - north) / 37, 2.4));
  return 273.15 + celsius + 1.6 * std::cos((longitude - 150) * degree) * std::cos(latitude * degree);
}

harmonics synthesis_on(grid const& g, int truncation) {
  quadrature rows;
  for (double const latitude : g.latitudes) {   // a hair off the poles, where winds have their limits
    rows.sines.push_back(std::sin(std::clamp(latitude, -89.99, 89.99) * degree));
    rows.weights.push_back(0);
  }
  return harmonics(truncation, rows, g.width());
}

}  // namespace

weather::weather(atmosphere const& model, grid const& where, channel_set channels)
    : where_(where), channels_(std::move(channels)), sphere_(synthesis_on(where, model.sphere().truncation())), cosine_(where.points()),
      ground_(idealised_earth(where)), list_(channels_.list()),
      lowest_(level_at(1000)), rainy_(level_at(atmosphere::pressures[2])) {
  sda::require(where.is_global() && std::abs(where.longitudes[0]) < 1e-9, "weather is made on global grids from longitude 0, not on ", text(where));
  for (index_t i = 0; i < where.points(); ++i) {
    double const mu = sphere_.sines()[std::size_t(i / where.width())];
    cosine_(i) = std::sqrt(1 - mu * mu);
  }
  for (auto const& c : list_) levels_.push_back(level_at(c.level ? c.level : 1000));
}

weather::level weather::level_at(double pressure) {
  // Nodes in ln p: values a (of the three levels) and slopes b, one row a node.
  double const x[5] = {std::log(20), std::log(200), std::log(500), std::log(800), std::log(1000)};
  double const above = x[2] - x[1], below = x[3] - x[2], last = x[4] - x[3];
  Eigen::Matrix<double, 5, 3> a = Eigen::Matrix<double, 5, 3>::Zero(), b = a;
  Eigen::RowVector3d const upper{-1 / above, 1 / above, 0}, lower{0, -1 / below, 1 / below};
  a(0, 0) = 0.5, a(1, 0) = 1, a(2, 1) = 1, a(3, 2) = 1;
  b.row(1) = 0.1 * upper, b(1, 0) += 0.3 / (x[1] - x[0]);   // little is left of the slope at the tropopause
  b.row(2) = (below * upper + above * lower) / (above + below), b.row(3) = lower, b.row(4) = 0.7 * lower;
  a.row(4) = a.row(3) + 0.85 * last * lower;

  level out{};
  double const at = std::log(pressure);
  int node = 0;
  while (node < 3 && at > x[node + 1]) ++node;
  double const h = x[node + 1] - x[node], s = (at - x[node]) / h;
  auto const w = hermite(s), d = hermite_slope(s);
  for (int k = 0; k < 3; ++k) {
    out.value[std::size_t(k)] = s <= 0 ? a(0, k) : w[0] * a(node, k) + w[1] * h * b(node, k) + w[2] * a(node + 1, k) + w[3] * h * b(node + 1, k);
    out.slope[std::size_t(k)] = s <= 0 ? 0 : (d[0] * a(node, k) + d[1] * h * b(node, k) + d[2] * a(node + 1, k) + d[3] * h * b(node + 1, k)) / h;
  }
  out.temperature = mean_temperature(pressure);
  auto const ground = [](double p) { return p > 700 ? (p - 700) * (p - 700) / 90000 : 0.0; };
  out.ground = ground(pressure);
  int const steps = 2000;   // of the midpoint rule
  double const from = std::log(1013.25), dx = (at - from) / steps;
  for (int i = 0; i < steps; ++i) out.geopotential -= gas * mean_temperature(std::exp(from + (i + 0.5) * dx)) * dx;
  double const dy = std::max(0.0, at - std::log(700)) / steps;
  for (int i = 0; i < steps; ++i) out.ground_depth += ground(std::exp(std::log(700) + (i + 0.5) * dy)) * dy;
  return out;
}

ArrayXd weather::temperature(level const& l, pieces const& p) {
  ArrayXd const slope = l.slope[0] * p.geopotential.col(0) + l.slope[1] * p.geopotential.col(1) + l.slope[2] * p.geopotential.col(2);
  return l.temperature - slope / gas + l.ground * p.ground;
}
ArrayXd weather::geopotential(level const& l, pieces const& p) {
  return l.geopotential + l.value[0] * p.geopotential.col(0) + l.value[1] * p.geopotential.col(1) + l.value[2] * p.geopotential.col(2) -
         gas * l.ground_depth * p.ground;
}

ArrayXd weather::free_temperature(pieces const& p) const { return temperature(rainy_, p) - rainy_.ground * p.ground; }

weather::pieces weather::pieces_of(atmosphere const& model) const {
  Eigen::MatrixXd const psi = model.streamfunctions();
  Eigen::MatrixXd spectra(sphere_.size(), 24);
  spectra << -sphere_.cos_d_latitude(psi), sphere_.d_longitude(psi), model.balanced(psi), model.water(), model.ascent(), model.sea();
  Eigen::MatrixXd const g = sphere_.synthesise(spectra);
  pieces p;
  p.u = (g.leftCols(3).array().colwise() / cosine_) / atmosphere::radius, p.v = (g.middleCols(3, 3).array().colwise() / cosine_) / atmosphere::radius;
  p.geopotential = g.middleCols(6, 3).array();
  p.water = g.col(9).array(), p.ascent = g.col(10).array(), p.sea = g.col(11).array();
  p.ground = ArrayXd::Zero(where_.points()), p.sun = p.ground;
  ArrayXd const air = temperature(lowest_, p);
  double const t = double(model.now());
  sda::parallel_for(where_.height(), where_.points() * 8, [&](index_t row) {
    double const latitude = where_.latitudes[std::size_t(row)];
    double mean_sun = 0;
    for (int k = 0; k < 24; ++k) mean_sun += sunlight(t, latitude, 15.0 * k) / 24;
    for (index_t i = row * where_.width(); i < (row + 1) * where_.width(); ++i) {
      double const longitude = where_.longitudes[std::size_t(i % where_.width())], land = ground_.land[std::size_t(i)];
      p.sun(i) = sunlight(t - 2.5, latitude, longitude) - mean_sun;   // the ground is warmest two hours after noon
      p.sea(i) = std::max(271.35, sea_climate(t, latitude, longitude) + p.sea(i));
      double const ice = 1 / (1 + std::exp((66 - std::abs(latitude)) / 3)), open = std::clamp((p.sea(i) - 271.35) / 3, 0.15, 1.0);
      double const over_land = -11 * std::sin(latitude * degree) * std::cos(season(t) - 0.45) + (9 - 6 * ice) * p.sun(i) - 16 * ice;
      p.ground(i) = land * over_land + (1 - land) * 0.6 * open * std::clamp(p.sea(i) - air(i), -12.0, 12.0);
    }
  });
  return p;
}

ArrayXd weather::surface_field(std::string const& name, pieces const& p) const {
  auto const land = Eigen::Map<ArrayXd const>(ground_.land.data(), where_.points()), height = Eigen::Map<ArrayXd const>(ground_.height.data(), where_.points());
  ArrayXd const low = temperature(lowest_, p);
  if (name == "2m_temperature") return low + (1 - land) * 0.35 * (p.sea - low) + land * 3 * p.sun - 0.0055 * height;
  if (name == "mean_sea_level_pressure") return 1e5 * (geopotential(lowest_, p) / (gas * low)).exp();
  if (name == "sea_surface_temperature") return (land > 0.5).select(ArrayXd::Constant(land.size(), std::numeric_limits<double>::quiet_NaN()), p.sea);
  if (name == "total_precipitation") {
    ArrayXd const t800 = free_temperature(p);
    ArrayXd rain(land.size());
    for (index_t i = 0; i < rain.size(); ++i)
      rain(i) = 1e-3 * atmosphere::rain(p.water(i), atmosphere::capacity(t800(i)), p.ascent(i) + 0.8 * land(i) * p.sun(i));
    return rain;
  }
  auto const& w = lowest_.value;   // the wind turns towards low pressure at the ground, more so on land
  ArrayXd const u = w[0] * p.u.col(0) + w[1] * p.u.col(1) + w[2] * p.u.col(2), v = w[0] * p.v.col(0) + w[1] * p.v.col(1) + w[2] * p.v.col(2);
  ArrayXd const angle = (15 + 15 * land) * degree, speed = 0.8 - 0.25 * land;
  ArrayXd turn(land.size());
  for (index_t i = 0; i < turn.size(); ++i) turn(i) = std::sin(angle(i)) * std::tanh(where_.latitudes[std::size_t(i / where_.width())] / 8);
  if (name == "10m_u_component_of_wind") return speed * (angle.cos() * u - turn * v);
  if (name == "10m_v_component_of_wind") return speed * (turn * u + angle.cos() * v);
  throw sda::error("the synthetic weather has no " + name);
}

ArrayXd weather::upper_field(std::string const& name, double pressure, level const& l, pieces const& p) const {
  if (name == "temperature") return temperature(l, p);
  if (name == "geopotential") return geopotential(l, p);
  if (name == "u_component_of_wind") return l.value[0] * p.u.col(0) + l.value[1] * p.u.col(1) + l.value[2] * p.u.col(2);
  if (name == "v_component_of_wind") return l.value[0] * p.v.col(0) + l.value[1] * p.v.col(1) + l.value[2] * p.v.col(2);
  sda::require(name == "specific_humidity", "the synthetic weather has no ", name);
  ArrayXd const t800 = free_temperature(p), t = temperature(l, p);
  double const depth = std::clamp((pressure - 120) / 880, 0.0, 1.0), middle = std::exp(-std::pow((pressure - 550) / 220, 2));
  ArrayXd q(t.size());
  for (index_t i = 0; i < q.size(); ++i) {
    double const share = std::clamp(p.water(i) / atmosphere::capacity(t800(i)), 0.0, 1.2) * (0.2 + 0.8 * depth) + 0.12 * middle * p.ascent(i);
    q(i) = std::max(2.5e-6, depth * std::clamp(share, 0.03, 1.0) * saturation(t(i), pressure));
  }
  return q;
}

std::vector<float> weather::state(atmosphere const& model) const {
  pieces const p = pieces_of(model);
  std::vector<float> out(std::size_t(channels_.size() * where_.points()));
  sda::parallel_for(channels_.size(), channels_.size() * where_.points(), [&](index_t c) {
    auto const& [name, pressure] = list_[std::size_t(c)];
    ArrayXd const field = pressure ? upper_field(name, pressure, levels_[std::size_t(c)], p) : surface_field(name, p);
    Eigen::Map<Eigen::ArrayXf>(out.data() + c * where_.points(), where_.points()) = field.cast<float>();
  });
  return out;
}

std::vector<float> weather::context(std::string const& name, hours t) const {
  std::vector<float> out;
  index_t const width = where_.width();
  auto const height = [&](index_t row, index_t column) {
    return ground_.height[std::size_t(std::clamp<index_t>(row, 0, where_.height() - 1) * width + (column + width) % width)];
  };
  for (index_t i = 0; i < where_.points(); ++i) {
    index_t const row = i / width, column = i % width;
    double const latitude = where_.latitudes[std::size_t(row)], spacing = 111e3 * std::abs(where_.latitudes[0] - where_.latitudes[1]);
    double const east = (height(row, column + 1) - height(row, column - 1)) / (2 * spacing * std::max(cosine_(i), 0.1));
    double const north = (height(row - 1, column) - height(row + 1, column)) / (2 * spacing), slope = std::hypot(east, north);
    out.push_back(float(name == "toa_incident_solar_radiation"            ? 1361 * 3600 * sunlight(double(t), latitude, where_.longitudes[std::size_t(column)])
                        : name == "land_sea_mask"                         ? ground_.land[std::size_t(i)]
                        : name == "standard_deviation_of_orography"       ? 0.18 * height(row, column) + 2e4 * slope
                        : name == "slope_of_sub_gridscale_orography"      ? 3e-6 * height(row, column) + 3 * slope
                        : name == "anisotropy_of_sub_gridscale_orography" ? 0.5 + 0.4 * std::tanh(300 * slope) * (std::abs(east) - std::abs(north)) / (slope + 1e-9)
                                                                          : std::atan2(north, east + 1e-12)));
  }
  sda::require(find_variable(name) && std::any_of(context_variables().begin(), context_variables().end(), [&](auto const& v) { return v.name == name; }),
               name, " is no field of the context");
  return out;
}

}  // namespace appa
