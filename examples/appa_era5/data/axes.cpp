// SPDX-License-Identifier: Apache-2.0
#include "data/axes.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace appa {

namespace {

struct marks {
  axis which;
  std::string standard_name, cf_axis;
  std::vector<std::string> units, names;
};

std::array<marks, 6> const known{{
    {axis::time, "time", "T", {" since "}, {"valid_time", "time"}},
    {axis::member, "realization", "", {}, {"number", "realization", "member", "ensemble", "ensemble_member"}},
    {axis::version, "", "", {}, {"expver"}},
    {axis::level, "air_pressure", "Z", {"hPa", "millibars", "millibar", "mbar", "mb", "Pa"},
     {"pressure_level", "level", "isobaricinhpa", "plev", "lev", "levelist"}},
    {axis::latitude, "latitude", "Y", {"degrees_north", "degree_north", "degrees_n", "degree_n"}, {"latitude", "lat", "g0_lat_1"}},
    {axis::longitude, "longitude", "X", {"degrees_east", "degree_east", "degrees_e", "degree_e"}, {"longitude", "lon", "g0_lon_2"}},
}};

std::string lower(std::string s) {
  std::transform(s.begin(), s.end(), s.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return s;
}
bool any_of(std::vector<std::string> const& all, std::string const& one) { return std::find(all.begin(), all.end(), one) != all.end(); }

// 3: its standard name says so; 2: its units and axis; 1: its name alone; 0: it is another thing.
int likeness(marks const& m, sda::netcdf::reader const& file, std::string const& variable) {
  std::string const standard = file.text(variable, "standard_name").value_or(""), units = file.text(variable, "units").value_or("");
  if (!m.standard_name.empty() && standard == m.standard_name) return 3;
  bool const named = any_of(m.names, lower(variable)), measured = any_of(m.units, m.which == axis::level ? units : lower(units));
  if (m.which == axis::time) {
    bool const counts = units.find(" since ") != std::string::npos;
    return counts && standard != "forecast_reference_time" ? 2 : counts || named ? 1 : 0;
  }
  bool const marked = !m.cf_axis.empty() && file.text(variable, "axis") == m.cf_axis;
  if (m.which == axis::level) return measured && (named || marked || file.text(variable, "positive")) ? 2 : named ? 1 : 0;
  return measured || (marked && named) ? 2 : named ? 1 : 0;
}

}  // namespace

file_axes find_axes(sda::netcdf::reader const& file) {
  file_axes found;
  std::map<axis, int> best;
  std::map<std::string, int> best_of_dimension;
  for (auto const& variable : file.variables()) {
    auto const over = file.dimensions(variable);
    if (over.size() > 1) continue;
    for (auto const& m : known) {
      int const score = 2 * likeness(m, file, variable) + (over.empty() ? 0 : 1);   // among equals, the one that has a dimension
      if (score < 2) continue;
      if (score > best[m.which]) best[m.which] = score, found.coordinate[m.which] = variable;
      if (!over.empty() && score > best_of_dimension[over[0].name]) best_of_dimension[over[0].name] = score, found.of_dimension[over[0].name] = m.which;
    }
  }
  for (auto const& variable : file.variables())   // dimensions without numbers of their own
    for (auto const& d : file.dimensions(variable))
      for (auto const& m : known)
        if (!found.of_dimension.count(d.name) && any_of(m.names, lower(d.name))) found.of_dimension[d.name] = m.which;
  return found;
}

std::string looked_for(axis which) {
  auto const list = [](std::vector<std::string> const& words) {
    std::string text;
    for (auto const& w : words) text += (text.empty() ? "" : ", ") + w;
    return text;
  };
  for (auto const& m : known)
    if (m.which == which) {
      std::string const units = which == axis::time ? "<unit> since <date>" : list(m.units);
      return (m.standard_name.empty() ? "" : "standard_name " + m.standard_name + ", ") + (units.empty() ? "" : "units " + units + ", ") +
             "or a name among " + list(m.names);
    }
  return "nothing";
}

}  // namespace appa
