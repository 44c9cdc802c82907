// SPDX-License-Identifier: Apache-2.0
#include "observe/point_file.hpp"

#include "observe/csv.hpp"
#include "observe/point_netcdf.hpp"

#include <sda/core/error.hpp>

#include <cstdio>
#include <fstream>

namespace appa {

using sda::require;

void intake::lose(std::string const& why, std::string const& where, index_t count) {
  auto& l = lost[why];
  if (l.count == 0) l.first = where;
  l.count += count;
}

index_t intake::usable() const {
  index_t n = read;
  for (auto const& [why, l] : lost) n -= l.count;
  return n;
}

std::string intake::text() const {
  std::string out = sda::detail::text(read, " observations, ", usable(), " of them usable");
  for (auto const& [why, l] : lost) out += sda::detail::text("; ", l.count, " ", why, " (first: ", l.first, ")");
  return out;
}

std::optional<conversion> to_units_of(variable const& what, std::string const& unit) {
  static std::map<std::string, std::map<std::string, conversion>> const known{
      {"K", {{"k", {}}, {"kelvin", {}}, {"degc", {1, 273.15}}, {"c", {1, 273.15}}, {"celsius", {1, 273.15}}, {"degree_celsius", {1, 273.15}},
             {"degrees_celsius", {1, 273.15}}, {"°c", {1, 273.15}}}},
      {"Pa", {{"pa", {}}, {"hpa", {100, 0}}, {"mb", {100, 0}}, {"mbar", {100, 0}}, {"millibar", {100, 0}}, {"millibars", {100, 0}}, {"kpa", {1000, 0}}}},
      {"m s**-1", {{"ms-1", {}}, {"m/s", {}}, {"kt", {1852.0 / 3600, 0}}, {"kn", {1852.0 / 3600, 0}}, {"knot", {1852.0 / 3600, 0}},
                   {"knots", {1852.0 / 3600, 0}}, {"kmh-1", {1 / 3.6, 0}}, {"km/h", {1 / 3.6, 0}}}},
      {"m**2 s**-2", {{"m2s-2", {}}, {"m2/s2", {}}, {"jkg-1", {}}, {"j/kg", {}}, {"m", {9.80665, 0}}, {"gpm", {9.80665, 0}}}},
      {"kg kg**-1", {{"kgkg-1", {}}, {"kg/kg", {}}, {"1", {}}, {"gkg-1", {1e-3, 0}}, {"g/kg", {1e-3, 0}}}},
      {"m", {{"m", {}}, {"mm", {1e-3, 0}}, {"kgm-2", {1e-3, 0}}, {"kg/m2", {1e-3, 0}}}}};
  std::string plain;
  for (char const c : lower(unit))
    if (!std::isspace(static_cast<unsigned char>(c)) && c != '*' && c != '^' && c != '.') plain.push_back(c);
  if (plain.empty()) return conversion{};
  auto const of = known.find(what.units);
  if (of == known.end()) return {};
  auto const at = of->second.find(plain);
  return at == of->second.end() ? std::optional<conversion>() : at->second;
}

std::optional<std::int64_t> parse_seconds(std::string const& words) {
  date d;
  int minute = 0, used = 0;
  double second = 0;
  char const* rest = words.c_str();
  while (std::isspace(static_cast<unsigned char>(*rest))) ++rest;
  if (std::sscanf(rest, "%4d-%2d-%2d%n", &d.year, &d.month, &d.day, &used) != 3 || used != 10) return {};
  rest += used;
  if ((*rest == 'T' || *rest == ' ') && std::sscanf(rest + 1, "%2d%n", &d.hour, &used) == 1) {
    rest += 1 + used;
    if (*rest == ':' && std::sscanf(rest + 1, "%2d%n", &minute, &used) == 1) {
      rest += 1 + used;
      if (*rest == ':' && std::sscanf(rest + 1, "%lf%n", &second, &used) == 1) rest += 1 + used;
    }
  }
  for (auto const* const zone : {"Z", "+00:00", "+0000", " UTC"})
    if (std::string(rest).rfind(zone, 0) == 0) {
      rest += std::string(zone).size();
      break;
    }
  while (std::isspace(static_cast<unsigned char>(*rest))) ++rest;
  if (*rest != '\0' || d.hour < 0 || d.hour > 23 || minute < 0 || minute > 59 || !(second >= 0 && second < 61) || d.month < 1 || d.month > 12 || d.day < 1 ||
      d.year < 1 || d.day > days_in(d.year, d.month))
    return {};
  return hours_of(d) * 3600 + minute * 60 + std::int64_t(std::lround(second));
}

namespace {

// Where the columns of a CSV are; -1: there is none.
struct csv_columns {
  std::ptrdiff_t time = -1, latitude = -1, longitude = -1, level = -1, variable = -1, value = -1, error = -1, units = -1, platform = -1;
  double level_scale = 1;

