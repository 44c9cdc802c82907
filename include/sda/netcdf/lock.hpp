// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <dlfcn.h>

#include <cstdint>
#include <memory>
#include <mutex>

namespace sda::netcdf {

/// NetCDF-C lets one thread in at a time: the reader and the writer take this for every call, and so does whoever calls NetCDF-C
/// beside them, or wants several calls in a row to himself. A thread may hold several.
class lock {
 public:
  lock() : held_(mutex()) {
    thread_local bool const quiet = quieten_hdf5();  // with the lock held: it enters HDF5 as well
    (void)quiet;
  }
  /// In the child of a thread that forked with the lock held: there the owner, this thread, has another number.
  static void renew() { std::construct_at(&mutex()); }

 private:
  std::lock_guard<std::recursive_mutex> held_;

  static std::recursive_mutex& mutex() {
    static std::recursive_mutex one;
    return one;
  }
  // HDF5 prints what it does not find, unless each thread asks it not to; NetCDF does so for its first thread only.
  static bool quieten_hdf5() {
    using setter = int (*)(std::int64_t stack, void* printer, void* with);
    if (auto const set = reinterpret_cast<setter>(::dlsym(RTLD_DEFAULT, "H5Eset_auto2"))) set(0, nullptr, nullptr);
    return true;
  }
};

}  // namespace sda::netcdf
