// SPDX-License-Identifier: Apache-2.0
#include "sphere/earth.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace appa {

namespace {

using std::numbers::pi;
double constexpr degree = pi / 180;

/// Centre and half axes in degrees, turned anticlockwise.
struct blob {
  double latitude, longitude, north, east, turned, height = 0;
};
std::array<blob, 21> const continents{{
    {50, 258, 17, 27, 0},   {66, 250, 8, 42, 5},    {38, 264, 10, 18, 0},  {20, 259, 10, 6, 35},    // North America
    {72, 318, 11, 14, 0},                                                                          // Greenland
    {-8, 300, 16, 17, 10},  {-30, 294, 22, 8, -8},                                                 // South America
    {8, 20, 28, 14, -10},   {20, 5, 14, 20, 0},     {-22, 25, 13, 10, 0},  {24, 42, 10, 12, 0},    // Africa, Arabia
    {50, 18, 8, 24, 8},     {62, 18, 8, 10, 30},    {57, 75, 15, 60, 0},   {66, 120, 8, 55, 0},    // Eurasia
    {38, 85, 13, 35, 0},    {32, 108, 11, 13, 0},   {20, 78, 13, 8, 0},    {15, 102, 10, 6, -20},
    {-25, 134, 10, 19, 0},  {-90, 0, 20, 1000, 0},                                                 // Australia, Antarctica
}};
std::array<blob, 10> const mountains{{
    {44, 249, 16, 8, 15, 1900}, {62, 230, 8, 14, 0, 1000}, {-20, 291, 30, 4, -5, 2600}, {34, 90, 9, 17, 0, 4300},  {50, 95, 8, 14, 0, 1500},
    {72, 318, 9, 10, 0, 2400},  {-88, 60, 17, 1000, 0, 2600}, {5, 36, 14, 6, 0, 1300},   {33, 55, 6, 10, 0, 1400}, {46, 10, 3, 7, 0, 1200},
}};

// The distance from a blob's centre in units of its axes, squared.
double distance(blob const& b, double latitude, double longitude) {
  double const dy = latitude - b.latitude, across = std::remainder(longitude - b.longitude, 360.0);
  double const dx = b.east > 360 ? 0 : across * std::cos((b.latitude + dy / 2) * degree) / std::max(std::cos(b.latitude * degree), 0.2);
  double const c = std::cos(b.turned * degree), s = std::sin(b.turned * degree);
  double const x = (c * dx + s * dy) / b.east, y = (-s * dx + c * dy) / b.north;
  return x * x + y * y;
}

// A coast that is not quite an ellipse.
double ragged(double latitude, double longitude) {
  double const y = latitude * degree, x = longitude * degree;
  return 0.10 * std::sin(9 * x + 5 * y) * std::cos(11 * y) + 0.07 * std::sin(17 * x - 13 * y + 1) + 0.05 * std::cos(29 * x + 23 * y);
}

}  // namespace

earth idealised_earth(grid const& g) {
  earth e;
  for (double const latitude : g.latitudes)
    for (double const longitude : g.longitudes) {
      double nearest = 10, height = 0;
      for (auto const& c : continents) nearest = std::min(nearest, std::sqrt(distance(c, latitude, longitude)));
      double const land = 1 / (1 + std::exp(-(1 - nearest + std::cos(latitude * degree) * ragged(latitude, longitude)) / 0.04));
      for (auto const& m : mountains) height += m.height * std::exp(-1.5 * distance(m, latitude, longitude));
      e.land.push_back(land), e.height.push_back(land * (height + 150));
    }
  return e;
}

double season(double t) { return 2 * pi * std::fmod(t / 24 + 10, 365.2425) / 365.2425; }

double sunlight(double t, double latitude, double longitude) {
  double const declination = -23.44 * degree * std::cos(season(t)), y = latitude * degree;
  double const up = std::sin(y) * std::sin(declination), across = std::cos(y) * std::cos(declination);
  double const noon = 2 * pi * (std::fmod(t - 0.5, 24) / 24 + longitude / 360 - 0.5);   // hour angle in the middle of the hour
  double sum = 0;
  for (int part = -2; part <= 2; ++part) sum += std::max(0.0, up + across * std::cos(noon + part * pi / 60));
  return sum / 5;
}

}  // namespace appa
