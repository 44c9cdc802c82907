// SPDX-License-Identifier: Apache-2.0
// NCCL among the threads of one process, for the emulated device: calls meet at once, in the order in which they are made.
#pragma once
#include <cuda_runtime.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>

enum ncclResult_t { ncclSuccess = 0, ncclInvalidArgument = 4, ncclInProgress = 7 };
enum ncclDataType_t { ncclChar, ncclFloat, ncclDouble, ncclHalf, ncclBfloat16 };
enum ncclRedOp_t { ncclSum };
struct ncclUniqueId {
  char internal[128];
};
struct ncclConfig_t {
  int blocking = 1;
};
#define NCCL_CONFIG_INITIALIZER \
  {}

struct emulated_world {
  std::mutex mutex;
  std::condition_variable all_here;
  int size = 0, arrived = 0, joined = 0;
  unsigned long turn = 0;
  std::vector<void const*> offered;

  void meet() {
    std::unique_lock lock(mutex);
    if (++arrived == size) {
      arrived = 0, ++turn;
      all_here.notify_all();
      return;
    }
    all_here.wait(lock, [this, seen = turn] { return turn != seen; });
  }
};
struct ncclComm {
  std::shared_ptr<emulated_world> world;
  int rank;
};
using ncclComm_t = ncclComm*;

inline char const* ncclGetErrorString(ncclResult_t r) {
  return r == ncclSuccess ? "no error" : r == ncclInProgress ? "in progress" : "invalid argument";
}
inline ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  static std::mutex guard;
  static int made = 0;
  std::lock_guard lock(guard);
  *id = {};
  std::snprintf(id->internal, sizeof id->internal, "world %d", made++);
  return ncclSuccess;
}
inline ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int size, ncclUniqueId id, int rank, ncclConfig_t*) {
  static std::mutex guard;
  static std::map<std::string, std::shared_ptr<emulated_world>> worlds;
  std::lock_guard lock(guard);
  auto& world = worlds[id.internal];
  if (!world) world = std::make_shared<emulated_world>(), world->size = size, world->offered.resize(std::size_t(size));
  if (world->size != size || rank >= size) return ncclInvalidArgument;
  *comm = new ncclComm{world, rank};
  return ++world->joined == size ? ncclSuccess : ncclInProgress;
}
inline ncclResult_t ncclCommGetAsyncError(ncclComm_t c, ncclResult_t* state) {
  return *state = c->world->joined == c->world->size ? ncclSuccess : ncclInProgress, ncclSuccess;
}
inline ncclResult_t ncclCommFinalize(ncclComm_t) { return ncclSuccess; }  // nothing is ever on its way
inline ncclResult_t ncclCommDestroy(ncclComm_t c) { return delete c, ncclSuccess; }
inline ncclResult_t ncclCommAbort(ncclComm_t c) { return delete c, ncclSuccess; }
inline ncclResult_t ncclCommUserRank(ncclComm_t c, int* rank) { return *rank = c->rank, ncclSuccess; }
inline ncclResult_t ncclCommCount(ncclComm_t c, int* size) { return *size = c->world->size, ncclSuccess; }
inline ncclResult_t ncclGroupStart() { return ncclSuccess; }
inline ncclResult_t ncclGroupEnd() { return ncclSuccess; }

inline std::size_t emulated_bytes(ncclDataType_t t) { return t == ncclChar ? 1 : t == ncclFloat ? 4 : t == ncclDouble ? 8 : 2; }
template <class Use> ncclResult_t emulated_exchange(ncclComm_t c, void const* mine, Use const& use) {
  c->world->offered[std::size_t(c->rank)] = mine;
  c->world->meet();
  auto const result = use(c->world->offered);
  c->world->meet();
  result();
  return ncclSuccess;
}
inline ncclResult_t ncclBroadcast(void const* from, void* to, std::size_t n, ncclDataType_t t, int root, ncclComm_t c, cudaStream_t) {
  return emulated_exchange(c, from, [&](auto const& offered) {
    if (c->rank != root) std::memcpy(to, offered[std::size_t(root)], n * emulated_bytes(t));
    return [] {};
  });
}
inline ncclResult_t ncclAllGather(void const* from, void* to, std::size_t n, ncclDataType_t t, ncclComm_t c, cudaStream_t) {
  std::size_t const bytes = n * emulated_bytes(t);
  return emulated_exchange(c, from, [&](auto const& offered) {
    for (std::size_t r = 0; r < offered.size(); ++r)
      if (int(r) != c->rank) std::memcpy(static_cast<char*>(to) + r * bytes, offered[r], bytes);
    return [] {};
  });
}
template <class T> ncclResult_t emulated_sum(void const* from, void* to, std::size_t n, ncclComm_t c) {
  return emulated_exchange(c, from, [&](auto const& offered) {
    std::vector<T> sum(n);
    for (void const* part : offered)
      for (std::size_t i = 0; i < n; ++i) sum[i] += static_cast<T const*>(part)[i];
    return [sum, to, n] { std::memcpy(to, sum.data(), n * sizeof(T)); };  // only when nobody reads any more
  });
}
inline ncclResult_t ncclAllReduce(void const* from, void* to, std::size_t n, ncclDataType_t t, ncclRedOp_t, ncclComm_t c, cudaStream_t) {
  return t == ncclFloat ? emulated_sum<float>(from, to, n, c) : t == ncclDouble ? emulated_sum<double>(from, to, n, c) : ncclInvalidArgument;
}
