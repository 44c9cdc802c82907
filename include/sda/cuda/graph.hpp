// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/cuda/indices.hpp>
#include <sda/state/state.hpp>

#include <concepts>
#include <functional>
#include <memory>

namespace sda {

/// Writes work on a stream down as a graph, one a recorder, and does it again. CUDA's own way is cuda_recorder; a library with an allocator
/// of its own, whose memory replays need again, brings its way: torch_recorder of torch/graph.hpp. Plain functions, so that what one
/// compiler makes another uses.
struct graph_recorder {
  std::function<void(cudaStream_t)> begin;  ///< from now on calls on the stream become nodes instead of work
  std::function<void()> end;                ///< ... until now
  std::function<void(cudaStream_t)> launch;
};

/// Whatever CUDA itself sees on the stream.
inline graph_recorder cuda_recorder() {
  struct recorded {
    cudaStream_t stream = nullptr;
    cudaGraphExec_t graph = nullptr;
    ~recorded() {
      if (graph) cudaGraphExecDestroy(graph);
    }
  };
  auto const r = std::make_shared<recorded>();
  return {[r](cudaStream_t stream) {
            r->stream = stream;
            check_cuda(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
          },
          [r] {
            cudaGraph_t graph = nullptr;
            check_cuda(cudaStreamEndCapture(r->stream, &graph));
            cudaError_t const e = cudaGraphInstantiate(&r->graph, graph, 0);
            cudaGraphDestroy(graph);
            check_cuda(e);
          },
          [r](cudaStream_t stream) { check_cuda(cudaGraphLaunch(r->graph, stream)); }};
}

namespace on_device {

/// The stream that a state's work goes to.
template <class S> struct stream_of {
  static cudaStream_t get(S const& x) { return x.stream(); }
};

// Records from here on; an exception ends it too.
class recording {
 public:
  recording(graph_recorder const& r, cudaStream_t stream, host_copies& copies) : recorder_(r) {
    r.begin(stream);
    host_copies::of_capture() = &copies;
  }
  ~recording() {
    if (ended_) return;
    host_copies::of_capture() = nullptr;
    try {
      recorder_.end();
    } catch (std::exception const&) {  // the exception that brought us here says more
    }
  }
  recording(recording const&) = delete;
  recording& operator=(recording const&) = delete;
  void end() {
    ended_ = true;
    host_copies::of_capture() = nullptr;
    recorder_.end();
  }

 private:
  graph_recorder const& recorder_;
  bool ended_ = false;
};

}  // namespace on_device

/// A function of a device state, captured once as a CUDA graph: from then on a call is one launch, however many steps of a
/// sampler and layers of a network it holds. What f reads besides its argument is frozen: keys (a replay draws the same
/// numbers; put fresh ones into the argument), levels, host memory it loads, device memory it refers to, which must live on.
/// f may not wait for the device, nor keep states from one call to the next (warm_start). The stream of `like` must be one that was
/// made, not the default one. If f calls LibTorch, LibTorch has to record it: graphed(f, like, torch_recorder).
template <class S> class graphed {
 public:
  template <std::invocable<S const&> F>
    requires State<S> && std::same_as<std::invoke_result_t<F const&, S const&>, S>
  graphed(F const& f, S const& like, std::function<graph_recorder()> const& make_recorder = cuda_recorder)
      : recorder_(make_recorder()), stream_(on_device::stream_of<S>::get(like)), input_(clone(like)), output_(trial(f, input_)) {
    require(stream_ != cudaStream_t{}, "graphed: the default stream cannot be captured");
    on_device::recording record(recorder_, stream_, copies_);
    {
      S const y = f(input_);
      lincomb(output_, term{1.0, y});
    }
    record.end();
  }
  graphed(graphed&&) = default;
  graphed& operator=(graphed&&) = delete;
  ~graphed() {
    if (!copies_.kept.empty()) cudaStreamSynchronize(stream_);  // a replay may still read them
  }

  /// f(x), x in the shape of `like`; good until the next call.
  S const& operator()(S const& x) {
    lincomb(input_, term{1.0, x});
    recorder_.launch(stream_);
    return output_;
  }

 private:
  // What is recorded, done once: libraries choose, allocate and load now; a capture allows them less.
  template <class F> static S trial(F const& f, S const& x) {
    S const y = f(x);
    S out = zeros_like(y);
    lincomb(out, term{1.0, y});
    return out;
  }

  on_device::host_copies copies_;
  graph_recorder recorder_;  // the graph goes before the copies it reads
  cudaStream_t stream_;
  S input_, output_;
};
template <class F, class S> graphed(F const&, S const&) -> graphed<S>;
template <class F, class S> graphed(F const&, S const&, std::function<graph_recorder()> const&) -> graphed<S>;

}  // namespace sda
