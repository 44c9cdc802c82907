// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "observe/point_file.hpp"

namespace appa {

/// The NetCDF part of read_points.
point_file points_of_netcdf(std::string const& path, int from);

}  // namespace appa
