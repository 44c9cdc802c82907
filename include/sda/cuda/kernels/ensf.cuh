// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/cuda/kernels/elementwise.cuh>
#include <sda/filter/ensf_scalar.hpp>

namespace sda::kernels {

/// z walks through all steps in registers. Reads 4 sizeof(T) and writes sizeof(T) an element, whatever the number of steps;
/// about 130 instructions an element and step.
template <bool Wide, class T, class H>
__global__ void __launch_bounds__(threads)
    ensf_walks(T* z, extent e, source<T> x, source<T> y, source<T> precision, H h, ensf_step<compute_t<T>> const* steps, int n) {
  using C = compute_t<T>;
  each_row(e.rows, [&](std::uint32_t r) {
    each_run<4>(e.columns, [&](std::int64_t c, int m) {
      C at[4], own[4], seen[4], weight[4];
      read<Wide && width<T> <= 4>(at, z + r * e.stride + c, m);
      read<Wide && width<T> <= 4>(own, x.x + r * x.stride + c, m);
      read<Wide && width<T> <= 4>(seen, y.x + r * y.stride + c, m);
      read<Wide && width<T> <= 4>(weight, precision.x + r * precision.stride + c, m);
      ensf_walk(at, own, seen, weight, h, steps, n, r, std::uint32_t(c / 4));
      write<Wide && width<T> <= 4>(z + r * e.stride + c, at, m);
    });
  });
}

}  // namespace sda::kernels
