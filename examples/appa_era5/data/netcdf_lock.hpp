// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <dlfcn.h>

#include <cstdint>
#include <mutex>

namespace appa {

/// NetCDF-C lets one thread in at a time: whoever calls it holds this. Whoever holds it may take it again.
inline std::recursive_mutex& netcdf_mutex() {
  static std::recursive_mutex one;
  return one;
}

/// HDF5 prints what it does not find, unless each thread asks it not to; NetCDF does so for its first thread only.
inline void quieten_hdf5() {
  using setter = int (*)(std::int64_t stack, void* printer, void* with);
  if (auto const set = reinterpret_cast<setter>(::dlsym(RTLD_DEFAULT, "H5Eset_auto2"))) set(0, nullptr, nullptr);
}

}  // namespace appa
