// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/parallel.hpp>

#include <atomic>

namespace sda {

/// As parallel_for, but a thread takes the next i when it is done with one: for long iterations, where threads are not equally fast
/// because other work has a part of their processors.
template <class Body> void parallel_dealt(index_t n, index_t work, Body const& body) {
  index_t threads = 1;
#if defined(_OPENMP)
  threads = omp_get_max_threads();
#endif
  std::atomic<index_t> next = 0;
  parallel_for(std::min(n, threads), work, [&](index_t) {
    for (index_t i = next++; i < n; i = next++) body(i);
  });
}

}  // namespace sda
