// SPDX-License-Identifier: Apache-2.0
#pragma once
// NetCDF files, as CF wants them, on nothing but NetCDF-C. That library is not thread-safe: one thread at a time.
#include <sda/netcdf/reader.hpp>
#include <sda/netcdf/writer.hpp>
