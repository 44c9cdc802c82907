// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/random.hpp>

namespace sda {

/// The one customisation point: specialise it to teach sda a new kind of state. A state is a matrix; each row is one
/// independent sample, each column one coordinate, rows contiguous. See docs/states.md for the members it needs.
template <class S> struct algebra;

template <class S> using value_t = typename algebra<S>::value_type;
/// One double per row, living where S lives: itself a state, of one column.
template <class S> using scalars_t = typename algebra<S>::scalars;
/// Column numbers, living where S lives.
template <class S> using indices_t = typename algebra<S>::indices;

/// A coefficient that differs row by row and never leaves the device: each{step}, -each{step}.
template <class C> struct each {
  C const& of;
  double sign = 1;
  each operator-() const { return {of, -sign}; }
};
template <class C> each(C const&) -> each<C>;

// The terms a lincomb may sum; `a` is a double or an each. A term of one row counts for every row of the result.
// Terms borrow what they name: use them only as arguments.

/// a x
template <class C, class S> struct term {
  C a;
  S const& x;
};
/// a w x, element by element
template <class C, class S> struct weighted {
  C a;
  S const& w;
  S const& x;
};
/// a x[at]: element c of the result is element at[c / block] * block + c % block of x. Columns are picked singly
/// (block = 1: stations) or in runs (block = the width of a time step: windows). x may not be the result itself.
template <class C, class S> struct gathered {
  C a;
  S const& x;
  indices_t<S> const& at;
  index_t block = 1;
};
/// a ξ, standard normal: element (r, c) is normal(k, r, c).
struct noise {
  double a;
  key k;
};

template <class C, class S> term(C, S const&) -> term<C, S>;
template <class C, class S> weighted(C, S const&, S const&) -> weighted<C, S>;
template <class C, class S> gathered(C, S const&, indices_t<S> const&) -> gathered<C, S>;
template <class C, class S> gathered(C, S const&, indices_t<S> const&, index_t) -> gathered<C, S>;

}  // namespace sda
