// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/trajectory/communicator.hpp>

#include <mpi.h>
#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdio>
#include <exception>
#include <memory>
#include <thread>
#include <vector>

namespace sda {

namespace detail {

/// Throws with MPI's own words. (MPI ends the program itself unless a communicator's handler says otherwise; ours returns.)
inline void check_mpi(int code, char const* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw error(detail::text("mpi: ", what, ": ", text));
}

}  // namespace detail

/// One rank of an MPI communicator. States may live anywhere: what travels goes through host memory, bit by bit. Every call is
/// collective. A rank that waits longer than `patience` seconds for the others says so and ends them all; so does a call whose
/// ranks disagree about shapes. Copies are the same communicator.
class mpi_communicator {
 public:
  double patience = 50;

  /// Of the world, or of a communicator of the caller's: used as a duplicate of its own, so no other traffic is met.
  explicit mpi_communicator(MPI_Comm native = MPI_COMM_WORLD) {
    MPI_Comm own = MPI_COMM_NULL;
    detail::check_mpi(MPI_Comm_dup(native, &own), "MPI_Comm_dup");
    comm_.reset(new MPI_Comm(own), [](MPI_Comm* c) {
      int finalized = 0;
      MPI_Finalized(&finalized);
      if (!finalized) MPI_Comm_free(c);
      delete c;
    });
    MPI_Comm_set_errhandler(own, MPI_ERRORS_RETURN);
    MPI_Comm_rank(own, &rank_), MPI_Comm_size(own, &size_);
  }
  int rank() const { return rank_; }
  int size() const { return size_; }
  MPI_Comm native() const { return *comm_; }

  /// Makes the row block share(rows(whole), rank, size) of every rank common.
  template <State S> void all_gather(S& whole) const {
    agree(whole, "all_gather");
    index_t const n = rows(whole), c = columns(whole);
    std::vector<value_t<S>> elements(std::size_t(n * c));
    auto const mine = share(n, rank_, size_);
    if (mine.last > mine.first)
      store(take_rows(whole, mine.first, mine.last),
            std::span(elements).subspan(std::size_t(mine.first * c), std::size_t((mine.last - mine.first) * c)));
    gather(elements.data(), [&](int r) { return share(n, r, size_).first * c; });
    load(whole, std::span<value_t<S> const>(elements));
  }

  /// The sum over all ranks, the same bits on each: every element is added up in the order of the ranks.
  template <State S> void all_reduce(S& x) const {
    agree(x, "all_reduce");
    std::vector<value_t<S>> elements(std::size_t(rows(x) * columns(x)));
    store(x, std::span(elements));
    sum(elements);
    load(x, std::span<value_t<S> const>(elements));
  }

  /// Makes x what it is on `root`.
  template <State S> void broadcast(S& x, int root = 0) const {
    agree(x, "broadcast");
    std::vector<value_t<S>> elements(std::size_t(rows(x) * columns(x)));
    if (rank_ == root) store(x, std::span(elements));
    broadcast(elements.data(), elements.size() * sizeof(value_t<S>), root);
    load(x, std::span<value_t<S> const>(elements));
  }
  /// Makes `bytes` of host memory what they are on `root`: a key, the identity of an NCCL world.
  void broadcast(void* memory, std::size_t bytes, int root = 0) const {
    for (auto* p = static_cast<char*>(memory); bytes > 0;) {
      int const now = int(std::min<std::size_t>(bytes, INT_MAX / 2));
      MPI_Request request;
      detail::check_mpi(MPI_Ibcast(p, now, MPI_BYTE, root, *comm_, &request), "broadcast");
      wait(request, "broadcast");
      p += now, bytes -= std::size_t(now);
    }
  }
  void barrier() const {
    MPI_Request request;
    detail::check_mpi(MPI_Ibarrier(*comm_, &request), "barrier");
    wait(request, "barrier");
  }

 private:
  /// Throws on every rank unless all bring the same shape and element.
  template <State S> void agree(S const& x, char const* what) const {
    long long const r = rows(x), c = columns(x), e = sizeof(value_t<S>), mine[6] = {r, -r, c, -c, e, -e};
    long long most[6] = {};
    MPI_Request request;
    detail::check_mpi(MPI_Iallreduce(mine, most, 6, MPI_LONG_LONG, MPI_MAX, *comm_, &request), what);
    wait(request, what);
    require(most[0] == -most[1] && most[2] == -most[3] && most[4] == -most[5], what, ": the ranks disagree, they bring ", -most[1], " to ", most[0],
            " rows of ", -most[3], " to ", most[2], " columns of ", -most[5], " to ", most[4], " bytes; rank ", rank_, " brings ", r, " x ", c);
  }

