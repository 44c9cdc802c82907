// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/config.hpp>
#include <sda/core/error.hpp>

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <memory>
#include <utility>

namespace sda {

/// Throws sda::error with CUDA's own words unless `e` is success.
inline void check_cuda(cudaError_t e, char const* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (e == cudaSuccess) [[likely]]
    return;
  cudaGetLastError();  // said once: the next library that asks is not told again
  throw error(detail::text("cuda: ", cudaGetErrorString(e), " (", cudaGetErrorName(e), ") [", file, ":", line, "]"));
}

namespace detail {

// The pool of a device gives memory back at every synchronisation unless told to keep it. Told once a device.
inline void keep_pool() {
  thread_local int last = -1;
  int device = 0;
  check_cuda(cudaGetDevice(&device));
  if (device == last) return;
  cudaMemPool_t pool{};
  unsigned long long everything = ~0ull;
  check_cuda(cudaDeviceGetDefaultMemPool(&pool, device));
  check_cuda(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &everything));
  last = device;
}

}  // namespace detail

/// Rows x columns of T on one device, row-major without gaps, and the stream they are worked on. Memory comes from the
/// device's stream-ordered pool, so making one never waits for the device. Copies share the elements, as tensors' do; a deep
/// copy says clone. All states that meet in one verb share one stream, which outlives them. This header needs no nvcc.
template <class T> class device_array {
 public:
  using value_type = T;

  /// Uninitialised elements.
  device_array(index_t r, index_t c, cudaStream_t stream = {}) : rows_(r), columns_(c), stream_(stream) {
    require(r >= 0 && c >= 0, "device_array: ", r, " x ", c, " elements");
    if (size() == 0) return;
    detail::keep_pool();
    void* memory = nullptr;
    check_cuda(cudaMallocAsync(&memory, sizeof(T) * std::size_t(size()), stream));
    data_ = static_cast<T*>(memory);
    owner_.reset(memory, [stream](void* p) { cudaFreeAsync(p, stream); });
  }
  /// Memory that somebody else owns and that `owner` keeps alive; it is let go when the last use has been enqueued on `stream`.
  device_array(T* data, index_t r, index_t c, cudaStream_t stream, std::shared_ptr<void> owner)
      : data_(data), rows_(r), columns_(c), stream_(stream), owner_(std::move(owner)) {}

  T* data() { return data_; }
  T const* data() const { return data_; }
  index_t rows() const { return rows_; }
  index_t columns() const { return columns_; }
  index_t size() const { return rows_ * columns_; }
  cudaStream_t stream() const { return stream_; }

  /// The same elements under another shape of as many.
  device_array reshaped(index_t r, index_t c) && {
    require(r * c == size(), "reshape: ", rows_, " x ", columns_, " elements do not fill ", r, " x ", c);
    device_array x(std::move(*this));
    x.rows_ = r, x.columns_ = c;
    return x;
  }

 private:
  T* data_ = nullptr;
  index_t rows_, columns_;
  cudaStream_t stream_;
  std::shared_ptr<void> owner_;
};

}  // namespace sda
