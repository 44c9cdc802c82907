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

/// Put `static_assert(sda::check_communicator<C, S>())` beside a new communicator: one plain sentence per fault.
template <class C, class S> consteval bool check_communicator() {
  constexpr bool numbered = requires(C const& c) {
    { c.rank() } -> std::convertible_to<int>;
    { c.size() } -> std::convertible_to<int>;
  };
  constexpr bool gathers = requires(C const& c, S& whole) { c.all_gather(whole); };
  static_assert(numbered, "sda: a Communicator needs rank(), from 0 to size() - 1, and size()");
  static_assert(gathers, "sda: a Communicator needs all_gather(whole), which makes the rows of every rank common, callable while const");
  return true;
}

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