  /// Rank r supplies elements [first(r), first(r + 1)).
  template <class T, class First> void gather(T* elements, First const& first) const {
    MPI_Datatype unit;  // bytes of an element: counts of any size stay below INT_MAX elements
    MPI_Type_contiguous(int(sizeof(T)), MPI_BYTE, &unit), MPI_Type_commit(&unit);
    std::vector<int> counts, offsets;
    for (int r = 0; r < size_; ++r) {
      index_t const from = first(r), n = first(r + 1) - from;
      require(from + n <= INT_MAX, "mpi: ", from + n, " elements are too many for one message; use more rows a call");
      counts.push_back(int(n)), offsets.push_back(int(from));
    }
    MPI_Request request;
    int const code = MPI_Iallgatherv(MPI_IN_PLACE, 0, unit, elements, counts.data(), offsets.data(), unit, *comm_, &request);
    detail::check_mpi(code, "all_gather");
    wait(request, "all_gather");
    MPI_Type_free(&unit);
  }

  /// Each rank sums its share of the elements over the ranks, in their order; then the shares are gathered.
  template <class T> void sum(std::vector<T>& elements) const {
    index_t const n = index_t(elements.size());
    auto const mine = share(n, rank_, size_);
    index_t const length = mine.last - mine.first;
    require(n <= INT_MAX / index_t(sizeof(T)), "mpi: ", n, " elements are too many for one message");
    std::vector<T> parts(std::size_t(length * size_));
    std::vector<int> out_counts, out_offsets, in_counts(std::size_t(size_), int(length * index_t(sizeof(T)))), in_offsets;
    for (int r = 0; r < size_; ++r) {
      auto const theirs = share(n, r, size_);
      out_counts.push_back(int((theirs.last - theirs.first) * index_t(sizeof(T)))), out_offsets.push_back(int(theirs.first * index_t(sizeof(T))));
      in_offsets.push_back(int(r * length * index_t(sizeof(T))));
    }
    MPI_Request request;
    detail::check_mpi(MPI_Ialltoallv(elements.data(), out_counts.data(), out_offsets.data(), MPI_BYTE, parts.data(), in_counts.data(),
                                     in_offsets.data(), MPI_BYTE, *comm_, &request),
                      "all_reduce");
    wait(request, "all_reduce");
    for (index_t i = 0; i < length; ++i) {
      T total = parts[std::size_t(i)];
      for (int r = 1; r < size_; ++r) total += parts[std::size_t(r * length + i)];
      elements[std::size_t(mine.first + i)] = total;
    }
    gather(elements.data(), [&](int r) { return r < size_ ? share(n, r, size_).first : n; });
  }

  /// Waits, giving the processor away; ends every rank when the others do not come.
  void wait(MPI_Request& request, char const* what) const {
    auto const start = std::chrono::steady_clock::now();
    for (int spins = 0;; ++spins) {
      int done = 0;
      detail::check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), what);
      if (done) return;
      if (spins < 1000) continue;
      std::this_thread::sleep_for(std::chrono::microseconds(spins < 10000 ? 1 : 100));
      if (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() > patience) {
        std::fprintf(stderr, "sda: rank %d of %d waited %g s in %s: another rank died, hangs or calls something else\n", rank_, size_, patience,
                     what);
        MPI_Abort(*comm_, 1);
      }
    }
  }

  std::shared_ptr<MPI_Comm> comm_;
  int rank_ = 0, size_ = 1;
};

/// Runs body(mpi_communicator) between MPI's beginning and end; one call a program. An exception on any rank is printed with
/// the rank's number and ends all of them. Start it with mpirun or srun; started plainly it is a world of one.
template <class Body> int on_mpi(int& argc, char**& argv, Body const& body) {
  int provided = 0;
  if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) return 1;
  try {
    body(mpi_communicator{});
  } catch (std::exception const& e) {
    int rank = 0, size = 1;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank), MPI_Comm_size(MPI_COMM_WORLD, &size);
    std::fprintf(stderr, "sda: rank %d of %d failed: %s\n", rank, size, e.what());
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  return MPI_Finalize() == MPI_SUCCESS ? 0 : 1;
}

}  // namespace sda
