// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/cuda/device_array.hpp>
#include <sda/cuda/rendezvous.hpp>
#include <sda/cuda/watchdog.hpp>
#include <sda/trajectory/communicator.hpp>

#include <nccl.h>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <type_traits>

namespace sda {

/// One rank of an NCCL communicator, one device a rank: device states travel from device to device, on their own streams, and
/// no call waits for the host. The ranks must bring the same shapes. A call that has begun on the device and for which another
/// rank does not come within `patience` seconds, or whose connection broke, ends this process with a message: nothing else
/// could, when the host already waits in store(). Copies are the same communicator; the last one gone, what was enqueued is still done
/// on every rank, but graphs that hold its calls must be gone before it.
class nccl_communicator {
 public:
  /// A world of `size` processes that share an identity; collective. Throws when it is not complete within `patience` seconds.
  nccl_communicator(ncclUniqueId id, int rank, int size, double patience = 50) : rank_(rank), size_(size), patience_(patience) {
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;  // so that a rank that never comes can be given up
    ncclComm_t made = nullptr;
    ncclResult_t const started = ncclCommInitRankConfig(&made, size, id, rank, &config);
    require(made != nullptr, "nccl: ", ncclGetErrorString(started));
    comm_.reset(made, [patience](ncclComm_t c) { let_go(c, patience); });
    settle(started, "ncclCommInitRank");
    watchdog_ = std::make_shared<on_device::watchdog>(
        patience, [made] { return fault_of(made); },
        [rank, size](std::string const& why) {
          std::fprintf(stderr, "sda: rank %d of %d: nccl: %s\n", rank, size, why.c_str());
          std::_Exit(1);
        });
  }
  /// From a communicator of the caller's, which stays the caller's, who watches it, and outlives this.
  explicit nccl_communicator(ncclComm_t native) : comm_(native, [](ncclComm_t) {}) {
    settle(ncclCommUserRank(native, &rank_), "ncclCommUserRank");
    settle(ncclCommCount(native, &size_), "ncclCommCount");
  }
  int rank() const { return rank_; }
  int size() const { return size_; }
  ncclComm_t native() const { return comm_.get(); }

  /// Makes the row block share(rows, rank, size) of every rank common.
  template <class T> void all_gather(device_array<T>& whole) const {
    index_t const n = whole.rows(), c = whole.columns();
    if (whole.size() == 0 || size_ == 1) return;
    auto const at = [&](int r) { return whole.data() + share(n, r, size_).first * c; };
    auto const bytes = [&](int r) { return std::size_t((share(n, r, size_).last - share(n, r, size_).first) * c) * sizeof(T); };
    watched(whole.stream(), "all_gather", [&] {
      if (n % size_ == 0) return settle(ncclAllGather(at(rank_), whole.data(), bytes(rank_), ncclChar, native(), whole.stream()), "ncclAllGather");
      settle(ncclGroupStart(), "ncclGroupStart");  // unequal shares: each rank tells the others its own
      for (int r = 0; r < size_; ++r)
        if (bytes(r) > 0) ncclBroadcast(at(r), at(r), bytes(r), ncclChar, r, native(), whole.stream());
      settle(ncclGroupEnd(), "ncclBroadcast");
    });
  }

  /// The sum over all ranks, the same bits on each; the order of summation is NCCL's.
  template <class T> void all_reduce(device_array<T>& x) const {
    if (x.size() == 0) return;
    watched(x.stream(), "all_reduce", [&] {
      settle(ncclAllReduce(x.data(), x.data(), std::size_t(x.size()), type_of(x.data()), ncclSum, native(), x.stream()), "ncclAllReduce");
    });
  }

  /// Makes x what it is on `root`.
  template <class T> void broadcast(device_array<T>& x, int root = 0) const {
    if (x.size() == 0) return;
    watched(x.stream(), "broadcast", [&] {
      settle(ncclBroadcast(x.data(), x.data(), std::size_t(x.size()) * sizeof(T), ncclChar, root, native(), x.stream()), "ncclBroadcast");
    });
  }

  /// Waits for what was enqueued on a stream; throws when a rank failed or nothing has ended after `patience` seconds.
  void wait(cudaStream_t stream) const {
    on_device::deadline const until(patience_);
    for (;;) {
      cudaError_t const e = cudaStreamQuery(stream);
      if (e == cudaSuccess) return;
      if (e != cudaErrorNotReady) check_cuda(e);
      give_up_unless(until, "the stream");
    }
  }

