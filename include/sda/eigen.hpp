// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/parallel.hpp>
#include <sda/state/state.hpp>

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <vector>

namespace sda {

/// The CPU state and the library's reference: every other algebra is tested against this one.
template <std::floating_point T> using host_array = Eigen::Array<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

namespace detail {

// A term of a host lincomb as its inner loop sees it: prepared once per piece of a row, then read by element. Scalars
// are rounded once, to the element type.
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
template <class Term> inline constexpr bool is_computed = false;
template <class C, class S> inline constexpr bool is_computed<gathered<C, S>> = true;
template <> inline constexpr bool is_computed<noise> = true;

}  // namespace detail

template <std::floating_point T> struct algebra<host_array<T>> {
  using S = host_array<T>;
  using value_type = T;
  using scalars = host_array<double>;
  using indices = std::vector<std::int64_t>;

  /// Columns a thread works on at a time; fixed, so that sums do not depend on the number of threads.
  static constexpr index_t piece = 2048;

  static index_t rows(S const& x) { return x.rows(); }
  static index_t columns(S const& x) { return x.cols(); }
  static constexpr bool on_host(S const&) { return true; }
  static S zeros(S const&, index_t r, index_t c) { return S::Zero(r, c); }
  static S reshape(S&& x, index_t r, index_t c) {
    require(r * c == x.size(), "reshape: ", x.rows(), " x ", x.cols(), " elements do not fill ", r, " x ", c);
    x.resize(r, c);
    return std::move(x);
  }

  template <class... Terms> static void lincomb(S& out, Terms const&... t) {
    (check(t, out), ...);
    pieces(out, [&](index_t r, index_t first, index_t n) {
      std::array<buffer, (0 + ... + std::size_t(detail::is_computed<Terms>))> scratch;
      buffer* free = scratch.data();
      sum(out.data() + r * out.cols() + first, n, cursor(t, r, first, n, free)...);
    });
  }

  template <class F, class... X> static void transform(S& out, F const& f, X const&... x) {
    (check(term<double, S>{1.0, x}, out), ...);
    pieces(out, [&](index_t r, index_t first, index_t n) {
      apply(out.data() + r * out.cols() + first, n, f, at(x, r, first)...);
    });
  }

  static scalars dot(S const& x, S const& y) {
    require(x.cols() == y.cols() && (x.rows() == y.rows() || x.rows() == 1 || y.rows() == 1), "dot: ", x.rows(), " x ", x.cols(),
            " against ", y.rows(), " x ", y.cols());
    index_t const n = x.cols(), per_row = (n + piece - 1) / piece, height = std::max(x.rows(), y.rows());
    scalars partial = scalars::Zero(height, std::max<index_t>(per_row, 1));
    parallel_for(height * per_row, height * n, [&](index_t i) {
      index_t const r = i / per_row, first = i % per_row * piece, m = std::min(piece, n - first);
      partial(r, i % per_row) = dot_piece(at(x, r, first), at(y, r, first), m);
    });
    scalars out(height, 1);
    for (index_t r = 0; r < height; ++r) {
      double total = 0;
      for (index_t i = 0; i < per_row; ++i) total += partial(r, i);
      out(r, 0) = total;
    }
    return out;
  }

  // Each row accumulates over the rows of m in order, whatever stands beside it: batches can be cut anywhere.
  static void multiply(S& out, S const& x, S const& m) {
    require(x.cols() == m.rows() && out.rows() == x.rows() && out.cols() == m.cols(), "multiply: ", x.rows(), " x ", x.cols(), " times ",
            m.rows(), " x ", m.cols(), " into ", out.rows(), " x ", out.cols());
    S product = S::Zero(out.rows(), out.cols());
    parallel_chunks(out.cols(), 256, x.size() * m.cols(), [&](index_t first, index_t last) {
      for (index_t r = 0; r < x.rows(); ++r) {
        T* const y = product.data() + r * product.cols();
        for (index_t k = 0; k < x.cols(); ++k) {
          T const a = x(r, k);
          T const* const row = m.data() + k * m.cols();
          SDA_ELEMENTWISE
          for (index_t c = first; c < last; ++c) y[c] += a * row[c];
        }
      }
    });
    out = std::move(product);
  }

  static indices indices_like(S const&, std::span<std::int64_t const> i) { return {i.begin(), i.end()}; }
  static void scatter_add(S& out, S const& x, indices const& at, index_t block) {
    require(index_t(at.size()) * block == x.cols() && x.rows() == out.rows(), "scatter_add: ", at.size(), " indices of blocks of ", block,
            " for ", x.rows(), " x ", x.cols(), " into ", out.rows(), " x ", out.cols());
    parallel_for(x.rows(), x.size(), [&](index_t r) {
      T const* from = x.data() + r * x.cols();
      T* const to = out.data() + r * out.cols();
      for (std::int64_t const i : at) {
        T* const target = to + i * block;
        for (index_t c = 0; c < block; ++c) target[c] += *from++;
      }
    });
  }
  static void copy_block(S& out, index_t r, index_t c, S const& x, index_t xr, index_t xc, index_t nr, index_t nc) {
    require(r >= 0 && c >= 0 && xr >= 0 && xc >= 0 && r + nr <= out.rows() && c + nc <= out.cols() && xr + nr <= x.rows() && xc + nc <= x.cols(),
            "copy_block: ", nr, " x ", nc, " from (", xr, ", ", xc, ") of ", x.rows(), " x ", x.cols(), " to (", r, ", ", c, ") of ",
            out.rows(), " x ", out.cols());
    out.block(r, c, nr, nc) = x.block(xr, xc, nr, nc);
  }
  static void load(S& out, std::span<T const> in) {
    require(index_t(in.size()) == out.size(), "load: ", in.size(), " numbers into ", out.rows(), " x ", out.cols());
    std::copy(in.begin(), in.end(), out.data());
  }
  template <std::floating_point U> static void store(host_array<U> const& x, std::span<U> to) {
    require(index_t(to.size()) == x.size(), "store: ", x.rows(), " x ", x.cols(), " into ", to.size(), " numbers");
    std::copy(x.data(), x.data() + x.size(), to.begin());
  }

  /// The tendency of Lorenz-96 in one pass: the fused member that sda/model/lorenz96.hpp asks for.
  static void lorenz96(S& out, S const& x, double forcing) {
    index_t const n = x.cols();
    T const f = T(forcing);
    parallel_for(x.rows(), x.size(), [&](index_t r) {
      T const* const y = x.data() + r * n;
      T* const to = out.data() + r * n;
      to[0] = (y[1] - y[n - 2]) * y[n - 1] - y[0] + f;
      to[1] = (y[2] - y[n - 1]) * y[0] - y[1] + f;
      SDA_ELEMENTWISE
      for (index_t i = 2; i < n - 1; ++i) to[i] = (y[i + 1] - y[i - 2]) * y[i - 1] - y[i] + f;
      to[n - 1] = (y[0] - y[n - 3]) * y[n - 2] - y[n - 1] + f;
    });
  }

 private:
  using buffer = std::array<T, piece>;   // what a term that is not a plain read is computed into, piece by piece

  static T const* at(S const& x, index_t r, index_t c) { return x.data() + (x.rows() == 1 ? 0 : r) * x.cols() + c; }

  /// body(row, first column, number of columns) for pieces that cover `out`, on threads when it is large.
  template <class Body> static void pieces(S const& out, Body const& body) {
    index_t const n = out.cols(), per_row = (n + piece - 1) / piece;
    parallel_for(out.rows() * per_row, out.size(), [&](index_t i) {
      index_t const first = i % per_row * piece;
      body(i / per_row, first, std::min(piece, n - first));
    });
  }
  template <class... Cursor> static void sum(T* out, index_t n, Cursor const... x) {
    SDA_ELEMENTWISE
    for (index_t c = 0; c < n; ++c) out[c] = (x(c) + ...);
  }
  template <class F, class... X> static void apply(T* out, index_t n, F const& f, X const*... x) {
    SDA_ELEMENTWISE
    for (index_t c = 0; c < n; ++c) out[c] = f(x[c]...);
  }
  static double dot_piece(T const* x, T const* y, index_t n) {
    constexpr index_t lanes = 16;
    double lane[lanes] = {}, total = 0;
    index_t c = 0;
    for (; c + lanes <= n; c += lanes)
      for (index_t l = 0; l < lanes; ++l) lane[l] += double(x[c + l]) * double(y[c + l]);
    for (; c < n; ++c) total += double(x[c]) * double(y[c]);
    for (index_t l = 0; l < lanes; ++l) total += lane[l];
    return total;
  }

  static T coefficient(double a, index_t) { return T(a); }
  static T coefficient(each<scalars> const& a, index_t r) { return T(a.sign * a.of(a.of.rows() == 1 ? 0 : r, 0)); }

  template <class C> static auto cursor(term<C, S> const& t, index_t r, index_t first, index_t, buffer*&) {
    return detail::direct_cursor<T>{coefficient(t.a, r), at(t.x, r, first)};
  }
  template <class C> static auto cursor(weighted<C, S> const& t, index_t r, index_t first, index_t, buffer*&) {
    return detail::weighted_cursor<T>{coefficient(t.a, r), at(t.w, r, first), at(t.x, r, first)};
  }
  template <class C> static auto cursor(gathered<C, S> const& t, index_t r, index_t first, index_t n, buffer*& free) {
    T* const picked = (free++)->data();
    T const* const from = at(t.x, r, 0);
    if (t.block == 1)
      for (index_t c = 0; c < n; ++c) picked[c] = from[t.at[first + c]];
    else
      for (index_t c = 0; c < n;) {
        index_t const inside = (first + c) % t.block, run = std::min(t.block - inside, n - c);
        std::copy_n(from + t.at[(first + c) / t.block] * t.block + inside, run, picked + c);
        c += run;
      }
    return detail::direct_cursor<T>{coefficient(t.a, r), picked};
  }
  static auto cursor(noise const& t, index_t r, index_t first, index_t n, buffer*& free) {
    T* const drawn = (free++)->data();
    fill_normal(drawn, t.k, r, first, n);
    return detail::direct_cursor<T>{T(t.a), drawn};
  }

  static void check_shape(S const& x, index_t n, S const& out) {
    require(n == out.cols() && (x.rows() == out.rows() || x.rows() == 1), "lincomb: a term of ", x.rows(), " x ", n, " for a result of ",
            out.rows(), " x ", out.cols());
  }
  static void check_coefficient(double, S const&) {}
  static void check_coefficient(each<scalars> const& a, S const& out) {
    require(a.of.cols() == 1 && (a.of.rows() == out.rows() || a.of.rows() == 1), "lincomb: ", a.of.rows(), " x ", a.of.cols(),
            " coefficients for ", out.rows(), " rows");
  }
  template <class C> static void check(term<C, S> const& t, S const& out) {
    check_shape(t.x, t.x.cols(), out);
    check_coefficient(t.a, out);
  }
  template <class C> static void check(weighted<C, S> const& t, S const& out) {
    check_shape(t.w, t.w.cols(), out);
    check_shape(t.x, t.x.cols(), out);
    check_coefficient(t.a, out);
  }
  template <class C> static void check(gathered<C, S> const& t, S const& out) {
    check_shape(t.x, index_t(t.at.size()) * t.block, out);
    check_coefficient(t.a, out);
    require(&t.x != &out, "lincomb: a gathered term may not be the result");
  }
  static void check(noise const&, S const&) {}
};

}  // namespace sda
