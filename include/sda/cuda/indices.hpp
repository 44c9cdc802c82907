// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/cuda/device_array.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <vector>

namespace sda {

namespace detail {

// Host memory into device memory. A graph would read it again when it is replayed, long after it is gone: refused.
inline void copy_to_device(void* to, void const* from, std::size_t bytes, cudaStream_t stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check_cuda(cudaStreamIsCapturing(stream, &status));
  require(status == cudaStreamCaptureStatusNone, "cuda: host memory cannot enter a graph that is being captured; load it before");
  if (bytes > 0) check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream));
}

}  // namespace detail

/// Column numbers on a device, and the way back that scatter_add takes. Never changed, shared by its copies.
class device_indices {
 public:
  device_indices(std::span<std::int64_t const> at, cudaStream_t stream) : size_(index_t(at.size())) {
    for (std::int64_t const i : at) {
      require(i >= 0 && i < std::int64_t{1} << 31, "indices: ", i, " is no column number below 2^31");
      reach_ = std::max<index_t>(reach_, i + 1);
    }
    // Sources by target, in their own order within one: counted, or left alone where they already ascend.
    std::vector<std::int32_t> order(at.size()), first, target;
    std::iota(order.begin(), order.end(), 0);
    if (!std::is_sorted(at.begin(), at.end()))
      std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return at[std::size_t(a)] < at[std::size_t(b)]; });
    for (std::size_t i = 0; i < order.size(); ++i)
      if (auto const t = std::int32_t(at[std::size_t(order[i])]); target.empty() || target.back() != t) {
        target.push_back(t);
        first.push_back(std::int32_t(i));
      }
    first.push_back(std::int32_t(order.size()));
    targets_ = index_t(target.size());
    std::vector<std::int32_t> all(at.begin(), at.end());
    for (auto const* part : {&order, &target, &first}) all.insert(all.end(), part->begin(), part->end());
    auto lists = std::make_shared<device_array<std::int32_t>>(1, index_t(all.size()), stream);
    detail::copy_to_device(lists->data(), all.data(), sizeof(std::int32_t) * all.size(), stream);
    lists_ = std::move(lists);
  }

  index_t size() const { return size_; }
  /// One more than the largest.
  index_t reach() const { return reach_; }
  std::int32_t const* at() const { return lists_->data(); }

  /// The distinct column numbers, ascending; where the sources of each begin in order(), and one past the last.
  index_t targets() const { return targets_; }
  std::int32_t const* order() const { return at() + size_; }
  std::int32_t const* target() const { return order() + size_; }
  std::int32_t const* first() const { return target() + targets_; }

 private:
  index_t size_, reach_ = 0, targets_ = 0;
  std::shared_ptr<device_array<std::int32_t> const> lists_;   // at, order, target, first
};

}  // namespace sda
