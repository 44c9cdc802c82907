// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>
#include <sda/state/terms.hpp>

#include <concepts>
#include <span>
#include <utility>

namespace sda {

namespace detail {
// An elementwise function as transform takes it: any element type, one to three arguments.
struct probe {
  template <class T> SDA_HD T operator()(T const& x) const { return x; }
  template <class T> SDA_HD T operator()(T const& x, T const& y) const { return x + y; }
};
}  // namespace detail

template <class S> concept has_shape = requires(S const& x, S&& gone) {
  typename value_t<S>;
  { algebra<S>::rows(x) } -> std::convertible_to<index_t>;
  { algebra<S>::columns(x) } -> std::convertible_to<index_t>;
  { algebra<S>::zeros(x, index_t{}, index_t{}) } -> std::same_as<S>;
  { algebra<S>::reshape(std::move(gone), index_t{}, index_t{}) } -> std::same_as<S>;
};
template <class S> concept has_lincomb = requires(S& out, S const& x, scalars_t<S> const& c) {
  algebra<S>::lincomb(out, term{1.0, x}, term{-each{c}, x}, weighted{1.0, x, x}, noise{1.0, key{}});
  algebra<S>::transform(out, detail::probe{}, x);
  algebra<S>::transform(out, detail::probe{}, x, x);
};
template <class S> concept has_products = requires(S& out, S const& x) {
  { algebra<S>::dot(x, x) } -> std::same_as<scalars_t<S>>;
  algebra<S>::multiply(out, x, x);
};
template <class S> concept has_indexing = requires(S& out, S const& x, indices_t<S> const& at, std::span<std::int64_t const> i) {
  { algebra<S>::indices_like(x, i) } -> std::same_as<indices_t<S>>;
  algebra<S>::lincomb(out, term{1.0, x}, gathered{-1.0, x, at, index_t{1}});
  algebra<S>::scatter_add(out, x, at, index_t{1});
  algebra<S>::copy_block(out, index_t{}, index_t{}, x, index_t{}, index_t{}, index_t{}, index_t{});
};
template <class S> concept has_transfer =
    requires(S& out, S const& x, std::span<value_t<S> const> in, std::span<value_t<S>> to, scalars_t<S> const& c, std::span<double> numbers) {
      algebra<S>::load(out, in);
      algebra<S>::store(x, to);
      algebra<S>::store(c, numbers);
    };

/// What sda computes with. The parts are concepts of their own, so a failure names the missing one.
template <class S> concept State = std::movable<S> && has_shape<S> && has_lincomb<S> && has_products<S> && has_indexing<S> && has_transfer<S>;

/// Put `static_assert(sda::check_state<S>())` beside a new specialisation: one plain sentence per fault.
template <class S> consteval bool check_state() {
  constexpr bool specialised = requires { sizeof(algebra<S>); };
  static_assert(specialised,
                "sda: algebra<S> is not specialised; include its adapter (sda/eigen.hpp, sda/torch.hpp, sda/cuda/algebra.cuh) or write one");
  if constexpr (specialised) {
    static_assert(has_shape<S>, "sda: algebra<S> needs value_type, rows(x), columns(x), zeros(like, rows, columns) and reshape(x, rows, columns)");
    static_assert(has_lincomb<S>, "sda: algebra<S> needs scalars, lincomb(out, terms...) and transform(out, f, x...)");
    static_assert(has_products<S>, "sda: algebra<S> needs dot(x, y), one number per row, and multiply(out, x, matrix)");
    static_assert(has_indexing<S>, "sda: algebra<S> needs indices, indices_like, gathered terms, scatter_add and copy_block");
    static_assert(has_transfer<S>, "sda: algebra<S> needs load(out, span) and store(x, span), the latter for scalars too");
  }
  return true;
}

// The verbs are objects, not functions: naming them never triggers argument-dependent lookup, so at::dot or
// thrust::copy can never be picked up by accident. Each forwards to the algebra; shapes are checked there.

inline constexpr auto rows = []<class S>(S const& x) -> index_t { return algebra<S>::rows(x); };
inline constexpr auto columns = []<class S>(S const& x) -> index_t { return algebra<S>::columns(x); };

/// A state of zeros, living where `like` lives.
inline constexpr auto zeros = []<class S>(S const& like, index_t r, index_t c) -> S { return algebra<S>::zeros(like, r, c); };
inline constexpr auto zeros_like = []<class S>(S const& x) -> S { return algebra<S>::zeros(x, algebra<S>::rows(x), algebra<S>::columns(x)); };

/// The same elements in the same (row-major) order under another shape; costs nothing.
inline constexpr auto reshape = []<class S>(S x, index_t r, index_t c) -> S { return algebra<S>::reshape(std::move(x), r, c); };

/// out = the sum of the terms, in one pass over memory. `out` may be one of the terms (not of the gathered ones).
inline constexpr auto lincomb = []<class S, class... T>(S& out, T const&... terms) { algebra<S>::lincomb(out, terms...); };

/// out = f(x...), element by element; arguments of one row count for every row. f is a function object that is a
/// template over the element type (and SDA_HD if it is to run on a device); `out` may be one of the arguments.
inline constexpr auto transform = []<class S, class F, class... X>(S& out, F const& f, X const&... x) { algebra<S>::transform(out, f, x...); };

/// Row by row inner products, accumulated in double, in an order that depends on the number of columns alone.
inline constexpr auto dot = []<class S>(S const& x, S const& y) -> scalars_t<S> { return algebra<S>::dot(x, y); };

/// out = x m, a matrix product: x is rows x n, m is n x columns. Every row comes out as if it were alone.
inline constexpr auto multiply = []<class S>(S& out, S const& x, S const& m) { algebra<S>::multiply(out, x, m); };

inline constexpr auto indices_like = []<class S>(S const& like, std::span<std::int64_t const> at) -> indices_t<S> {
  return algebra<S>::indices_like(like, at);
};
/// out[at] += x: the transpose of gathered. Indices may repeat; the order of summation is fixed.
inline constexpr auto scatter_add = []<class S>(S& out, S const& x, indices_t<S> const& at, index_t block = 1) {
  algebra<S>::scatter_add(out, x, at, block);
};
/// out[r .. r+nr, c .. c+nc] = x[xr .., xc ..]
inline constexpr auto copy_block = []<class S>(S& out, index_t r, index_t c, S const& x, index_t xr, index_t xc, index_t nr, index_t nc) {
  algebra<S>::copy_block(out, r, c, x, xr, xc, nr, nc);
};

/// A deep copy (S y = x aliases for some states).
inline constexpr auto clone = []<class S>(S const& x) -> S {
  S y = zeros_like(x);
  lincomb(y, term{1.0, x});
  return y;
};
/// Rows [first, last) as a state of their own.
inline constexpr auto take_rows = []<class S>(S const& x, index_t first, index_t last) -> S {
  S y = zeros(x, last - first, columns(x));
  copy_block(y, 0, 0, x, first, 0, last - first, columns(x));
  return y;
};

/// Whether numbers of x can be read without waiting for a device. An algebra says so with an optional on_host(x).
inline constexpr auto on_host = []<class S>(S const& x) -> bool {
  if constexpr (requires {
                  { algebra<S>::on_host(x) } -> std::convertible_to<bool>;
                })
    return algebra<S>::on_host(x);
  else return false;
};

/// Whether numbers of x can be read at all: not while a device records a graph. An algebra says no with an optional readable(x).
inline constexpr auto readable = []<class S>(S const& x) -> bool {
  if constexpr (requires {
                  { algebra<S>::readable(x) } -> std::convertible_to<bool>;
                })
    return algebra<S>::readable(x);
  else return true;
};

/// Host memory, row-major, into a state of that many elements, and back.
inline constexpr auto load = []<class S>(S& out, std::span<value_t<S> const> in) { algebra<S>::load(out, in); };
inline constexpr auto store = []<class S>(S const& x, std::span<value_t<S>> to) { algebra<S>::store(x, to); };

}  // namespace sda
