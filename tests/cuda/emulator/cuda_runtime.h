// SPDX-License-Identifier: Apache-2.0
// A device made of the host, so that the CUDA wing's own text runs, and is checked, where there is no GPU: the threads of
// a block take turns at their barriers, blocks follow one another, streams are done at once, fresh memory is all NaN.
// It is found as <cuda_runtime.h> only by the tests that ask for it.
#pragma once
#include <ucontext.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#define SDA_CUDA_EMULATED 1
#define __global__
#define __device__
#define __host__
#define __shared__ static thread_local
#define __launch_bounds__(...)
#define __restrict__

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline thread_local dim3 gridDim, blockDim, blockIdx, threadIdx;

namespace emulator {

// The threads of one block. The first runs on a stack of its own; if it met no barrier none will, and the others are
// plain calls. Otherwise each has a stack, and they run in turn, forwards in even blocks and backwards in odd ones, so
// that a race shows as a difference.
class block {
 public:
  void run(dim3 shape, std::function<void()> const& kernel) {
    count_ = shape.x * shape.y * shape.z;
    kernel_ = &kernel, met_barrier_ = false, plain_ = false;
    fibers_.resize(std::max<std::size_t>(fibers_.size(), count_));
    warps_.assign((count_ + 31) / 32, {});
    whole_ = {};
    live_ = count_;
    bool const backwards = (blockIdx.x + blockIdx.y + blockIdx.z) % 2 == 1;
    for (unsigned i = 0; i < count_; ++i) fibers_[i].state = fiber::fresh;
    unsigned const first = backwards ? count_ - 1 : 0;
    resume(first);
    if (!met_barrier_) {
      plain_ = true;
      for (unsigned i = 0; i < count_; ++i)
        if (unsigned const t = backwards ? count_ - 1 - i : i; t != first) place(t), kernel();
      return;
    }
    while (live_ > 0) {
      progress_ = false;
      for (unsigned i = 0; i < count_; ++i)
        if (unsigned const t = backwards ? count_ - 1 - i : i; fibers_[t].state != fiber::done) resume(t);
      if (!progress_) fail("the threads of a block wait at different barriers");
    }
  }
  void sync_block() { wait(whole_, count_); }
  void sync_warp() { wait(warp().entry, lanes()); }

  /// Lane `from` of the caller's warp: its value of x.
  template <class T> T shuffle(T x, unsigned from) {
    static_assert(sizeof(T) <= 8);
    std::memcpy(&warp().slot[current_ % 32], &x, sizeof x);
    sync_warp();
    T y;
    std::memcpy(&y, &warp().slot[from % 32], sizeof y);
    sync_warp();
    return y;
  }
  unsigned lane() const { return current_ % 32; }

 private:
  struct gate {
    unsigned arrived = 0, generation = 0;
  };
  struct warp_state {
    emulator::block::gate entry;
    std::uint64_t slot[32];
  };
  struct fiber {
    enum { fresh, waiting, done } state = fresh;
    ucontext_t context{};
    std::unique_ptr<char[]> stack;
  };
  static constexpr std::size_t stack_bytes = 256 * 1024;

  static void fail(char const* what) {
    std::fprintf(stderr, "emulated device: %s\n", what);
    std::abort();
  }
  warp_state& warp() { return warps_[current_ / 32]; }
  unsigned lanes() const { return std::min(32u, count_ - current_ / 32 * 32); }
  void place(unsigned t) {
    current_ = t;
    threadIdx = dim3(t % blockDim.x, t / blockDim.x % blockDim.y, t / (blockDim.x * blockDim.y));
  }
  void resume(unsigned t) {
    fiber& f = fibers_[t];
    place(t);
    if (f.state == fiber::fresh) {
      if (!f.stack) f.stack.reset(new char[stack_bytes]);
      getcontext(&f.context);
      f.context.uc_stack.ss_sp = f.stack.get(), f.context.uc_stack.ss_size = stack_bytes, f.context.uc_link = &scheduler_;
      auto const self = reinterpret_cast<std::uintptr_t>(this);
      makecontext(&f.context, reinterpret_cast<void (*)()>(&enter), 2, unsigned(self >> 32), unsigned(self));
      f.state = fiber::waiting;
    }
    swapcontext(&scheduler_, &f.context);
  }
  static void enter(unsigned high, unsigned low) {
    block& b = *reinterpret_cast<block*>(std::uintptr_t(high) << 32 | low);
    unsigned const t = b.current_;
    (*b.kernel_)();
    b.fibers_[t].state = fiber::done;
    b.progress_ = true;
    --b.live_;
  }
  void wait(gate& g, unsigned all) {
    if (plain_) fail("a barrier that not all threads of a block reach");
    met_barrier_ = true;
    if (++g.arrived == all) {
      g.arrived = 0, ++g.generation, progress_ = true;
      return;
    }
    unsigned const t = current_;
    for (unsigned const seen = g.generation; g.generation == seen;) swapcontext(&fibers_[t].context, &scheduler_);
  }

  std::vector<fiber> fibers_;
  std::vector<warp_state> warps_;
  gate whole_;
  ucontext_t scheduler_{};
  std::function<void()> const* kernel_ = nullptr;
  unsigned count_ = 0, current_ = 0, live_ = 0;
  bool met_barrier_ = false, plain_ = false, progress_ = false;
};
inline thread_local block running;

inline void launch(dim3 grid, dim3 threads, std::function<void()> const& kernel) {
  gridDim = grid, blockDim = threads;
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x) blockIdx = dim3(x, y, z), running.run(threads, kernel);
}

}  // namespace emulator

