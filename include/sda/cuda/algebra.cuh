// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/cuda/fused.cuh>
#include <sda/cuda/kernels/dot.cuh>
#include <sda/cuda/kernels/multiply.cuh>
#include <sda/cuda/kernels/scatter.cuh>
#include <sda/state/state.hpp>

namespace sda {

/// States on a GPU. Every verb is enqueued on the stream of its result and returns at once; only store() waits. The optional
/// fused steps are members too, from on_device::fused.
template <device_element T> struct algebra<device_array<T>> : on_device::fused<T> {
  using S = device_array<T>;
  using C = kernels::compute_t<T>;
  using value_type = T;
  using scalars = device_array<double>;
  using indices = device_indices;

  static index_t rows(S const& x) { return x.rows(); }
  static index_t columns(S const& x) { return x.columns(); }
  static bool readable(S const& x) {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    check_cuda(cudaStreamIsCapturing(x.stream(), &status));
    return status == cudaStreamCaptureStatusNone;
  }
  static S zeros(S const& like, index_t r, index_t c) {
    S x(r, c, like.stream());
    set_zero(x);
    return x;
  }
  static S reshape(S&& x, index_t r, index_t c) { return std::move(x).reshaped(r, c); }

  template <class... Terms> static void lincomb(S& out, Terms const&... t) {
    (check(t, out), ...);
    bool const flat = fits(out) && (is_flat(t, out) && ...), wide = (is_wide(t, flat) && ...);
    elementwise<(std::same_as<Terms, noise> || ...)>(out.data(), whole(out), flat, wide, [&]<int W, bool Wide>(kernels::shape s, kernels::extent e) {
      kernels::launch(kernels::sum<W, Wide, T, decltype(lower(t))...>, s, out.stream(), out.data(), e, lower(t)...);
    });
  }

  template <class F, class... X> static void transform(S& out, F const& f, X const&... x) {
    (check(term{1.0, x}, out), ...);
    bool const flat = fits(out) && ((x.rows() == out.rows()) && ...), wide = (is_wide(term{1.0, x}, flat) && ...);
    elementwise<false>(out.data(), whole(out), flat, wide, [&]<int W, bool Wide>(kernels::shape s, kernels::extent e) {
      kernels::launch(kernels::map<W, Wide, T, F, decltype(on_device::source(x))...>, s, out.stream(), out.data(), e, f, on_device::source(x)...);
    });
  }

  static scalars dot(S const& x, S const& y) {
    require(x.columns() == y.columns() && (x.rows() == y.rows() || x.rows() == 1 || y.rows() == 1), "dot: ", x.rows(), " x ", x.columns(),
            " against ", y.rows(), " x ", y.columns());
    return on_device::dot(x, y);
  }

  // An element's sum runs over the inner index in order, in pieces that the sizes of m alone decide: rows come out as if
  // they were alone. (cuBLAS picks its order of summation by the number of rows too, so it is not used here.)
  static void multiply(S& out, S const& x, S const& m) {
    require(x.columns() == m.rows() && out.rows() == x.rows() && out.columns() == m.columns(), "multiply: ", x.rows(), " x ", x.columns(), " times ",
            m.rows(), " x ", m.columns(), " into ", out.rows(), " x ", out.columns());
    on_device::check_stream(x, out);
    index_t const most = std::max<index_t>(1, 32768 / std::max<index_t>(m.columns(), 1));
    index_t const pieces = std::clamp<index_t>(m.rows() / 1024, 1, most);
    if (out.size() == 0) return;
    if (m.rows() == 0) {
      set_zero(out);
    } else if (pieces == 1 && out.data() != x.data() && out.data() != m.data()) {
      tiles(out.data(), x, m, pieces);
    } else if (pieces == 1) {
      S product(out.rows(), out.columns(), out.stream());
      tiles(product.data(), x, m, pieces);
      lincomb(out, term{1.0, product});
    } else {
      device_array<C> partial(pieces * out.rows(), out.columns(), out.stream());
      tiles(partial.data(), x, m, pieces);
      kernels::launch(kernels::sum_products<T>, kernels::line((out.size() + kernels::threads - 1) / kernels::threads), out.stream(), out.data(),
                      partial.data(), std::int64_t(out.size()), std::uint32_t(pieces));
    }
  }

  static indices indices_like(S const& like, std::span<std::int64_t const> at) { return {at, like.stream()}; }

  static void scatter_add(S& out, S const& x, indices const& at, index_t block) {
    require(at.size() * block == x.columns() && x.rows() == out.rows(), "scatter_add: ", at.size(), " indices of blocks of ", block, " for ",
            x.rows(), " x ", x.columns(), " into ", out.rows(), " x ", out.columns());
    check_reach(at, block, out);
    on_device::check_stream(x, out);
    if (x.size() == 0) return;
    kernels::targets const hit{at.target(), at.first(), at.order(), std::uint32_t(at.targets())};
    kernels::launch(kernels::scatter_add<T>, kernels::cover(kernels::height(x.rows()), kernels::runs(at.targets() * block, 1)), out.stream(),
                    out.data(), std::int64_t(out.columns()), x.data(), std::int64_t(x.columns()), std::uint32_t(x.rows()), hit, std::uint32_t(block));
  }

  static void copy_block(S& out, index_t r, index_t c, S const& x, index_t xr, index_t xc, index_t nr, index_t nc) {
    require(
        r >= 0 && c >= 0 && xr >= 0 && xc >= 0 && r + nr <= out.rows() && c + nc <= out.columns() && xr + nr <= x.rows() && xc + nc <= x.columns(),
        "copy_block: ", nr, " x ", nc, " from (", xr, ", ", xc, ") of ", x.rows(), " x ", x.columns(), " to (", r, ", ", c, ") of ", out.rows(),
        " x ", out.columns());
    on_device::check_stream(x, out);
    T* const to = out.data() + r * out.columns() + c;
    kernels::source<T> const from{x.data() + xr * x.columns() + xc, x.columns()};
    bool const wide = kernels::aligned(from.x, from.stride, nr);
    elementwise<false>(to, {out.columns(), kernels::height(nr), nc}, false, wide, [&]<int W, bool Wide>(kernels::shape s, kernels::extent e) {
      kernels::launch(kernels::map<W, Wide, T, kernels::same, kernels::source<T>>, s, out.stream(), to, e, kernels::same{}, from);
    });
  }

  static void load(S& out, std::span<T const> in) {
    require(index_t(in.size()) == out.size(), "load: ", in.size(), " numbers into ", out.rows(), " x ", out.columns());
    on_device::copy_to_device(out.data(), in.data(), in.size_bytes(), out.stream());
  }
  template <class U> static void store(device_array<U> const& x, std::span<U> to) {
    require(index_t(to.size()) == x.size(), "store: ", x.rows(), " x ", x.columns(), " into ", to.size(), " numbers");
    if (x.size() > 0) check_cuda(cudaMemcpyAsync(to.data(), x.data(), to.size_bytes(), cudaMemcpyDeviceToHost, x.stream()));
    check_cuda(cudaStreamSynchronize(x.stream()));
  }

 private:
  static void set_zero(S& x) {
    if (x.size() > 0) check_cuda(cudaMemsetAsync(x.data(), 0, sizeof(T) * std::size_t(x.size()), x.stream()));
  }
  static bool fits(S const& x) { return x.size() < index_t{1} << 31; }  // ... into one row
  static kernels::extent whole(S const& x) { return {x.columns(), kernels::height(x.rows()), x.columns()}; }

  /// go<W, Wide>(shape, extent): one pass over a result. `flat` says rows need not be told apart; `wide` that what is read
  /// lies at 16-byte words. A random pass needs four columns a thread, a Philox block.
  template <bool Random, class Go> static void elementwise(T const* out, kernels::extent e, bool flat, bool wide, Go const& go) {
    if (e.rows == 0 || e.columns == 0) return;
    if (flat) e = {e.rows * e.columns, 1, e.rows * e.columns};
    constexpr int full = Random ? std::max(4, kernels::width<T>) : kernels::width<T>, single = Random ? 4 : 1;
    if (wide && kernels::aligned(out, e.stride, e.rows))
      go.template operator()<full, true>(kernels::cover(e.rows, kernels::runs(e.columns, full)), e);
    else go.template operator()<single, false>(kernels::cover(e.rows, kernels::runs(e.columns, single)), e);
  }

  template <class O> static void tiles(O* out, S const& x, S const& m, index_t pieces) {
    on_device::check_stream(x, m);
    kernels::product const p{kernels::height(x.rows()), kernels::height(x.columns()), kernels::height(m.columns()),
                             std::uint32_t((x.columns() + pieces - 1) / pieces)};
    auto const go = [&]<int BM, int BN, int TM, int TN> {
      dim3 const grid((p.columns + BN - 1) / BN, (p.rows + BM - 1) / BM, std::uint32_t(pieces));
      require(grid.y < 65536, "multiply: ", p.rows, " rows are too many");
      kernels::launch(kernels::multiply<BM, BN, TM, TN, T, O>, {grid, dim3(kernels::threads)}, x.stream(), out, x.data(), m.data(), p);
    };
    if (p.rows <= 8) go.template operator()<8, 128, 4, 1>();
    else go.template operator()<64, 64, 4, 4>();
  }

  static kernels::uniform<C> coefficient(double a) { return {C(a)}; }
  static kernels::per_row<C> coefficient(each<scalars> const& a) { return {a.of.data(), a.sign, a.of.rows() == 1 ? 0u : 1u}; }

  template <class A> static auto lower(term<A, S> const& t) {
    auto const a = coefficient(t.a);
    return kernels::direct<std::remove_const_t<decltype(a)>, T>{a, t.x.data(), on_device::stride(t.x)};
  }
  template <class A> static auto lower(weighted<A, S> const& t) {
    auto const a = coefficient(t.a);
    return kernels::scaled<std::remove_const_t<decltype(a)>, T>{a, t.w.data(), t.x.data(), on_device::stride(t.w), on_device::stride(t.x)};
  }
  template <class A> static auto lower(gathered<A, S> const& t) {
    auto const a = coefficient(t.a);
    bool const wide_runs = t.block * index_t(sizeof(T)) % 16 == 0 && kernels::aligned(t.x.data(), t.x.columns(), t.x.rows());
    return kernels::picked<std::remove_const_t<decltype(a)>, T>{a, t.x.data(), on_device::stride(t.x), t.at.at(), std::uint32_t(t.block), wide_runs};
  }
  static auto lower(noise const& t) { return kernels::random<C>{C(t.a), t.k}; }

  // Rows need not be told apart where every term goes through memory as the result does.
  template <class A> static bool is_flat(term<A, S> const& t, S const& out) { return std::same_as<A, double> && t.x.rows() == out.rows(); }
  template <class A> static bool is_flat(weighted<A, S> const& t, S const& out) {
    return std::same_as<A, double> && t.w.rows() == out.rows() && t.x.rows() == out.rows();
  }
  template <class A> static bool is_flat(gathered<A, S> const&, S const& out) { return out.rows() == 1; }
  static bool is_flat(noise const&, S const& out) { return out.rows() == 1; }

  static bool is_wide(S const& x, bool flat) { return kernels::aligned(x.data(), x.columns(), flat ? 1 : x.rows()); }
  template <class A> static bool is_wide(term<A, S> const& t, bool flat) { return is_wide(t.x, flat); }
  template <class A> static bool is_wide(weighted<A, S> const& t, bool flat) { return is_wide(t.w, flat) && is_wide(t.x, flat); }
  template <class A> static bool is_wide(gathered<A, S> const&, bool) { return true; }
  static bool is_wide(noise const&, bool) { return true; }

  static void check_shape(S const& x, index_t n, S const& out) {
    require(n == out.columns() && (x.rows() == out.rows() || x.rows() == 1), "lincomb: a term of ", x.rows(), " x ", n, " for a result of ",
            out.rows(), " x ", out.columns());
    on_device::check_stream(x, out);
  }
  static void check_coefficient(double, S const&) {}
  static void check_coefficient(each<scalars> const& a, S const& out) {
    require(a.of.columns() == 1 && (a.of.rows() == out.rows() || a.of.rows() == 1), "lincomb: ", a.of.rows(), " x ", a.of.columns(),
            " coefficients for ", out.rows(), " rows");
    on_device::check_stream(a.of, out);
  }
  static void check_reach(indices const& at, index_t block, S const& x) {
    require(at.reach() * block <= x.columns(), "indices reach to column ", at.reach() * block, " of ", x.columns());
  }
  template <class A> static void check(term<A, S> const& t, S const& out) {
    check_shape(t.x, t.x.columns(), out);
    check_coefficient(t.a, out);
  }
  template <class A> static void check(weighted<A, S> const& t, S const& out) {
    check_shape(t.w, t.w.columns(), out);
    check_shape(t.x, t.x.columns(), out);
    check_coefficient(t.a, out);
  }
  template <class A> static void check(gathered<A, S> const& t, S const& out) {
    check_shape(t.x, t.at.size() * t.block, out);
    check_coefficient(t.a, out);
    check_reach(t.at, t.block, t.x);
    require(&t.x != &out, "lincomb: a gathered term may not be the result");
  }
  static void check(noise const&, S const&) {}
};

}  // namespace sda
