// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>
#include <sda/core/fill_normal.hpp>
#include <sda/core/parallel.hpp>
#include <sda/state/terms.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

/// The verbs on row-major memory of the CPU: the one text behind every state that lives there. An adapter says where its
/// numbers lie; shapes are checked here. Each result is one pass, threaded when large, the same on any number of threads.
namespace sda::host {

/// Columns a thread works on at a time; fixed, so that sums do not depend on the number of threads.
inline constexpr index_t piece = 2048;

template <class T> struct matrix {
  T* data;
  index_t rows, columns;
  index_t size() const { return rows * columns; }
  /// Of row r, or of the only row, from column c on.
  T* at(index_t r, index_t c) const { return data + (rows == 1 ? 0 : r) * columns + c; }
};
template <class T> matrix(T*, index_t, index_t) -> matrix<T>;

/// A coefficient: sign, or sign times one number per row (or one for all of them).
struct coefficient {
  double sign;
  double const* of = nullptr;
  index_t rows = -1;  // -1: sign alone
  double operator()(index_t r) const { return rows < 0 ? sign : sign * of[rows == 1 ? 0 : r]; }
};

// The terms of a lincomb, as terms.hpp has them, with their numbers in memory.
template <class T> struct direct {
  coefficient a;
  matrix<T const> x;
};
template <class T> struct weighted {
  coefficient a;
  matrix<T const> w, x;
};
template <class T> struct gathered {
  coefficient a;
  matrix<T const> x;
  std::int64_t const* at;
  index_t count, block;
};

namespace detail {

// A term as the inner loop sees it: prepared once per piece of a row, then read by element.
template <class T> struct direct_cursor {
  T a;
  T const* x;
  T operator()(index_t c) const { return a * x[c]; }
};
template <class T> struct weighted_cursor {
  T a;
  T const* w;
  T const* x;
  T operator()(index_t c) const { return a * w[c] * x[c]; }
};

// Terms that are computed into a buffer before they are summed; the others are read where they lie.
template <class T> using buffer = std::array<T, piece>;
template <class Term> inline constexpr bool is_computed = false;
template <class T> inline constexpr bool is_computed<gathered<T>> = true;
template <> inline constexpr bool is_computed<noise> = true;
template <class Term> inline constexpr index_t cost_of = std::is_same_v<Term, noise> ? 4 : 1;   // in additions

template <class T> auto cursor(direct<T> const& t, index_t r, index_t first, index_t, buffer<T>*&) {
  return direct_cursor<T>{T(t.a(r)), t.x.at(r, first)};
}
template <class T> auto cursor(weighted<T> const& t, index_t r, index_t first, index_t, buffer<T>*&) {
  return weighted_cursor<T>{T(t.a(r)), t.w.at(r, first), t.x.at(r, first)};
}
template <class T> auto cursor(gathered<T> const& t, index_t r, index_t first, index_t n, buffer<T>*& free) {
  T* const picked = (free++)->data();
  T const* const from = t.x.at(r, 0);
  if (t.block == 1)
    for (index_t c = 0; c < n; ++c) picked[c] = from[t.at[first + c]];
  else
    for (index_t c = 0; c < n;) {
      index_t const inside = (first + c) % t.block, run = std::min(t.block - inside, n - c);
      std::copy_n(from + t.at[(first + c) / t.block] * t.block + inside, run, picked + c);
      c += run;
    }
  return direct_cursor<T>{T(t.a(r)), picked};
}
template <class T> auto cursor(noise const& t, index_t r, index_t first, index_t n, buffer<T>*& free) {
  T* const drawn = (free++)->data();
  fill_normal(drawn, t.k, r, first, n);
  return direct_cursor<T>{T(t.a), drawn};
}

template <class T> void check(coefficient const& a, matrix<T> const& out) {
  require(a.rows < 0 || a.rows == out.rows || a.rows == 1, "lincomb: ", a.rows, " coefficients for ", out.rows, " rows");
}
template <class T, class U> void check(matrix<U> const& x, index_t n, matrix<T> const& out) {
  require(n == out.columns && (x.rows == out.rows || x.rows == 1), "lincomb: a term of ", x.rows, " x ", n, " for a result of ", out.rows, " x ",
          out.columns);
}
template <class T> void check(direct<T> const& t, matrix<T> const& out) { check(t.a, out), check(t.x, t.x.columns, out); }
template <class T> void check(weighted<T> const& t, matrix<T> const& out) {
  check(t.a, out), check(t.w, t.w.columns, out), check(t.x, t.x.columns, out);
}
template <class T> void check(gathered<T> const& t, matrix<T> const& out) {
  check(t.a, out), check(t.x, t.count * t.block, out);
  require(t.x.data != out.data || out.size() == 0, "lincomb: a gathered term may not be the result");
}
template <class T> void check(noise const&, matrix<T> const&) {}

/// body(row, first column, number of columns) for pieces that cover `out`, on threads when it is large; an element is `cost` additions.
template <class T, class Body> void pieces(matrix<T> const& out, index_t cost, Body const& body) {
  index_t const n = out.columns, per_row = (n + piece - 1) / piece;
  parallel_for(out.rows * per_row, out.size() * cost, [&](index_t i) {
    index_t const first = i % per_row * piece;
    body(i / per_row, first, std::min(piece, n - first));
  });
}
template <class T, class... Cursor> void sum(T* out, index_t n, Cursor const... x) {
  SDA_ELEMENTWISE
  for (index_t c = 0; c < n; ++c) out[c] = (x(c) + ...);
}
template <class T, class F, class... X> void apply(T* out, index_t n, F const& f, X const*... x) {
  SDA_ELEMENTWISE
  for (index_t c = 0; c < n; ++c) out[c] = f(x[c]...);
}
template <class T> double dot_piece(T const* x, T const* y, index_t n) {
  constexpr index_t lanes = 16;
  double lane[lanes] = {}, total = 0;
  index_t c = 0;
  for (; c + lanes <= n; c += lanes)
    for (index_t l = 0; l < lanes; ++l) lane[l] += double(x[c + l]) * double(y[c + l]);
  for (; c < n; ++c) total += double(x[c]) * double(y[c]);
  for (index_t l = 0; l < lanes; ++l) total += lane[l];
  return total;
}

}  // namespace detail

/// out = the sum of the terms, each rounded once; `out` may be one of them, but for gathered ones.
template <class T, class... Terms> void lincomb(matrix<T> out, Terms const&... t) {
  (detail::check(t, out), ...);
  detail::pieces(out, std::max({detail::cost_of<Terms>...}), [&](index_t r, index_t first, index_t n) {
    std::array<detail::buffer<T>, (0 + ... + std::size_t(detail::is_computed<Terms>))> scratch;
    detail::buffer<T>* free = scratch.data();
    detail::sum(out.data + r * out.columns + first, n, detail::cursor(t, r, first, n, free)...);
  });
}

template <class T, class F, class... X> void transform(matrix<T> out, F const& f, matrix<X> const&... x) {
  (detail::check(x, x.columns, out), ...);
  detail::pieces(out, 4, [&](index_t r, index_t first, index_t n) { detail::apply(out.data + r * out.columns + first, n, f, x.at(r, first)...); });
}

/// One inner product per row of the higher of the two.
template <class T> std::vector<double> dot(matrix<T const> x, matrix<T const> y) {
  require(x.columns == y.columns && (x.rows == y.rows || x.rows == 1 || y.rows == 1), "dot: ", x.rows, " x ", x.columns, " against ", y.rows, " x ",
          y.columns);
  index_t const n = x.columns, per_row = (n + piece - 1) / piece, height = x.rows == 1 ? y.rows : x.rows;
  std::vector<double> partial(std::size_t(height * per_row)), out(std::size_t(height), 0.0);
  parallel_for(height * per_row, height * n, [&](index_t i) {
    index_t const r = i / per_row, first = i % per_row * piece;
    partial[std::size_t(i)] = detail::dot_piece(x.at(r, first), y.at(r, first), std::min(piece, n - first));
  });
  for (index_t i = 0; i < height * per_row; ++i) out[std::size_t(i / per_row)] += partial[std::size_t(i)];
  return out;
}

/// 32 bytes of numbers wherever they lie: a register. Arrays of numbers would go through memory at every step of a loop.
template <class T> struct packed {
  typedef T type __attribute__((vector_size(32), aligned(alignof(T)), may_alias));
  static constexpr index_t count = 32 / sizeof(T);
  static type const* at(T const* x) { return reinterpret_cast<type const*>(x); }
  static type* at(T* x) { return reinterpret_cast<type*>(x); }
};

namespace detail {

/// A tile of H rows and two registers' columns of out += a b.
template <int H, class T>
void add_product_tile(T* out, index_t out_stride, T const* a, index_t a_stride, T const* b, index_t b_stride, index_t depth) {
  using P = packed<T>;
  typename P::type left[H], right[H];
  for (int r = 0; r < H; ++r) left[r] = P::at(out + r * out_stride)[0], right[r] = P::at(out + r * out_stride)[1];
  for (index_t k = 0; k < depth; ++k, b += b_stride, ++a) {
    auto const first = P::at(b)[0], second = P::at(b)[1];
    for (int r = 0; r < H; ++r) left[r] += a[r * a_stride] * first, right[r] += a[r * a_stride] * second;
  }
  for (int r = 0; r < H; ++r) P::at(out + r * out_stride)[0] = left[r], P::at(out + r * out_stride)[1] = right[r];
}

}  // namespace detail

/// out += a b for row-major blocks of `height` x `depth` and `depth` x `width` numbers, by tiles that stay in registers. Every
/// element adds up over the depth in order, whatever stands beside it.
template <class T>
void add_product(T* out, index_t out_stride, T const* a, index_t a_stride, T const* b, index_t b_stride, index_t height, index_t depth,
                 index_t width) {
  constexpr index_t wide = 2 * packed<T>::count, tall = 4;
  index_t const body = width - width % wide, whole = height - height % tall;
  for (index_t i = 0; i < whole; i += tall)
    for (index_t j = 0; j < body; j += wide)
      detail::add_product_tile<tall>(out + i * out_stride + j, out_stride, a + i * a_stride, a_stride, b + j, b_stride, depth);
  for (index_t i = whole; i < height; ++i)
    for (index_t j = 0; j < body; j += wide)
      detail::add_product_tile<1>(out + i * out_stride + j, out_stride, a + i * a_stride, a_stride, b + j, b_stride, depth);
  for (index_t r = 0; r < height; ++r)
    for (index_t j = body; j < width; ++j) {
      T sum = out[r * out_stride + j];
      for (index_t k = 0; k < depth; ++k) sum += a[r * a_stride + k] * b[k * b_stride + j];
      out[r * out_stride + j] = sum;
    }
}

/// The inner products of all rows of x with all rows of y, row-major, in one pass over both.
template <class T> std::vector<double> gram(matrix<T const> x, matrix<T const> y) {
  require(x.columns == y.columns, "gram: ", x.rows, " x ", x.columns, " against ", y.rows, " x ", y.columns);
  constexpr index_t run = 256;
  index_t const n = x.columns, runs = (n + run - 1) / run, pairs = x.rows * y.rows, together = y.rows - y.rows % 8;
  std::vector<double> partial(std::size_t(runs * pairs));
  parallel_for(runs, pairs * n / 4, [&](index_t p) {
    index_t const first = p * run, m = std::min(run, n - first);
    double* const out = partial.data() + p * pairs;
    std::vector<double> upright(std::is_same_v<T, double> ? 0 : std::size_t(x.rows * m)), turned(std::size_t(m * together));  // y on its side
    double const* left = upright.data();
    if constexpr (std::is_same_v<T, double>) left = x.at(0, first);
    else
      for (index_t i = 0; i < x.rows; ++i) std::copy_n(x.data + i * n + first, m, upright.data() + i * m);
    for (index_t j = 0; j < together; ++j)
      for (index_t c = 0; c < m; ++c) turned[std::size_t(c * together + j)] = double(y.data[j * n + first + c]);
    add_product(out, y.rows, left, upright.empty() ? n : m, turned.data(), together, x.rows, m, together);
    for (index_t i = 0; i < x.rows; ++i)
      for (index_t j = together; j < y.rows; ++j) out[i * y.rows + j] = detail::dot_piece(x.data + i * n + first, y.data + j * n + first, m);
  });
  for (index_t p = 1; p < runs; ++p)
    for (index_t i = 0; i < pairs; ++i) partial[std::size_t(i)] += partial[std::size_t(p * pairs + i)];
  partial.resize(std::size_t(pairs));
  return partial;
}

/// out = x m; out is none of them. Each row accumulates over the rows of m in order, whatever stands beside it: batches can
/// be cut anywhere.
template <class T> void multiply(matrix<T> out, matrix<T const> x, matrix<T const> m) {
  require(x.columns == m.rows && out.rows == x.rows && out.columns == m.columns, "multiply: ", x.rows, " x ", x.columns, " times ", m.rows, " x ",
          m.columns, " into ", out.rows, " x ", out.columns);
  parallel_chunks(out.columns, 256, x.size() * m.columns / 4, [&](index_t first, index_t last) {
    for (index_t r = 0; r < x.rows; ++r) std::fill(out.data + r * out.columns + first, out.data + r * out.columns + last, T(0));
    add_product(out.data + first, out.columns, x.data, x.columns, m.data + first, m.columns, x.rows, x.columns, last - first);
  });
}

template <class T> void scatter_add(matrix<T> out, matrix<T const> x, std::int64_t const* at, index_t count, index_t block) {
  require(count * block == x.columns && x.rows == out.rows, "scatter_add: ", count, " indices of blocks of ", block, " for ", x.rows, " x ",
          x.columns, " into ", out.rows, " x ", out.columns);
  parallel_for(x.rows, x.size(), [&](index_t r) {
    T const* from = x.data + r * x.columns;
    T* const to = out.data + r * out.columns;
    for (index_t i = 0; i < count; ++i)
      for (index_t c = 0; c < block; ++c) to[at[i] * block + c] += *from++;
  });
}

template <class T> void copy_block(matrix<T> out, index_t r, index_t c, matrix<T const> x, index_t xr, index_t xc, index_t nr, index_t nc) {
  require(nr >= 0 && nc >= 0 && r >= 0 && c >= 0 && xr >= 0 && xc >= 0 && r + nr <= out.rows && c + nc <= out.columns && xr + nr <= x.rows &&
              xc + nc <= x.columns,
          "copy_block: ", nr, " x ", nc, " from (", xr, ", ", xc, ") of ", x.rows, " x ", x.columns, " to (", r, ", ", c, ") of ", out.rows, " x ",
          out.columns);
  parallel_for(nr, nr * nc, [&](index_t i) { std::copy_n(x.data + (xr + i) * x.columns + xc, nc, out.data + (r + i) * out.columns + c); });
}

}  // namespace sda::host
