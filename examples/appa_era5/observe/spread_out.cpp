// SPDX-License-Identifier: Apache-2.0
#include "observe/spread_out.hpp"

#include <array>
#include <map>

namespace appa {

namespace {

using sda::place;

std::vector<place> points_of(grid const& where) {
  std::vector<place> out;
  for (double const latitude : where.latitudes)
    for (double const longitude : where.longitudes) out.push_back({latitude, longitude});
  return out;
}

// Where an observation is: one channel, latitude, longitude. All longitudes of a pole are one place.
struct site {
  index_t channel;
  std::array<double, 2> at;
};
site site_of(sight const& s, std::size_t i, index_t channels, std::vector<place> const& points) {
  std::size_t const corners = std::size_t(s.corners);
  std::map<index_t, double> shares;
  auto const weight = [&](std::size_t k) { return s.weights.empty() ? 1.0 : double(s.weights[i * corners + k]); };
  for (std::size_t k = 0; k < corners; ++k) {
    sda::require(weight(k) >= 0, "observation ", i, " has a weight of ", weight(k),
                 ": observations with correlated errors are of no place, and cannot be spread out");
    shares[s.columns[i * corners + k] % channels] += weight(k);
  }
  auto const most = std::max_element(shares.begin(), shares.end(), [](auto const& a, auto const& b) { return a.second < b.second; })->first;
  double const degree = std::numbers::pi / 180;
  double x = 0, y = 0, z = 0;
  index_t corner = -1, different = 0;
  for (std::size_t k = 0; k < corners; ++k) {
    index_t const column = s.columns[i * corners + k];
    if (column % channels != most || weight(k) == 0) continue;
    auto const& p = points[std::size_t(column / channels)];
    different += corner >= 0 && corner != column, corner = column;
    double const up = p.latitude * degree, east = p.longitude * degree;
    x += weight(k) * std::cos(up) * std::cos(east), y += weight(k) * std::cos(up) * std::sin(east), z += weight(k) * std::sin(up);
  }
  sda::require(corner >= 0, "observation ", i, " has no weight");
  place const p =
      different == 0 ? points[std::size_t(corner / channels)] : place{std::atan2(z, std::hypot(x, y)) / degree, std::atan2(y, x) / degree};
  return {most, {p.latitude, std::abs(p.latitude) > 90 - 1e-9 ? 0 : p.longitude}};
}

// exp(-d²/2 width²) of the distance to the nearest station.
std::vector<double> bells(std::vector<place> const& stations, std::vector<place> const& points, double width) {
  sda::nearest_stations const near(stations);
  std::vector<double> out(points.size());
  sda::parallel_for(index_t(points.size()), index_t(points.size()) * 256, [&](index_t p) {
    auto const found = near(points[std::size_t(p)], 1, 6 * width);  // beyond, 1.5e-8 at the most
    if (!found.empty()) out[std::size_t(p)] = std::exp(-found.front().distance * found.front().distance / (2 * width * width));
  });
  return out;
}

}  // namespace

spread_fields spread_out(grid const& where, index_t channels, sight const& seen, std::span<float const> departures, spreading const& how) {
  sda::require(index_t(departures.size()) == seen.count(), departures.size(), " departures of ", seen.count(), " observations");
  auto const points = points_of(where);
  double const rows_apart = where.height() > 1 ? 180.0 / double(where.height() - 1) : 180,
               width = how.width > 0 ? how.width : 1.5 * rows_apart * std::numbers::pi / 180 * sda::earth_radius;

  struct average {
    double sum = 0, precision = 0;
  };
  std::map<index_t, std::map<std::array<double, 2>, average>> by_channel;
  for (std::size_t i = 0; i < departures.size(); ++i) {
    auto const [channel, at] = site_of(seen, i, channels, points);
    auto& here = by_channel[channel][at];
    here.sum += departures[i] / seen.variances[i], here.precision += 1 / seen.variances[i];
  }

  struct network {
    sda::stencil weights;
    std::vector<double> mask;
  };
  std::map<std::vector<std::array<double, 2>>, network> networks;  // channels that are seen at the same places share them
  spread_fields out{std::vector<float>(points.size() * std::size_t(channels)), std::vector<float>(points.size() * std::size_t(channels))};
  for (auto const& [channel, sites] : by_channel) {
    std::vector<std::array<double, 2>> key;
    std::vector<double> values;
    for (auto const& [at, value] : sites) key.push_back(at), values.push_back(value.sum / value.precision);
    auto const [found, fresh] = networks.try_emplace(key);
    if (fresh) {
      std::vector<place> stations;
      for (auto const& [latitude, longitude] : key) stations.push_back({latitude, longitude});
      found->second = {how.kriging(stations, points), bells(stations, points, width)};
    }
    auto const& [weights, mask] = found->second;
    for (std::size_t p = 0; p < points.size(); ++p) {
      double sum = 0;
      for (std::size_t k = 0; k < weights.columns.size(); ++k) sum += weights.weights[k][p] * values[std::size_t(weights.columns[k][p])];
      auto const number = p * std::size_t(channels) + std::size_t(channel);
      out.departures[number] = float(sum), out.mask[number] = float(mask[p]);
    }
  }
  return out;
}

}  // namespace appa
