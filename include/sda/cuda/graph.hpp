// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/cuda/indices.hpp>
#include <sda/state/state.hpp>

#include <concepts>

namespace sda {

namespace on_device {

// Between begin and end the calls on a stream become nodes of a graph instead of work; an exception ends it too.
class stream_capture {
 public:
  explicit stream_capture(cudaStream_t stream, host_copies& copies) : stream_(stream) {
    check_cuda(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    host_copies::of_capture() = &copies;
  }
  ~stream_capture() {
    if (cudaGraph_t graph = nullptr; !ended_ && cudaStreamEndCapture(stream_, &graph) == cudaSuccess && graph) cudaGraphDestroy(graph);
    host_copies::of_capture() = nullptr;
  }
  stream_capture(stream_capture const&) = delete;
  cudaGraphExec_t end() {
    ended_ = true;
    cudaGraph_t graph = nullptr;
    check_cuda(cudaStreamEndCapture(stream_, &graph));
    cudaGraphExec_t made = nullptr;
    cudaError_t const e = cudaGraphInstantiate(&made, graph, 0);
    cudaGraphDestroy(graph);
    check_cuda(e);
    return made;
  }

 private:
  cudaStream_t stream_;
  bool ended_ = false;
};

}  // namespace on_device

/// A function of a device state, captured once as a CUDA graph: from then on a call is one launch, however many steps of a
/// sampler and layers of a network it holds. What f reads besides its argument is frozen: keys (a replay draws the same
/// numbers; put fresh ones into the argument), levels, host memory it loads, device memory it refers to, which must live on.
/// f may not wait for the device. The stream of `like` must be one that was made, not the default one.
template <class S> class graphed {
 public:
  template <std::invocable<S const&> F>
    requires State<S> && std::same_as<std::invoke_result_t<F const&, S const&>, S>
  graphed(F const& f, S const& like) : input_(clone(like)), output_(zeros_like(f(input_))) {  // the trial run also warms libraries up
    require(like.stream() != cudaStream_t{}, "graphed: the default stream cannot be captured");
    on_device::stream_capture capture(like.stream(), copies_);
    {
      S const y = f(input_);
      lincomb(output_, term{1.0, y});
    }
    graph_ = capture.end();
  }
  graphed(graphed&& o) noexcept
      : copies_(std::move(o.copies_)), input_(std::move(o.input_)), output_(std::move(o.output_)), graph_(std::exchange(o.graph_, nullptr)) {}
  graphed& operator=(graphed&&) = delete;
  ~graphed() {
    if (graph_) cudaGraphExecDestroy(graph_);
  }

  /// f(x), x in the shape of `like`; good until the next call.
  S const& operator()(S const& x) {
    lincomb(input_, term{1.0, x});
    check_cuda(cudaGraphLaunch(graph_, input_.stream()));
    return output_;
  }

 private:
  on_device::host_copies copies_;
  S input_, output_;
  cudaGraphExec_t graph_ = nullptr;
};
template <class F, class S> graphed(F const&, S const&) -> graphed<S>;

}  // namespace sda
