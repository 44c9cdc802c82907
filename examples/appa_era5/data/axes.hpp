// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/netcdf.hpp>

#include <map>
#include <string>

namespace appa {

/// What a dimension of a file stands for.
enum class axis { time, member, version, level, latitude, longitude, other };

/// The axes of a file: what its dimensions stand for, and which variables hold their coordinates.
struct file_axes {
  std::map<std::string, axis> of_dimension;      // dimensions that none describes are `other`
  std::map<axis, std::string> coordinate;        // the variable that holds an axis's numbers: over one dimension, or a scalar

  axis operator[](std::string const& dimension) const {
    auto const at = of_dimension.find(dimension);
    return at == of_dimension.end() ? axis::other : at->second;
  }
};

/// Recognises axes by CF: standard_name, then units (and the attribute axis), then by the names they usually have.
file_axes find_axes(sda::netcdf::reader const& file);

/// What was looked for to find an axis, for a message: "standard_name latitude, units degrees_north, axis Y, or a name among ..."
std::string looked_for(axis which);

}  // namespace appa
