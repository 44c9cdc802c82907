// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/cuda/kernels/launch.cuh>

namespace sda::kernels {

/// Columns a group of threads sums at a time, and rows that one warp sums alone. Both fixed: the order of summation
/// depends on the number of columns and on nothing else.
inline constexpr std::int64_t dot_piece = 4096, dot_short = 1024;

/// The sum over the G threads of a group (a warp, or the whole block), in one order; every thread of the first warp has it.
template <int G> __device__ inline double group_sum(double x) {
  for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
  if constexpr (G > 32) {
    __shared__ double warps[G / 32];
    int const lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    __syncthreads();  // the last round's sums have been read
    if (lane == 0) warps[warp] = x;
    __syncthreads();
    x = 0;
    for (int i = 0; i < G / 32; ++i) x += warps[i];
  }
  return x;
}

/// partial[row, piece] = what body(row, c, n, lanes) adds to `lanes` for runs of columns [piece, piece + 1) dot_piece, n = W
/// columns from c on, the last run shorter.
template <int G, int W, class Body>
__device__ inline void each_piece(double* partial, std::uint32_t height, std::int64_t columns, std::uint32_t pieces, Body const& body) {
  int const lane = int(threadIdx.x) % G;
  std::uint32_t const groups = gridDim.x * (threads / G), items = height * pieces;
  for (std::uint32_t item = blockIdx.x * (threads / G) + threadIdx.x / G; item < items; item += groups) {
    std::uint32_t const r = item / pieces;
    std::int64_t const first = std::int64_t(item - r * pieces) * dot_piece;
    std::int64_t const last = first + dot_piece < columns ? first + dot_piece : columns;
    double lanes[W] = {};
    for (std::int64_t c = first + lane * W; c < last; c += G * W) body(r, c, int(last - c < W ? last - c : W), lanes);
    double total = 0;
    for (int i = 0; i < W; ++i) total += lanes[i];
    total = group_sum<G>(total);
    if (lane == 0) partial[item] = total;
  }
}

/// The inner products of two rows, piece by piece. Reads 2 sizeof(T) an element.
template <int G, bool Wide, class T>
__global__ void __launch_bounds__(threads) dot_pieces(double* partial, T const* x, std::int64_t x_stride, T const* y, std::int64_t y_stride,
                                                      std::uint32_t height, std::int64_t columns, std::uint32_t pieces) {
  constexpr int W = width<T>;
  each_piece<G, W>(partial, height, columns, pieces, [&](std::uint32_t r, std::int64_t c, int n, double(&lanes)[W]) {
    compute_t<T> a[W], b[W];
    read<Wide>(a, x + r * x_stride + c, n);
    read<Wide>(b, y + r * y_stride + c, n);
    for (int i = 0; i < W; ++i) lanes[i] += double(a[i]) * double(b[i]);
  });
}

/// out[row] = the sum of a row's partial sums. Reads 8 bytes a piece.
template <class = void>
__global__ void __launch_bounds__(threads) sum_pieces(double* out, double const* partial, std::uint32_t height, std::uint32_t pieces) {
  for (std::uint32_t r = blockIdx.x; r < height; r += gridDim.x) {
    double total = 0;
    for (std::uint32_t i = threadIdx.x; i < pieces; i += threads) total += partial[std::size_t(r) * pieces + i];
    total = group_sum<threads>(total);
    if (threadIdx.x == 0) out[r] = total;
  }
}

}  // namespace sda::kernels
