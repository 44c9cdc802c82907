// SPDX-License-Identifier: Apache-2.0
// What the benchmarks of the wing share: a stream, times between events, rows of tables.
#pragma once
#include <sda/cuda/algebra.cuh>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

using namespace sda;

namespace bench {

inline cudaStream_t stream() {
  static cudaStream_t const s = [] {
    cudaStream_t made = nullptr;
    check_cuda(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking));
    return made;
  }();
  return s;
}

/// The median seconds of one call of f, from batches of calls between two events.
template <class F> double seconds(F const& f, int batches = 9, int calls = 5) {
  cudaEvent_t from{}, to{};
  check_cuda(cudaEventCreate(&from)), check_cuda(cudaEventCreate(&to));
  for (int i = 0; i < 3; ++i) f();
  std::vector<double> times;
  for (int b = 0; b < batches; ++b) {
    check_cuda(cudaEventRecord(from, stream()));
    for (int i = 0; i < calls; ++i) f();
    check_cuda(cudaEventRecord(to, stream()));
    check_cuda(cudaEventSynchronize(to));
    float ms = 0;
    check_cuda(cudaEventElapsedTime(&ms, from, to));
    times.push_back(ms * 1e-3 / calls);
  }
  cudaEventDestroy(from), cudaEventDestroy(to);
  std::nth_element(times.begin(), times.begin() + batches / 2, times.end());
  return times[std::size_t(batches / 2)];
}

inline double copy_rate = 0;  // bytes a second of the plain copy
template <class F> void row(std::string const& what, double bytes, F const& f) {
  double const s = seconds(f), rate = bytes / s;
  if (copy_rate == 0) copy_rate = rate;
  std::printf("| %s | %.3f | %.1f | %.0f | %.1f %% |\n", what.c_str(), s * 1e3, bytes * 1e-6, rate * 1e-9, 100 * rate / copy_rate);
  std::fflush(stdout);
}
inline void fact(std::string const& what, double value, char const* unit) {
  std::printf("| %s | %.4g %s |\n", what.c_str(), value, unit);
  std::fflush(stdout);
}

template <class T> device_array<T> drawn(index_t r, index_t c, std::uint64_t seed) {
  device_array<T> x(r, c, stream());
  lincomb(x, noise{1.0, key{seed}});
  return x;
}
/// Seconds of one call by the host's clock, the device's work included.
template <class F> double seconds_once(F const& f) {
  check_cuda(cudaStreamSynchronize(stream()));
  auto const begin = std::chrono::steady_clock::now();
  f();
  check_cuda(cudaStreamSynchronize(stream()));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace bench
