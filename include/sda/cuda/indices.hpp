// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/cuda/device_array.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <numeric>
#include <span>
#include <vector>

namespace sda {

namespace on_device {

// Host memory that a captured graph reads at every replay: it lives as long as the graph.
struct host_copies {
  std::deque<std::vector<std::byte>> kept;

  /// Those of the graph that this thread is capturing.
  static host_copies*& of_capture() {
    thread_local host_copies* current = nullptr;
    return current;
  }
};

// Host memory into device memory; returns when the host memory is no longer needed.
inline void copy_to_device(void* to, void const* from, std::size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return;
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check_cuda(cudaStreamIsCapturing(stream, &status));
  if (status != cudaStreamCaptureStatusNone) {
    auto* const copies = host_copies::of_capture();
    require(copies != nullptr, "cuda: host memory enters a graph only through sda::graphed, which keeps it");
    auto const* const first = static_cast<std::byte const*>(from);
    from = copies->kept.emplace_back(first, first + bytes).data();
  }
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream));
}

}  // namespace on_device

/// Column numbers on a device, and the way back that scatter_add takes. Never changed, shared by its copies.
class device_indices {
 public:
  device_indices() = default;
  device_indices(std::span<std::int64_t const> at, cudaStream_t stream) : size_(index_t(at.size())) {
    for (std::int64_t const i : at) {
      require(i >= 0 && i < std::int64_t{1} << 31, "indices: ", i, " is no column number below 2^31");
      reach_ = std::max<index_t>(reach_, i + 1);
    }
    // Sources by target, in their own order within one.
    std::vector<std::int32_t> order(at.size()), first, target;
    std::iota(order.begin(), order.end(), 0);
    auto const target_of = [&](std::int32_t source) { return at[std::size_t(source)]; };
    if (!std::is_sorted(at.begin(), at.end()))
      std::sort(order.begin(), order.end(),
                [&](std::int32_t a, std::int32_t b) { return target_of(a) != target_of(b) ? target_of(a) < target_of(b) : a < b; });
    for (std::size_t i = 0; i < order.size(); ++i)
      if (auto const t = std::int32_t(target_of(order[i])); target.empty() || target.back() != t) {
        target.push_back(t);
        first.push_back(std::int32_t(i));
      }
    first.push_back(std::int32_t(order.size()));
    targets_ = index_t(target.size());
    std::vector<std::int32_t> all(at.begin(), at.end());
    for (auto const* part : {&order, &target, &first}) all.insert(all.end(), part->begin(), part->end());
    auto lists = std::make_shared<device_array<std::int32_t>>(1, index_t(all.size()), stream);
    on_device::copy_to_device(lists->data(), all.data(), sizeof(std::int32_t) * all.size(), stream);
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
  index_t size_ = 0, reach_ = 0, targets_ = 0;
  std::shared_ptr<device_array<std::int32_t> const> lists_;  // at, order, target, first
};

}  // namespace sda
