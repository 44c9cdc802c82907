// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/cuda/kernels/elementwise.cuh>

namespace sda::kernels {

/// What a scatter hits: sources order[first[i]] ... order[first[i + 1] - 1] go, in this order, to target[i].
struct targets {
  std::int32_t const* target;
  std::int32_t const* first;
  std::int32_t const* order;
  std::uint32_t count;
};

/// out[target] += its sources, one thread a target: no atomics, and the sums of the host, bit for bit.
/// Reads sizeof(T) + 4 a source and sizeof(T) + 8 a target, writes sizeof(T) a target (indices once a block).
template <class T>
__global__ void __launch_bounds__(threads)
    scatter_add(T* out, std::int64_t out_stride, T const* x, std::int64_t x_stride, std::uint32_t height, targets t, std::uint32_t block) {
  each_row(height, [&](std::uint32_t r) {
    each_run<1>(std::int64_t(t.count) * block, [&](std::int64_t i, int) {
      std::uint32_t const hit = std::uint32_t(i) / block, inside = std::uint32_t(i) - hit * block;
      T* const to = out + r * out_stride + t.target[hit] * std::int64_t(block) + inside;
      T const* const from = x + r * x_stride + inside;
      compute_t<T> sum = static_cast<compute_t<T>>(*to);
      for (std::int32_t s = t.first[hit]; s < t.first[hit + 1]; ++s) sum += static_cast<compute_t<T>>(from[t.order[s] * std::int64_t(block)]);
      *to = static_cast<T>(sum);
    });
  });
}

}  // namespace sda::kernels
