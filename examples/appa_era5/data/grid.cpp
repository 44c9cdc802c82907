// SPDX-License-Identifier: Apache-2.0
#include "data/grid.hpp"

#include <sda/core/error.hpp>
#include <sda/metrics/latitude_weights.hpp>

#include <charconv>
#include <cmath>
#include <numbers>

namespace appa {

namespace {

using sda::require;

double constexpr tolerance = 1e-3;   // degrees: coordinates are often stored as floats

bool close(std::vector<double> const& a, std::vector<double> const& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::abs(a[i] - b[i]) > tolerance) return false;
  return true;
}

}  // namespace

bool grid::is_global() const {
  if (height() < 2 || width() < 2) return false;
  double const dy = latitudes[0] - latitudes[1], dx = longitudes[1] - longitudes[0];
  bool const round = std::abs(longitudes.back() - longitudes.front() + dx - 360) < tolerance;
  return round && latitudes.front() + dy > 90 - tolerance && latitudes.back() - dy < -90 + tolerance;
}

bool same(grid const& a, grid const& b) { return close(a.latitudes, b.latitudes) && close(a.longitudes, b.longitudes); }

std::string text(grid const& g) { return sda::detail::text(g.width(), " x ", g.height(), " points"); }

grid regular_grid(index_t width, index_t height, bool poles) {
  require(width >= 4 && height >= 3, "a global grid of ", width, " x ", height, " points is too small");
  grid g;
  for (index_t i = 0; i < height; ++i)
    g.latitudes.push_back(poles ? 90 - 180 * double(i) / double(height - 1) : 90 - 180 * (double(i) + 0.5) / double(height));
  for (index_t j = 0; j < width; ++j) g.longitudes.push_back(360 * double(j) / double(width));
  return g;
}

grid parse_grid(std::string const& words) {
  index_t width = 0, height = 0;
  char const* const end = words.data() + words.size();
  auto const first = std::from_chars(words.data(), end, width);
  auto second = first;
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == 'x') second = std::from_chars(first.ptr + 1, end, height);
  std::string const rest(second.ptr, end);
  require(width > 0 && height > 0 && width < 100000 && height < 100000 && (rest.empty() || rest == "+poles" || rest == "-poles"),
          "a grid is WIDTHxHEIGHT, with +poles or -poles after it when an odd height does not say so; not \"", words, "\"");
  return regular_grid(width, height, rest.empty() ? height % 2 == 1 : rest == "+poles");
}

std::vector<double> cosine_weights(grid const& g) {
  std::vector<double> w;
  for (double const latitude : g.latitudes) w.push_back(std::cos(latitude * std::numbers::pi / 180) + 1 / double(g.width()));
  return w;
}

std::vector<double> area_weights(grid const& g) { return sda::latitude_weights(g.latitudes); }

std::vector<double> over_points(grid const& g, std::vector<double> const& of_rows) {
  require(index_t(of_rows.size()) == g.height(), of_rows.size(), " weights for ", g.height(), " rows");
  std::vector<double> all;
  for (double const w : of_rows) all.insert(all.end(), std::size_t(g.width()), w);
  return all;
}

}  // namespace appa
