// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/cuda/device_array.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>

/// Kernels take pointers, sizes and plain values; they know no states, allocate nothing and wait for nothing.
namespace sda::kernels {

/// Threads of a block, everywhere.
inline constexpr int threads = 256;

namespace detail {
template <class T> struct compute_of {
  using type = T;
};
template <> struct compute_of<__half> {
  using type = float;
};
template <> struct compute_of<__nv_bfloat16> {
  using type = float;
};
}  // namespace detail

/// What an element is computed in: itself, or float where it is smaller.
template <class T> using compute_t = typename detail::compute_of<T>::type;

/// Elements of 16 bytes, the widest access there is.
template <class T> inline constexpr int width = int(16 / sizeof(T));

/// Rows x columns at a pointer, `stride` elements from row to row.
struct extent {
  std::int64_t stride;
  std::uint32_t rows;
  std::int64_t columns;
};

/// Reads W elements at p as whole 16-byte words, or, where p is not aligned (Wide = false) or fewer are left, n of them.
template <bool Wide, int W, class T, class C> __device__ inline void read(C (&v)[W], T const* p, int n) {
  if constexpr (Wide) {
    if (n == W) {
      T raw[W];
      for (int i = 0; i < W; i += width<T>) {
        uint4 const word = *reinterpret_cast<uint4 const*>(p + i);
        memcpy(raw + i, &word, sizeof word);
      }
      for (int i = 0; i < W; ++i) v[i] = static_cast<C>(raw[i]);
      return;
    }
  }
  for (int i = 0; i < W; ++i) v[i] = i < n ? static_cast<C>(p[i]) : C(0);
}
template <bool Wide, int W, class T, class C> __device__ inline void write(T* p, C const (&v)[W], int n) {
  if constexpr (Wide) {
    if (n == W) {
      T raw[W];
      for (int i = 0; i < W; ++i) raw[i] = static_cast<T>(v[i]);
      for (int i = 0; i < W; i += width<T>) {
        uint4 word;
        memcpy(&word, raw + i, sizeof word);
        *reinterpret_cast<uint4*>(p + i) = word;
      }
      return;
    }
  }
  for (int i = 0; i < W; ++i)
    if (i < n) p[i] = static_cast<T>(v[i]);
}

/// Whether rows of `stride` elements from p on all start at 16-byte words.
template <class T> bool aligned(T const* p, std::int64_t stride, std::int64_t height) {
  return reinterpret_cast<std::uintptr_t>(p) % 16 == 0 && (height == 1 || stride * std::int64_t(sizeof(T)) % 16 == 0);
}

struct shape {
  dim3 grid, block;
};

/// Enough blocks to keep every multiprocessor busy; kernels stride over what is left.
inline std::uint32_t most_blocks() {
  static std::uint32_t const n = [] {
    int device = 0, processors = 0;
    check_cuda(cudaGetDevice(&device));
    check_cuda(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device));
    return std::uint32_t(processors) * 32;
  }();
  return n;
}

/// Blocks of 256 threads over `height` rows of `run` things, as wide as a row is and as high as that leaves room for.
inline shape cover(std::uint32_t height, std::uint32_t run) {
  std::uint32_t x = 1;
  while (x < run && x < std::uint32_t(threads)) x *= 2;
  std::uint32_t const y = threads / x;
  std::uint32_t const down = std::min<std::uint32_t>((height + y - 1) / y, 65535), across = (run + x - 1) / x;
  return {dim3(std::min(across, std::max<std::uint32_t>(most_blocks() / down, 1)), down, 1), dim3(x, y, 1)};
}

/// Blocks in a row, each of 256 threads; kernels stride over what is left.
inline shape line(std::int64_t blocks) { return {dim3(std::uint32_t(std::min<std::int64_t>(blocks, most_blocks()))), dim3(threads)}; }

/// Rows, and runs of W columns, as kernels count them.
inline std::uint32_t height(std::int64_t rows) {
  require(rows < std::int64_t{1} << 31, "cuda: ", rows, " rows are too many");
  return std::uint32_t(rows);
}
inline std::uint32_t runs(std::int64_t columns, int W) {
  std::int64_t const n = (columns + W - 1) / W;
  require(n < std::int64_t{1} << 31, "cuda: ", columns, " columns are too many");
  return std::uint32_t(n);
}

/// kernel(args...) on a stream; a launch that was refused throws.
template <class... P, class... A> void launch(void (*kernel)(P...), shape s, cudaStream_t stream, A const&... args) {
  cudaLaunchConfig_t config{};
  config.gridDim = s.grid, config.blockDim = s.block, config.stream = stream;
  check_cuda(cudaLaunchKernelEx(&config, kernel, P(args)...));
}

}  // namespace sda::kernels
