// SPDX-License-Identifier: Apache-2.0
#include "data/channels.hpp"

#include <sda/core/error.hpp>

#include <algorithm>
#include <array>
#include <numeric>

namespace appa {

namespace {

using sda::require;

variable const* find_among(std::span<variable const> known, std::string const& name) {
  auto const at = std::find_if(known.begin(), known.end(), [&](variable const& v) { return v.name == name || v.short_name == name; });
  return at == known.end() ? nullptr : &*at;
}
bool is_atmospheric(variable const& v) { return find_among(atmospheric_variables(), v.name) != nullptr; }

}  // namespace

std::span<variable const> surface_variables() {
  static std::array<variable, 6> const all{{
      {"2m_temperature", "t2m", 167, "VAR_2T", "air_temperature", "K", "K"},
      {"10m_u_component_of_wind", "u10", 165, "VAR_10U", "eastward_wind", "m s**-1", "m/s"},
      {"10m_v_component_of_wind", "v10", 166, "VAR_10V", "northward_wind", "m s**-1", "m/s"},
      {"mean_sea_level_pressure", "msl", 151, "MSL", "air_pressure_at_mean_sea_level", "Pa", "hPa", 0.01},
      {"sea_surface_temperature", "sst", 34, "SSTK", "sea_surface_temperature", "K", "K"},
      {"total_precipitation", "tp", 228, "TP", "lwe_thickness_of_precipitation_amount", "m", "mm", 1000},
  }};
  return all;
}
std::span<variable const> atmospheric_variables() {
  static std::array<variable, 5> const all{{
      {"temperature", "t", 130, "T", "air_temperature", "K", "K"},
      {"u_component_of_wind", "u", 131, "U", "eastward_wind", "m s**-1", "m/s"},
      {"v_component_of_wind", "v", 132, "V", "northward_wind", "m s**-1", "m/s"},
      {"geopotential", "z", 129, "Z", "geopotential", "m**2 s**-2", "m²/s²"},
      {"specific_humidity", "q", 133, "Q", "specific_humidity", "kg kg**-1", "g/kg", 1000},
  }};
  return all;
}
std::span<variable const> context_variables() {
  static std::array<variable, 6> const all{{
      {"toa_incident_solar_radiation", "tisr", 212, "TISR", "toa_incoming_shortwave_flux", "J m**-2", "J/m²"},
      {"angle_of_sub_gridscale_orography", "anor", 162, "ANOR", "", "radians", "rad"},
      {"anisotropy_of_sub_gridscale_orography", "isor", 161, "ISOR", "", "~", "1"},
      {"slope_of_sub_gridscale_orography", "slor", 163, "SLOR", "", "~", "1"},
      {"standard_deviation_of_orography", "sdor", 160, "SDOR", "", "m", "m"},
      {"land_sea_mask", "lsm", 172, "LSM", "land_binary_mask", "(0 - 1)", "1"},
  }};
  return all;
}

variable const* find_variable(std::string const& name) {
  for (std::span<variable const> const known : {surface_variables(), atmospheric_variables(), context_variables()})
    if (auto const* const v = find_among(known, name)) return v;
  return nullptr;
}

variable const& variable_of(std::string const& name) {
  auto const* const v = find_variable(name);
  if (v) return *v;
  std::string known;
  for (std::span<variable const> const all : {surface_variables(), atmospheric_variables(), context_variables()})
    for (auto const& one : all) known += " " + one.name;
  throw sda::error("there is no variable " + name + "; known are:" + known);
}

bool is_invariant(std::string const& name) {
  auto const* const v = find_among(context_variables(), name);
  return v && v->short_name != "tisr";
}

std::vector<int> const& levels_13() {
  static std::vector<int> const levels{50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000};
  return levels;
}
std::vector<int> const& levels_37() {
  static std::vector<int> const levels{1,   2,   3,   5,   7,   10,  20,  30,  50,  70,  100, 125, 150, 175, 200, 225, 250, 300, 350,
                                       400, 450, 500, 550, 600, 650, 700, 750, 775, 800, 825, 850, 875, 900, 925, 950, 975, 1000};
  return levels;
}

std::string label(channel const& c) { return c.level == 0 ? c.name : c.name + "@" + std::to_string(c.level); }

std::vector<channel> channel_set::list() const {
  std::vector<channel> all;
  for (auto const& name : surface) all.push_back({name, 0});
  for (auto const& name : atmosphere)
    for (int const level : levels) all.push_back({name, level});
  return all;
}

index_t channel_set::index_of(channel const& c) const {
  auto const all = list();
  auto const at = std::find(all.begin(), all.end(), c);
  return at == all.end() ? -1 : at - all.begin();
}

channel_set published_channels(std::vector<int> const& levels) {
  channel_set all;
  for (auto const& v : surface_variables()) all.surface.push_back(v.name);
  for (auto const& v : atmospheric_variables()) all.atmosphere.push_back(v.name);
  all.levels = levels;
  return all;
}

channel_set select_channels(std::vector<std::string> const& names, std::vector<int> levels) {
  channel_set chosen;
  for (auto const& name : names) {
    auto const& v = variable_of(name);
    auto& list = is_atmospheric(v) ? chosen.atmosphere : chosen.surface;
    require(std::find(list.begin(), list.end(), v.name) == list.end(), "variable ", v.name, " is asked for twice");
    list.push_back(v.name);
  }
  std::sort(levels.begin(), levels.end());
  require(std::adjacent_find(levels.begin(), levels.end()) == levels.end(), "a pressure level is asked for twice");
  require(levels.empty() || (levels.front() > 0 && levels.back() <= 1100), "pressure levels are hPa between 1 and 1100");
  require(chosen.atmosphere.empty() || !levels.empty(), "variable ", chosen.atmosphere.empty() ? "" : chosen.atmosphere[0], " needs pressure levels");
  chosen.levels = std::move(levels);
  return chosen;
}

std::vector<double> level_weights(channel_set const& channels, level_scale scale) {
  std::vector<double> weights;
  for (auto const& name : channels.surface) weights.push_back(name == "2m_temperature" ? 1 : 0.1);
  double const sum = std::accumulate(channels.levels.begin(), channels.levels.end(), 0.0);
  double const whole = scale == level_scale::sum ? sum : sum / double(channels.levels.size());
  for (std::size_t v = 0; v < channels.atmosphere.size(); ++v)
    for (int const level : channels.levels) weights.push_back(level / whole);
  return weights;
}

}  // namespace appa
