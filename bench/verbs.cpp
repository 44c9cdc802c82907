// SPDX-License-Identifier: Apache-2.0
// The verbs of host_array against the bandwidth of memory: bytes count every element read or written once.
#include <benchmark/benchmark.h>
#include <sda/eigen.hpp>

#include <cmath>
#include <cstring>

using namespace sda;

namespace {

template <class T> host_array<T> normals(index_t n, std::uint64_t seed) {
  host_array<T> x(1, n);
  lincomb(x, noise{1.0, key{seed}});
  return x;
}

template <class T> void count(benchmark::State& state, int streams) {
  state.SetBytesProcessed(state.iterations() * state.range(0) * streams * index_t(sizeof(T)));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

// The yardstick: as many threads as the verbs use, each copying its share.
template <class T> void copy_memory(benchmark::State& state) {
  auto const x = normals<T>(state.range(0), 1);
  host_array<T> out = x;
#if defined(_OPENMP)
  index_t const threads = omp_get_max_threads();
#else
  index_t const threads = 1;
#endif
  index_t const share = (x.size() + threads - 1) / threads;
  for (auto _ : state) {
    parallel_chunks(x.size(), share, x.size(),
                    [&](index_t first, index_t last) { std::memcpy(out.data() + first, x.data() + first, sizeof(T) * std::size_t(last - first)); });
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  count<T>(state, 2);
}

template <class T> void lincomb_two(benchmark::State& state) {
  auto const x = normals<T>(state.range(0), 1), y = normals<T>(state.range(0), 2);
  host_array<T> out = x;
  for (auto _ : state) {
    lincomb(out, term{0.3, x}, term{-1.7, y});
    benchmark::DoNotOptimize(out.data());
  }
  count<T>(state, 3);
}

template <class T> void lincomb_two_in_place(benchmark::State& state) {
  auto const y = normals<T>(state.range(0), 2);
  host_array<T> x = y;
  for (auto _ : state) {
    lincomb(x, term{0.3, x}, term{0.7, y});
    benchmark::DoNotOptimize(x.data());
  }
  count<T>(state, 3);
}

template <class T> void lincomb_two_and_noise(benchmark::State& state) {
  auto const x = normals<T>(state.range(0), 1), y = normals<T>(state.range(0), 2);
  host_array<T> out = x;
  std::uint64_t step = 0;
  for (auto _ : state) {
    lincomb(out, term{0.3, x}, term{-1.7, y}, noise{0.5, key{3}.fold(step++)});
    benchmark::DoNotOptimize(out.data());
  }
  count<T>(state, 3);
}

struct saturate {
  template <class T> T operator()(T const& x) const { return x / (T(1) + x * x); }
};
template <class T> void transform_one(benchmark::State& state) {
  auto const x = normals<T>(state.range(0), 1);
  host_array<T> out = x;
  for (auto _ : state) {
    transform(out, saturate{}, x);
    benchmark::DoNotOptimize(out.data());
  }
  count<T>(state, 2);
}

template <class T> void dot_two(benchmark::State& state) {
  auto const x = normals<T>(state.range(0), 1), y = normals<T>(state.range(0), 2);
  for (auto _ : state) benchmark::DoNotOptimize(dot(x, y)(0, 0));
  count<T>(state, 2);
}

}  // namespace

#define SDA_BENCH(name)                                                         \
  BENCHMARK_TEMPLATE(name, float)->Arg(10'000)->Arg(10'000'000)->UseRealTime(); \
  BENCHMARK_TEMPLATE(name, double)->Arg(10'000)->Arg(10'000'000)->UseRealTime()
SDA_BENCH(copy_memory);
SDA_BENCH(lincomb_two);
SDA_BENCH(lincomb_two_in_place);
SDA_BENCH(lincomb_two_and_noise);
SDA_BENCH(transform_one);
SDA_BENCH(dot_two);

BENCHMARK_MAIN();
