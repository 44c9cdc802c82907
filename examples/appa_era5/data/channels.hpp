// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/config.hpp>

#include <map>
#include <span>
#include <string>
#include <vector>

namespace appa {

using sda::index_t;

/// What a field is called and measured in.
struct variable {
  std::string name;            // as configurations and WeatherBench say it: 2m_temperature
  std::string short_name;      // as ERA5 files say it: t2m
  int parameter;               // GRIB parameter number
  std::string ncar_name;       // as NCAR's files say it: VAR_2T
  std::string standard_name;   // as CF says it
  std::string units;           // UDUNITS, in GRIB's spelling
  std::string shown_units;     // ... on pictures and in tables,
  double shown = 1;            // and what multiplies values there
};

/// The surface, atmospheric and context variables of the published system, in its order.
std::span<variable const> surface_variables();
std::span<variable const> atmospheric_variables();
std::span<variable const> context_variables();

/// The variable of that name, short or long; nullptr if none is known.
variable const* find_variable(std::string const& name);
/// ... sda::error if none is known.
variable const& variable_of(std::string const& name);

/// Whether a variable of the context never changes: all but the sun's.
bool is_invariant(std::string const& name);

/// The 13 pressure levels of WeatherBench and the 37 of ERA5, in hPa from the top down.
std::vector<int> const& levels_13();
std::vector<int> const& levels_37();

/// One horizontal field: a variable, on a pressure level (hPa) or, with level 0, on none.
struct channel {
  std::string name;
  int level = 0;

  friend auto operator<=>(channel const&, channel const&) = default;
};
/// 2m_temperature, temperature@850
std::string label(channel const& c);

/// The channels of a state: all surface variables, then each atmospheric variable on all levels from the top down.
struct channel_set {
  std::vector<std::string> surface, atmosphere;
  std::vector<int> levels;   // hPa, ascending

  index_t size() const { return index_t(surface.size() + atmosphere.size() * levels.size()); }
  std::vector<channel> list() const;
  /// Where a channel stands; -1 if it is none of the set.
  index_t index_of(channel const& c) const;
};

/// The published channels: 71 with the 13 levels, 191 with the 37.
channel_set published_channels(std::vector<int> const& levels = levels_13());
/// Channels by the names of variables, each known, none twice; levels are sorted.
channel_set select_channels(std::vector<std::string> const& names, std::vector<int> levels);

/// Over what pressure is divided to become a level's weight: the sum of all levels, or their mean.
enum class level_scale { sum, mean };
/// Weights of the training loss by channel: 1 for 2m_temperature, 0.1 for the rest of the surface, and p / Σp for pressure levels.
std::vector<double> level_weights(channel_set const& channels, level_scale scale = level_scale::sum);

}  // namespace appa
