// SPDX-License-Identifier: Apache-2.0
#include "observe/stations.hpp"

#include "observe/csv.hpp"

#include <sda/core/error.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <optional>

namespace appa {

namespace {

using sda::require;

bool is_latitude(std::string const& name) { return name == "latitude" || name == "lat"; }
bool is_longitude(std::string const& name) { return name == "longitude" || name == "lon"; }
bool is_elevation(std::string const& name) { return name == "elevation" || name == "elev" || name == "elev(m)"; }

std::optional<station> station_at(double latitude, double longitude, double elevation) {
  if (!(std::abs(latitude) <= 90) || !(std::abs(longitude) <= 360)) return {};
  return station{{latitude, longitude}, elevation};
}

using found = std::vector<std::optional<station>>;

found from_csv(std::istream& in, std::string const& path) {
  std::string line;
  require(bool(std::getline(in, line)), path, " is empty");
  auto const names = fields_of(lower(line));
  auto const column = [&](auto const& is) { return std::find_if(names.begin(), names.end(), is) - names.begin(); };
  auto const latitude = column(is_latitude), longitude = column(is_longitude), elevation = column(is_elevation);
  require(std::size_t(latitude) < names.size() && std::size_t(longitude) < names.size(), path,
          ": its first line names no latitude (or lat) and longitude (or lon): ", line.substr(0, 200));
  found all;
  while (std::getline(in, line)) {
    if (line.empty() || line == "\r") continue;
    auto const fields = fields_of(line);
    auto const at = [&](std::ptrdiff_t i) { return std::size_t(i) < fields.size() ? number(fields[std::size_t(i)]) : std::nan(""); };
    all.push_back(station_at(at(latitude), at(longitude), at(elevation)));
  }
  return all;
}

found from_json(std::istream& in, std::string const& path) {
  nlohmann::json const list = nlohmann::json::parse(in, nullptr, false);
  require(list.is_array(), path, " is no JSON array");
  found all;
  for (auto const& one : list) {
    double latitude = std::nan(""), longitude = latitude, elevation = latitude;
    if (one.is_object())
      for (auto const& [key, value] : one.items()) {
        double const x = value.is_number() ? value.get<double>() : value.is_string() ? number(value.get<std::string>()) : std::nan("");
        std::string const name = lower(key);
        if (is_latitude(name)) latitude = x;
        if (is_longitude(name)) longitude = x;
        if (is_elevation(name)) elevation = x;
      }
    all.push_back(station_at(latitude, longitude, elevation));
  }
  return all;
}

}  // namespace

std::vector<station> read_stations(std::string const& path, index_t* skipped) {
  std::ifstream in(path);
  require(bool(in), "cannot read ", path);
  bool const json = (in >> std::ws).peek() == '[';
  std::vector<station> kept;
  index_t lost = 0;
  for (auto const& one : json ? from_json(in, path) : from_csv(in, path)) {
    if (one) kept.push_back(*one);
    else ++lost;
  }
  require(!kept.empty(), path, " holds no station with a place on the globe, among ", lost);
  if (skipped) *skipped = lost;
  return kept;
}

index_t nearest_point(grid const& g, place const& p, bool seam) {
  double const dy = g.latitudes[0] - g.latitudes[1], dx = g.longitudes[1] - g.longitudes[0];
  index_t const row = index_t(std::nearbyint((g.latitudes[0] - p.latitude) / dy));
  index_t column = index_t(std::nearbyint((p.longitude - g.longitudes[0]) / dx));
  if (row < 0 || row >= g.height() || (seam && (column < -g.width() / 2 || column >= g.width() / 2))) return -1;
  if (g.is_global()) column = (column % g.width() + g.width()) % g.width();
  return column < 0 || column >= g.width() ? -1 : row * g.width() + column;
}

std::vector<index_t> station_points(grid const& g, std::vector<station> const& stations, bool seam) {
  std::vector<index_t> points;
  for (auto const& s : stations)
    if (index_t const at = nearest_point(g, s.where, seam); at >= 0) points.push_back(at);
  std::sort(points.begin(), points.end());
  points.erase(std::unique(points.begin(), points.end()), points.end());
  return points;
}

}  // namespace appa