 private:
  static ncclDataType_t type_of(float const*) { return ncclFloat; }
  static ncclDataType_t type_of(double const*) { return ncclDouble; }
  static ncclDataType_t type_of(__half const*) { return ncclHalf; }
  static ncclDataType_t type_of(__nv_bfloat16 const*) { return ncclBfloat16; }

  template <class F> void watched(cudaStream_t stream, char const* what, F const& enqueue) const {
    if (watchdog_) watchdog_->during(stream, what, enqueue);
    else enqueue();
  }
  /// What went wrong on the way, in NCCL's words; nothing if nothing did.
  static std::string fault_of(ncclComm_t comm) {
    ncclResult_t state = ncclSuccess;
    ncclCommGetAsyncError(comm, &state);
    return state == ncclSuccess || state == ncclInProgress ? "" : ncclGetErrorString(state);
  }

  /// Ends a communicator once all it was asked is done, here and on the way to others. When an exception is on its way, something broke or
  /// others do not come in time, it is broken off.
  static void let_go(ncclComm_t comm, double patience) {
    on_device::deadline const until(patience);
    ncclResult_t state = ncclInProgress;
    if (std::uncaught_exceptions() == 0 && fault_of(comm).empty()) {
      ncclResult_t const started = ncclCommFinalize(comm);
      if (started != ncclSuccess && started != ncclInProgress) state = started;
      while (state == ncclInProgress && ncclCommGetAsyncError(comm, &state) == ncclSuccess && state == ncclInProgress &&
             until.milliseconds_left() > 0)
        std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    if (state == ncclSuccess) ncclCommDestroy(comm);
    else ncclCommAbort(comm);
  }

  /// Lets a call that is still in progress end; throws what went wrong.
  void settle(ncclResult_t result, char const* what) const {
    on_device::deadline const until(patience_);
    while (result == ncclInProgress) {
      ncclResult_t state = ncclSuccess;
      result = ncclCommGetAsyncError(native(), &state);
      if (result == ncclSuccess) result = state;
      if (result == ncclInProgress) give_up_unless(until, what);
    }
    require(result == ncclSuccess, "nccl: rank ", rank_, " of ", size_, ", ", what, ": ", ncclGetErrorString(result));
  }
  void give_up_unless(on_device::deadline const& until, char const* what) const {
    auto const fault = fault_of(native());
    require(fault.empty(), "nccl: rank ", rank_, " of ", size_, ", ", what, ": ", fault);
    require(until.milliseconds_left() > 0, "nccl: rank ", rank_, " of ", size_, " waited ", patience_, " s for ", what,
            ": another rank died, hangs or calls something else");
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }

  std::shared_ptr<std::remove_pointer_t<ncclComm_t>> comm_;
  std::shared_ptr<on_device::watchdog> watchdog_;  // goes before what it watches, and after the work
  int rank_ = 0, size_ = 1;
  double patience_ = 50;
};

/// The world of the processes that torchrun, srun or mpirun started, each with the device of its local rank.
inline nccl_communicator nccl_world(launched const& me = launched_by_environment(), double patience = 50) {
  int devices = 0;
  check_cuda(cudaGetDeviceCount(&devices));
  require(devices > 0, "nccl: rank ", me.rank, " of ", me.size, " has no device");
  check_cuda(cudaSetDevice(me.local_rank % devices));
  ncclUniqueId id{};
  if (me.rank == 0) require(ncclGetUniqueId(&id) == ncclSuccess, "nccl: no identity for a world could be made");
  rendezvous(me, &id, sizeof id, patience);
  return {id, me.rank, me.size, patience};
}

/// The NCCL world of the ranks of another communicator that can broadcast host memory (an mpi_communicator). The caller has
/// chosen its device.
template <class C>
  requires requires(C const& c, void* p) { c.broadcast(p, std::size_t{}); }
nccl_communicator nccl_like(C const& comm, double patience = 50) {
  ncclUniqueId id{};
  if (comm.rank() == 0) require(ncclGetUniqueId(&id) == ncclSuccess, "nccl: no identity for a world could be made");
  comm.broadcast(&id, sizeof id);
  return {id, comm.rank(), comm.size(), patience};
}

}  // namespace sda
