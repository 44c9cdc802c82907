// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/random.hpp>
#include <sda/cuda/kernels/launch.cuh>

#if defined(__CUDACC__)
#define SDA_UNROLL _Pragma("unroll")
#else
#define SDA_UNROLL
#endif

namespace sda::kernels {

/// Calls body(c, member) for this thread's columns, member(i) being element (i, c), kept in registers where M > 0 holds them all.
template <int M, class T, class Body> __device__ inline void each_column(T const* e, std::int64_t columns, int n, Body const& body) {
  using C = compute_t<T>;
  for (std::int64_t c = std::int64_t(blockIdx.x) * threads + threadIdx.x; c < columns; c += std::int64_t(gridDim.x) * threads) {
    if constexpr (M > 0) {
      C kept[M];
      SDA_UNROLL
      for (int i = 0; i < M; ++i) kept[i] = i < n ? static_cast<C>(e[i * columns + c]) : C(0);
      body(c, [&](int i) { return double(kept[i]); });
    } else {
      body(c, [&](int i) { return double(static_cast<C>(e[i * columns + c])); });
    }
  }
}

/// E|X - y| and E|X - X'| of n members, column by column; `pairs` is what the pairs are divided by.
/// Reads n + 1 elements a column (n times as many past 64 members), writes 16 bytes; n² / 2 differences.
template <int M, class T>
__global__ void __launch_bounds__(threads)
    crps_terms(double* skill, double* spread, T const* e, T const* truth, std::int64_t columns, int n, double pairs) {
  each_column<M>(e, columns, n, [&](std::int64_t c, auto const& member) {
    double const y = double(static_cast<compute_t<T>>(truth[c]));
    double away = 0, apart = 0;
    auto const one = [&](int i) {
      double const x = member(i), d = x - y;
      away += d < 0 ? -d : d;
      return x;
    };
    if constexpr (M > 0) {
      SDA_UNROLL
      for (int i = 0; i < M; ++i)
        if (i < n) {
          double const x = one(i);
          SDA_UNROLL
          for (int j = 0; j < i; ++j) {
            double const d = x - member(j);
            apart += d < 0 ? -d : d;
          }
        }
    } else {
      for (int i = 0; i < n; ++i) {
        double const x = one(i);
        for (int j = 0; j < i; ++j) {
          double const d = x - member(j);
          apart += d < 0 ? -d : d;
        }
      }
    }
    skill[c] = away / n;
    spread[c] = 2 * apart / pairs;
  });
}

/// Counters that a block keeps of its own; ensembles with more ranks count in device memory at once.
inline constexpr int rank_bins = 1024;

/// counts[r] += how many columns have r members below the truth, ties drawn; counts[n + 1] those with a member that is NaN.
/// Columns whose truth is NaN are passed over. Reads n + 1 elements a column. Whole numbers: any order gives the same counts.
template <class T>
__global__ void __launch_bounds__(threads) rank_counts(unsigned long long* counts, T const* e, T const* truth, std::int64_t columns, int n, key k) {
  __shared__ unsigned here[rank_bins];
  int const bins = n + 2 <= rank_bins ? n + 2 : 0;
  for (int i = int(threadIdx.x); i < bins; i += threads) here[i] = 0;
  __syncthreads();
  each_column<0>(e, columns, n, [&](std::int64_t c, auto const& member) {
    double const y = double(static_cast<compute_t<T>>(truth[c]));
    if (y != y) return;
    int below = 0, equal = 0, bad = 0;
    for (int i = 0; i < n; ++i) {
      double const x = member(i);
      below += x < y, equal += x == y, bad += x != x;
    }
    int const rank = bad ? n + 1 : below + int(sda::uniform(k, 0, c) * double(equal + 1));
    if (bins > 0) atomicAdd(&here[rank], 1u);
    else atomicAdd(&counts[rank], 1ull);
  });
  __syncthreads();
  for (int i = int(threadIdx.x); i < bins; i += threads)
    if (here[i] > 0) atomicAdd(&counts[i], static_cast<unsigned long long>(here[i]));
}

}  // namespace sda::kernels
#undef SDA_UNROLL
