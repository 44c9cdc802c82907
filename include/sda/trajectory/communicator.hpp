// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/state/state.hpp>

namespace sda {

/// Ranks that hold the same whole and each compute some rows of it.
template <class C, class S> concept Communicator = requires(C const& c, S& whole) {
  { c.rank() } -> std::convertible_to<int>;
  { c.size() } -> std::convertible_to<int>;
  c.all_gather(whole);  // makes the row block share(rows(whole), rank, size) of every rank common
};

/// Rows [first, last).
struct row_range {
  index_t first, last;
};

/// The rows of n that a rank computes: consecutive, near-equal, empty when there are more ranks than rows.
constexpr row_range share(index_t n, int rank, int size) { return {n * rank / size, n * (rank + 1) / size}; }

/// The default: alone, everything is already common.
struct solo {
  int rank() const { return 0; }
  int size() const { return 1; }
  void all_gather(auto&) const {}
};

}  // namespace sda
