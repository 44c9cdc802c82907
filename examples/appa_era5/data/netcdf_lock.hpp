// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <dlfcn.h>

#include <cstdint>
#include <mutex>

namespace appa {

namespace detail {
// HDF5 prints what it does not find, unless each thread asks it not to; NetCDF does so for its first thread only.
inline bool quieten_hdf5() {
  using setter = int (*)(std::int64_t stack, void* printer, void* with);
  if (auto const set = reinterpret_cast<setter>(::dlsym(RTLD_DEFAULT, "H5Eset_auto2"))) set(0, nullptr, nullptr);
  return true;
}
}  // namespace detail

/// NetCDF-C lets one thread in at a time: whoever calls it holds this. Whoever holds it may take it again. HDF5 is silent from then on.
inline std::recursive_mutex& netcdf_mutex() {
  static std::recursive_mutex one;
  thread_local bool const quiet = detail::quieten_hdf5();
  (void)quiet;
  return one;
}

}  // namespace appa
