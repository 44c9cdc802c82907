// SPDX-License-Identifier: Apache-2.0
#include "observe/orbit.hpp"

#include <sda/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace appa {

namespace {

using std::numbers::pi;
double constexpr degree = pi / 180;

double wrapped(double longitude) {   // to [-180, 180), from 180 degrees away
  double const turned = std::fmod(longitude, 360);
  return (turned < 0 ? turned + 360 : turned) - 180;
}

// The grid points within `radius` of a place: marks[point] = 1.
void mark(grid const& g, place const& centre, double radius, std::vector<char>& marks) {
  double const sine = std::sin(centre.latitude * degree), cosine = std::cos(centre.latitude * degree), nearest = std::cos(radius * degree);
  double const x = cosine * std::cos(centre.longitude * degree), y = cosine * std::sin(centre.longitude * degree);
  double const chord = 2 * std::sin(radius * degree / 2), spacing = g.longitudes[1] - g.longitudes[0];
  for (index_t i = 0; i < g.height(); ++i) {
    double const latitude = g.latitudes[std::size_t(i)];
    if (std::abs(latitude - centre.latitude) > radius + 1e-6) continue;
    double const s = std::sin(latitude * degree), c = std::cos(latitude * degree), across = cosine * c;
    double const within = across > 1e-12 ? (nearest - sine * s) / across : -1;
    double const half = within <= -1 ? 180 : within >= 1 ? 0 : std::acos(within) / degree;
    index_t const middle = index_t(std::lround((centre.longitude - g.longitudes[0]) / spacing));
    index_t const reach = std::min(index_t(half / spacing) + 2, g.width() / 2);
    for (index_t k = middle - reach; k <= middle + reach; ++k) {
      index_t const j = ((k % g.width()) + g.width()) % g.width();
      double const lon = g.longitudes[std::size_t(j)] * degree, dx = c * std::cos(lon) - x, dy = c * std::sin(lon) - y, dz = s - sine;
      if (dx * dx + dy * dy + dz * dz <= chord * chord) marks[std::size_t(i * g.width() + j)] = 1;
    }
  }
}

}  // namespace

double orbit::round() const {
  double const r = (6371.0088 + altitude) * 1e3;
  return 2 * pi * std::sqrt(r * r * r / 3.986004415e14) / 3600;
}

place orbit::below(double t) const {
  double const at = t + delay, angle = 2 * pi * at / round(), tilt = (90 - inclination) * degree;
  double const x = std::cos(angle), y = std::sin(angle) * std::sin(tilt), z = -std::sin(angle) * std::cos(tilt);
  return {std::asin(std::clamp(z, -1.0, 1.0)) / degree, wrapped(std::atan2(y, x) / degree + phase - 360 * at / 24)};
}

std::vector<place> orbit::track(int hour) const {
  std::vector<place> out;
  for (int k = 0; k < samples; ++k) out.push_back(below(hour + double(k) / samples));
  return out;
}

std::vector<index_t> orbit::swath(grid const& g, int hour) const {
  sda::require(altitude > 0 && samples > 0 && field_of_view > 0 && field_of_view < 90, "an orbit at ", altitude, " km with ", samples,
               " samples an hour that see ", field_of_view, " degrees");
  sda::require(g.is_global(), "a swath on ", text(g), ", which do not go round the globe");
  std::vector<char> marks(static_cast<std::size_t>(g.points()));
  for (auto const& p : track(hour)) mark(g, p, field_of_view, marks);
  std::vector<index_t> seen;
  for (index_t i = 0; i < g.points(); ++i)
    if (marks[std::size_t(i)]) seen.push_back(i);
  return seen;
}

}  // namespace appa
