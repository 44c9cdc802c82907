// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/config.hpp>

#include <algorithm>
#include <exception>
#if defined(_OPENMP)
#include <omp.h>
#endif

namespace sda {

/// Work, in additions or so of a nanosecond each, below which a CPU loop stays on the calling thread. To wake threads costs 5 to 30 µs
/// where cores are idle, and as much as ten milliseconds where others use them: half a millisecond of work is worth it.
inline constexpr index_t parallel_threshold = index_t{1} << 19;

/// Calls body(i) for i in [0, n), on OpenMP threads when it is compiled in and `work` in all passes the
/// threshold. Iterations must be independent; then nothing depends on the number of threads. The first exception is rethrown.
template <class Body> void parallel_for(index_t n, index_t work, Body const& body) {
#if defined(_OPENMP)
  if (n > 1 && work >= parallel_threshold && omp_get_max_threads() > 1 && !omp_in_parallel()) {
    std::exception_ptr failure;
#pragma omp parallel for schedule(static)
    for (index_t i = 0; i < n; ++i) {
      try {
        body(i);
      } catch (...) {
#pragma omp critical(sda_parallel_for)
        if (!failure) failure = std::current_exception();
      }
    }
    if (failure) std::rethrow_exception(failure);
    return;
  }
#endif
  (void)work;
  for (index_t i = 0; i < n; ++i) body(i);
}

/// Calls body(first, last) on consecutive pieces of [0, n), each `chunk` long but the last. The pieces, and so any
/// rounding inside them, do not depend on the number of threads.
template <class Body> void parallel_chunks(index_t n, index_t chunk, index_t work, Body const& body) {
  parallel_for((n + chunk - 1) / chunk, work, [&](index_t i) { body(i * chunk, std::min(n, (i + 1) * chunk)); });
}

}  // namespace sda