inline void __syncthreads() { emulator::running.sync_block(); }
inline void __syncwarp(unsigned = 0xffffffffu) { emulator::running.sync_warp(); }
template <class T> T __shfl_xor_sync(unsigned, T x, int step) { return emulator::running.shuffle(x, emulator::running.lane() ^ unsigned(step)); }
template <class T> T __shfl_sync(unsigned, T x, int lane) { return emulator::running.shuffle(x, unsigned(lane)); }

template <class T> T atomicAdd(T* at, T x) { return std::exchange(*at, *at + x); }  // threads of a device never interrupt each other here

// The runtime's calls, as far as the wing makes them.
enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorNotReady = 600,
  cudaErrorStreamCaptureUnsupported = 900
};
inline char const* cudaGetErrorName(cudaError_t e) { return e == cudaSuccess ? "cudaSuccess" : "cudaError"; }
inline char const* cudaGetErrorString(cudaError_t e) { return e == cudaSuccess ? "no error" : "emulated device error"; }
inline cudaError_t cudaGetLastError() { return cudaSuccess; }

using emulated_work = std::vector<std::function<void()>>;
struct emulated_stream {
  std::shared_ptr<emulated_work> captured;  // set while a graph is being captured
};
struct emulated_graph {
  std::shared_ptr<emulated_work> work;
};
using cudaStream_t = emulated_stream*;
using cudaGraph_t = emulated_graph*;
using cudaGraphExec_t = emulated_graph*;
using cudaEvent_t = int*;
using cudaMemPool_t = int*;
enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice, cudaMemcpyDefault };
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold = 4 };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount = 16 };
enum cudaStreamCaptureStatus { cudaStreamCaptureStatusNone, cudaStreamCaptureStatusActive };
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal, cudaStreamCaptureModeRelaxed };
inline constexpr unsigned cudaStreamNonBlocking = 1;

namespace emulator {
/// Runs work now, or writes it down while the stream is being captured.
inline cudaError_t enqueue(cudaStream_t s, std::function<void()> work) {
  if (s && s->captured) s->captured->push_back(std::move(work));
  else work();
  return cudaSuccess;
}
}  // namespace emulator

inline cudaError_t cudaGetDeviceCount(int* n) { return *n = 1, cudaSuccess; }
inline cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) { return *value = 1, cudaSuccess; }
inline cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t*, int) { return cudaSuccess; }
inline cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) { return *s = new emulated_stream, cudaSuccess; }
inline cudaError_t cudaStreamDestroy(cudaStream_t s) { return delete s, cudaSuccess; }
inline cudaError_t cudaStreamSynchronize(cudaStream_t s) { return s && s->captured ? cudaErrorStreamCaptureUnsupported : cudaSuccess; }
inline cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
inline cudaError_t cudaStreamQuery(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamIsCapturing(cudaStream_t s, cudaStreamCaptureStatus* status) {
  return *status = s && s->captured ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone, cudaSuccess;
}
inline cudaError_t cudaMallocAsync(void** p, std::size_t bytes, cudaStream_t) {
  *p = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (*p) std::memset(*p, 0xff, bytes);
  return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}
inline cudaError_t cudaFreeAsync(void* p, cudaStream_t s) {
  if (s && s->captured) return s->captured->push_back([keep = std::shared_ptr<void>(p, std::free)] {}), cudaSuccess;  // as long as the graph
  return std::free(p), cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* p, int value, std::size_t bytes, cudaStream_t s) {
  return emulator::enqueue(s, [=] { std::memset(p, value, bytes); });
}
inline cudaError_t cudaMemcpyAsync(void* to, void const* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t s) {
  return emulator::enqueue(s, [=] { std::memmove(to, from, bytes); });
}
inline cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode*) { return cudaSuccess; }
inline cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode) {
  return s ? (s->captured = std::make_shared<emulated_work>(), cudaSuccess) : cudaErrorStreamCaptureUnsupported;
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t* g) {
  *g = new emulated_graph{std::exchange(s->captured, nullptr)};
  return cudaSuccess;
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* e, cudaGraph_t g, unsigned long long) { return *e = new emulated_graph(*g), cudaSuccess; }
inline cudaError_t cudaGraphDestroy(cudaGraph_t g) { return delete g, cudaSuccess; }
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t e) { return delete e, cudaSuccess; }
inline cudaError_t cudaEventCreate(cudaEvent_t* e) { return *e = nullptr, cudaSuccess; }
enum { cudaEventDisableTiming = 2 };
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned) { return *e = new int(0), cudaSuccess; }
namespace emulator {
inline std::atomic<bool> events_pass = true;  // work is done when it has been enqueued; a test may pretend that it is not
}
inline cudaError_t cudaEventQuery(cudaEvent_t) { return emulator::events_pass ? cudaSuccess : cudaErrorNotReady; }
inline cudaError_t cudaEventDestroy(cudaEvent_t e) { return delete e, cudaSuccess; }
inline cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t, cudaEvent_t) { return *ms = 1, cudaSuccess; }  // time means nothing here
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t e, cudaStream_t) {
  for (auto const& work : *e->work) work();
  return cudaSuccess;
}

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
};
template <class... P>
cudaError_t cudaLaunchKernelEx(cudaLaunchConfig_t const* c, void (*kernel)(P...), std::type_identity_t<P>... args) {
  dim3 const grid = c->gridDim, threads = c->blockDim;
  if (threads.x * threads.y * threads.z > 1024 || grid.y > 65535 || grid.z > 65535 || grid.x * grid.y * grid.z == 0) return cudaErrorInvalidValue;
  return emulator::enqueue(c->stream, [=] { emulator::launch(grid, threads, [&] { kernel(args...); }); });
}