  explicit csv_columns(std::string const& line, std::string const& path) {
    auto const names = fields_of(lower(line));
    for (std::size_t i = 0; i < names.size(); ++i) {
      auto name = names[i];
      name.erase(std::remove_if(name.begin(), name.end(), [](unsigned char c) { return std::isspace(c); }), name.end());
      if (i == 0 && name.rfind("\xef\xbb\xbf", 0) == 0) name.erase(0, 3);
      auto const at = std::ptrdiff_t(i);
      if (name == "time" || name == "datetime" || name == "date") time = at;
      if (name == "latitude" || name == "lat") latitude = at;
      if (name == "longitude" || name == "lon") longitude = at;
      if (name == "level" || name == "level(hpa)" || name == "pressure(hpa)") level = at;
      if (name == "level(pa)" || name == "pressure(pa)") level = at, level_scale = 0.01;
      if (name == "variable") variable = at;
      if (name == "value") value = at;
      if (name == "error") error = at;
      if (name == "units" || name == "unit") units = at;
      if (name == "platform" || name == "station" || name == "id") platform = at;
    }
    for (auto const& [name, at] : {std::pair{"time", time}, {"latitude", latitude}, {"longitude", longitude}, {"variable", variable}, {"value", value}})
      require(at >= 0, path, ": its first line names no ", name, ": ", line.substr(0, 200));
  }
};

point_file from_csv(std::istream& in, std::string const& path, int from) {
  std::string line;
  require(bool(std::getline(in, line)), path, " is empty");
  csv_columns const columns(line, path);
  point_file out;
  std::map<std::string, std::int64_t> platforms;   // in the order of their appearance
  for (index_t at = 2; std::getline(in, line); ++at) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    ++out.count.read;
    auto const fields = fields_of(line);
    auto const words = [&](std::ptrdiff_t i) { return i >= 0 && std::size_t(i) < fields.size() ? fields[std::size_t(i)] : std::string(); };
    auto const lose = [&](std::string const& why) { out.count.lose(why, sda::detail::text("line ", at)); };
    auto const blank = [](std::string const& s) { return s.find_first_not_of(' ') == std::string::npos; };
    timed_report r;
    r.from = from;
    auto const seconds = parse_seconds(words(columns.time));
    r.where = {number(words(columns.latitude)), number(words(columns.longitude))};
    auto const name = words(columns.variable);
    auto const level = words(columns.level), error = words(columns.error);
    r.what = find_variable(name);
    r.value = number(words(columns.value));
    r.level = blank(level) ? 0 : number(level) * columns.level_scale;
    r.error = blank(error) ? std::nan("") : number(error);
    r.platform = platforms.try_emplace(words(columns.platform), std::int64_t(platforms.size())).first->second;
    if (!seconds) lose("without a time");
    else if (!(std::abs(r.where.latitude) <= 90) || !(std::abs(r.where.longitude) <= 720)) lose("without a place on the globe");
    else if (blank(name)) lose("without a variable");
    else if (!r.what) lose("of unknown variables");
    else if (!std::isfinite(r.value)) lose("without a value");
    else if (std::isnan(r.level)) lose("with a level that is no number");
    else if (!blank(error) && !(r.error > 0 && std::isfinite(r.error))) lose("with an error that is no positive number");
    else if (auto const to = to_units_of(*r.what, words(columns.units)); !to) lose("in units that are not known");
    else {
      r.seconds = *seconds, r.value = to->scale * r.value + to->offset, r.error *= to->scale;
      out.reports.push_back(r);
    }
  }
  return out;
}

}  // namespace

point_file read_points(std::string const& path, int from) {
  std::ifstream in(path, std::ios::binary);
  require(bool(in), "cannot read ", path);
  char magic[4] = {};
  in.read(magic, 4);
  std::string const begin(magic, 4);
  if (begin == "\x89HDF" || begin.rfind("CDF", 0) == 0) return points_of_netcdf(path, from);
  in.clear(), in.seekg(0);
  return from_csv(in, path, from);
}

}  // namespace appa
