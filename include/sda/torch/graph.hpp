// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/cuda/graph.hpp>
#include <sda/torch/algebra.hpp>
#include <sda/torch/device.hpp>

#include <ATen/cuda/CUDAGraph.h>

namespace sda {

/// Records what LibTorch does too: its allocator takes memory of a recorded run from a pool that lives as long as the graph. For functions
/// of device states that go through a network, graphed(f, like, torch_recorder), and for functions of CUDA tensors while LibTorch's
/// current stream is one that was made. Noise of CUDA tensors comes from the host and cannot be recorded; that of device states can.
/// While it records, no other thread may make CUDA calls that wait or allocate.
inline graph_recorder torch_recorder() {
  struct recorded {
    at::cuda::CUDAGraph graph;
    cudaStream_t stream = nullptr;
    c10::cuda::CUDAStreamGuard here() const { return c10::cuda::CUDAStreamGuard(on_device::torch_stream(stream, c10::cuda::current_device())); }
  };
  auto const r = std::make_shared<recorded>();
  return {[r](cudaStream_t stream) {
            r->stream = stream;
            auto const here = r->here();
            r->graph.capture_begin();
          },
          [r] {
            auto const here = r->here();
            r->graph.capture_end();
          },
          [r](cudaStream_t) {
            auto const here = r->here();
            r->graph.replay();
          }};
}

template <> struct on_device::stream_of<at::Tensor> {
  static cudaStream_t get(at::Tensor const& x) { return c10::cuda::getCurrentCUDAStream(x.device().index()).stream(); }
};

}  // namespace sda
