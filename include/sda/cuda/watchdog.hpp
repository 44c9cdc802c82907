// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/cuda/device_array.hpp>

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace sda::on_device {

/// A thread that looks after work on streams whose end is in other hands. It calls alarm(why) when a piece of work has begun
/// and not ended after `patience` seconds, or when fault(), asked while there is any, gives words. It goes when all work is done, or at
/// once when an exception is on its way.
class watchdog {
 public:
  watchdog(double patience, std::function<std::string()> fault, std::function<void(std::string const&)> alarm)
      : patience_(patience), fault_(std::move(fault)), alarm_(std::move(alarm)) {
    check_cuda(cudaGetDevice(&device_));
    thread_ = std::thread([this] { look(); });
  }
  ~watchdog() {
    {
      std::lock_guard const alone(mutex_);
      done_ = true;
      if (std::uncaught_exceptions() > 0) works_.clear();
    }
    wake_.notify_one();
    thread_.join();
  }
  watchdog(watchdog const&) = delete;
  watchdog& operator=(watchdog const&) = delete;

  /// Watches what enqueue() puts on a stream, unless a graph is captured there: a replay is not seen.
  template <class F> void during(cudaStream_t stream, char const* what, F const& enqueue) {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    check_cuda(cudaStreamIsCapturing(stream, &status));
    if (status != cudaStreamCaptureStatusNone) return enqueue();
    auto const mine = add({what, mark(stream)});
    try {
      enqueue();
      auto end = mark(stream);
      std::lock_guard const alone(mutex_);
      mine->end = std::move(end);
    } catch (...) {
      std::lock_guard const alone(mutex_);
      works_.erase(mine);
      throw;
    }
  }

 private:
  using clock = std::chrono::steady_clock;
  using event = std::shared_ptr<std::remove_pointer_t<cudaEvent_t>>;
  struct work {
    char const* what;
    event begin, end = {};  // no end: still being enqueued
    clock::time_point begun = {};
  };

  double patience_;
  std::function<std::string()> fault_;
  std::function<void(std::string const&)> alarm_;
  int device_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::list<work> works_;
  bool done_ = false;
  std::thread thread_;

  static event mark(cudaStream_t stream) {
    cudaEvent_t made = nullptr;
    check_cuda(cudaEventCreateWithFlags(&made, cudaEventDisableTiming));
    event owned(made, [](cudaEvent_t e) { cudaEventDestroy(e); });
    check_cuda(cudaEventRecord(made, stream));
    return owned;
  }
  static bool passed(event const& e) { return e && cudaEventQuery(e.get()) == cudaSuccess; }

  std::list<work>::iterator add(work w) {
    std::lock_guard const alone(mutex_);
    wake_.notify_one();
    return works_.insert(works_.end(), std::move(w));
  }
  void look() {
    cudaSetDevice(device_);
    // A graph that another thread records may forbid all threads to ask whether an event has passed, unless they say that they know.
    auto mode = cudaStreamCaptureModeRelaxed;
    cudaThreadExchangeStreamCaptureMode(&mode);
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return done_ || !works_.empty(); });
      if (works_.empty()) return;
      if (auto const why = fault_(); !why.empty()) alarm_(why);
      for (auto w = works_.begin(); w != works_.end();) {
        if (passed(w->end)) {
          w = works_.erase(w);
          continue;
        }
        if (w->begun == clock::time_point{} && passed(w->begin)) w->begun = clock::now();
        if (w->begun != clock::time_point{} && std::chrono::duration<double>(clock::now() - w->begun).count() > patience_)
          alarm_(detail::text("waited ", patience_, " s in ", w->what, ": another rank died, hangs or calls something else"));
        ++w;
      }
      wake_.wait_for(lock, std::chrono::milliseconds(done_ ? 1 : 50));
    }
  }
};

}  // namespace sda::on_device
