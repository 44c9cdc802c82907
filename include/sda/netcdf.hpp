// SPDX-License-Identifier: Apache-2.0
#pragma once
// NetCDF files, as CF wants them, on nothing but NetCDF-C. That library is not thread-safe: a lock lets one
// thread in at a time, so that any number may read and write, each its own files.
#include <sda/netcdf/reader.hpp>
#include <sda/netcdf/writer.hpp>
