// SPDX-License-Identifier: Apache-2.0
#include "data/state_file.hpp"

#include "data/archive.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace appa {

namespace {

using sda::require;

std::size_t constexpr largest_chunk = 1 << 20;  // numbers

sda::netcdf::attributes attributes_of(variable const& v, quantity what) {
  sda::netcdf::attributes out;
  bool const difference = what == quantity::increment;
  std::string words = v.name;
  std::replace(words.begin(), words.end(), '_', ' ');
  out.push_back({"long_name", difference ? "analysis increment of " + words : words});
  if (!v.standard_name.empty() && !difference) out.push_back({"standard_name", v.standard_name});
  out.push_back({"units", v.units});
  if (what == quantity::mean) out.push_back({"cell_methods", "realization: mean"});
  if (what == quantity::spread) out.push_back({"cell_methods", "realization: standard_deviation"});
  return out;
}

}  // namespace

state_writer::state_writer(std::string const& path, state_contents what) : what_(std::move(what)), file_(path) { define(); }

void state_writer::define() {
  grid const& g = what_.where;
  auto& f = file_;
  for (auto const& a : sda::netcdf::attributes{{"Conventions", "CF-1.8"}, {"title", what_.title}, {"source", what_.source}, {"history", what_.history}})
    f.describe(a);
  for (auto const& a : what_.about) f.describe(a);
  std::vector<double> const levels(what_.channels.levels.begin(), what_.channels.levels.end());
  bool const aloft = !what_.channels.atmosphere.empty();
  f.dimension("time", sda::netcdf::unlimited);
  if (aloft) f.dimension("pressure_level", index_t(levels.size()));
  f.dimension("latitude", g.height()), f.dimension("longitude", g.width());
  sda::netcdf::storage const times{0, {1024}}, plain{0, {}};
  f.variable<double>("time", {"time"}, {{"standard_name", "time"}, {"long_name", "time"}, {"units", "hours since 1970-01-01 00:00:00"}, {"calendar", "proleptic_gregorian"}, {"axis", "T"}}, times);
  if (aloft)
    f.variable<double>("pressure_level", {"pressure_level"}, {{"standard_name", "air_pressure"}, {"long_name", "pressure"}, {"units", "hPa"}, {"positive", "down"}, {"axis", "Z"}}, plain);
  f.variable<double>("latitude", {"latitude"}, {{"standard_name", "latitude"}, {"long_name", "latitude"}, {"units", "degrees_north"}, {"axis", "Y"}}, plain);
  f.variable<double>("longitude", {"longitude"}, {{"standard_name", "longitude"}, {"long_name", "longitude"}, {"units", "degrees_east"}, {"axis", "X"}}, plain);
  for (auto const& name : what_.channels.surface) {
    auto const& v = variable_of(name);
    f.variable<float>(v.short_name, {"time", "latitude", "longitude"}, attributes_of(v, what_.what), {what_.deflate, {1, g.height(), g.width()}});
  }
  index_t const n = index_t(levels.size()), together = n * g.points() <= index_t(largest_chunk) ? n : 1;
  for (auto const& name : what_.channels.atmosphere) {
    auto const& v = variable_of(name);
    f.variable<float>(v.short_name, {"time", "pressure_level", "latitude", "longitude"}, attributes_of(v, what_.what), {what_.deflate, {1, together, g.height(), g.width()}});
  }
  if (aloft) f.put("pressure_level", levels);
  f.put("latitude", g.latitudes), f.put("longitude", g.longitudes);
}

void state_writer::append(hours t, std::span<float const> state) {
  auto const points = std::size_t(what_.where.points());
  require(state.size() == points * std::size_t(what_.channels.size()), "a state of ", state.size(), " numbers, not of ", what_.channels.size(), " channels x ", points, " points");
  file_.append("time", std::vector{double(t)});
  std::size_t at = 0;
  auto const next = [&](std::string const& name, std::size_t fields) {
    auto const values = state.subspan(at, fields * points);
    at += values.size();
    if (name != "sea_surface_temperature" || what_.sea.empty()) return file_.append(variable_of(name).short_name, values);
    std::vector<float> wet(values.begin(), values.end());
    for (std::size_t p = 0; p < points; ++p)
      if (!what_.sea[p]) wet[p] = std::numeric_limits<float>::quiet_NaN();
    file_.append(variable_of(name).short_name, wet);
  };
  for (auto const& name : what_.channels.surface) next(name, 1);
  for (auto const& name : what_.channels.atmosphere) next(name, what_.channels.levels.size());
}

void state_writer::commit() { file_.commit(); }

void write_mean_and_spread(std::vector<std::string> const& members, std::string const& mean, std::string const& spread, state_contents const& as, double memory) {
  require(!members.empty(), "the mean of no members");
  auto const points = as.where.points(), numbers = points * as.channels.size();
  auto const times = archive({members.front()}, as.channels).times();
  auto const block = std::max<std::size_t>(1, std::min(times.size(), std::size_t(memory / double(numbers * 20))));
  state_contents of_mean = as, of_spread = as;
  of_mean.what = quantity::mean, of_spread.what = quantity::spread;
  state_writer to_mean(mean, of_mean), to_spread(spread, of_spread);
  std::vector<double> center, squares;
  std::vector<float> x(static_cast<std::size_t>(numbers)), out(x.size());
  for (std::size_t first = 0; first < times.size(); first += block) {
    auto const n = std::min(block, times.size() - first);
    center.assign(n * x.size(), 0), squares.assign(n * x.size(), 0);
    double count = 0;
    for (auto const& path : members) {  // Welford (1962)
      archive const file({path}, as.channels);
      require(file.times() == times, path, " has other times than ", members.front());
      require(same(file.where(), as.where), path, " has another grid (", text(file.where()), ") than ", members.front());
      ++count;
      for (std::size_t s = 0; s < n; ++s) {
        file.read(times[first + s], 1, 1, x.data());
        for (std::size_t i = 0, j = s * x.size(); i < x.size(); ++i, ++j) {
          double const before = x[i] - center[j];
          center[j] += before / count;
          squares[j] += before * (x[i] - center[j]);
        }
      }
    }
    for (std::size_t s = 0; s < n; ++s) {
      auto const* const c = center.data() + s * x.size();
      auto const* const q = squares.data() + s * x.size();
      std::transform(c, c + x.size(), out.begin(), [](double v) { return float(v); });
      to_mean.append(times[first + s], out);
      std::transform(q, q + x.size(), out.begin(), [&](double v) { return count > 1 ? float(std::sqrt(v / (count - 1))) : 0.0f; });
      to_spread.append(times[first + s], out);
    }
  }
  to_spread.commit(), to_mean.commit();
}

bool write_difference(std::string const& of, std::string const& minus, std::string const& to, state_contents const& as) {
  archive const a({of}, as.channels), b({minus}, as.channels);
  require(same(a.where(), b.where()), minus, " has another grid (", text(b.where()), ") than ", of, " (", text(a.where()), ")");
  std::vector<hours> both;
  std::copy_if(a.times().begin(), a.times().end(), std::back_inserter(both), [&](hours t) { return b.has(t); });
  if (both.empty()) return false;
  state_contents about = as;
  about.what = quantity::increment;
  state_writer out(to, about);
  std::vector<float> x(std::size_t(as.where.points() * as.channels.size())), y(x.size());
  for (hours const t : both) {
    a.read(t, 1, 1, x.data()), b.read(t, 1, 1, y.data());
    std::transform(x.begin(), x.end(), y.begin(), x.begin(), std::minus<>());
    out.append(t, x);
  }
  out.commit();
  return true;
}

}  // namespace appa
