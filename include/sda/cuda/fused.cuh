// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/small_matrix.hpp>
#include <sda/cuda/indices.hpp>
#include <sda/cuda/kernels/cg.cuh>
#include <sda/cuda/kernels/dot.cuh>
#include <sda/cuda/kernels/ensf.cuh>
#include <sda/cuda/kernels/local_analysis.cuh>
#include <sda/filter/localisation.hpp>
#include <sda/state/terms.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <span>
#include <vector>

namespace sda {

/// What a device computes with; half and bfloat16 are stored so and computed in float.
template <class T> concept device_element =
    std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, __half> || std::same_as<T, __nv_bfloat16>;

/// The host's side of the wing: from states to the pointers and sizes of kernels.
namespace on_device {

/// A state of one row stands in for every row: its stride is 0.
template <class T> std::int64_t stride(device_array<T> const& x) { return x.rows() == 1 ? 0 : x.columns(); }
template <class T> kernels::source<T> source(device_array<T> const& x) { return {x.data(), stride(x)}; }
template <class T> bool is_wide(device_array<T> const& x) { return kernels::aligned(x.data(), x.columns(), x.rows()); }

template <class A, class B> void check_stream(device_array<A> const& x, device_array<B> const& out) {
  require(x.stream() == out.stream(), "cuda: states of one expression share one stream");
}
template <class T> void check_term(device_array<T> const& x, device_array<T> const& out, char const* what) {
  require(x.columns() == out.columns() && (x.rows() == out.rows() || x.rows() == 1), what, ": ", x.rows(), " x ", x.columns(), " for ", out.rows(),
          " x ", out.columns());
  check_stream(x, out);
}

/// partial sums of x·y, row by row, over `pieces` pieces of the columns.
template <int G, class T> void dot_pieces(device_array<double>& partial, device_array<T> const& x, device_array<T> const& y, index_t pieces) {
  check_stream(x, y);
  index_t const tall = partial.rows();
  if (tall == 0) return;
  auto const go = [&]<bool Wide> {
    kernels::launch(kernels::dot_pieces<G, Wide, T>, kernels::line((tall * pieces * G + kernels::threads - 1) / kernels::threads), x.stream(),
                    partial.data(), x.data(), stride(x), y.data(), stride(y), std::uint32_t(tall), std::int64_t(x.columns()), std::uint32_t(pieces));
  };
  if (is_wide(x) && is_wide(y)) go.template operator()<true>();
  else go.template operator()<false>();
}
/// ... and their sum, one number a row.
inline device_array<double> sum_pieces(device_array<double> const& partial) {
  device_array<double> out(partial.rows(), 1, partial.stream());
  if (out.rows() > 0)
    kernels::launch(kernels::sum_pieces<>, kernels::line(out.rows()), out.stream(), out.data(), partial.data(), std::uint32_t(out.rows()),
                    std::uint32_t(partial.columns()));
  return out;
}
inline index_t pieces_of(index_t columns) { return columns <= kernels::dot_short ? 1 : (columns + kernels::dot_piece - 1) / kernels::dot_piece; }
template <class T> device_array<double> dot(device_array<T> const& x, device_array<T> const& y) {
  device_array<double> partial(std::max(x.rows(), y.rows()), pieces_of(x.columns()), x.stream());
  require(partial.size() < index_t{1} << 31, "dot: ", partial.rows(), " x ", x.columns(), " is too much");
  if (partial.columns() == 1) return dot_pieces<32>(partial, x, y, 1), partial;
  dot_pieces<kernels::threads>(partial, x, y, partial.columns());
  return sum_pieces(partial);
}

/// The steps that a device makes in fewer passes over memory than their generic text, which is their definition and oracle.
template <device_element T> struct fused {
  using S = device_array<T>;
  using C = kernels::compute_t<T>;

  /// Of conjugate gradients: two passes (and p·q) instead of five.
  static device_array<double> cg_step(S& x, S& r, S& p, S const& q, device_array<double> const& rr) {
    for (S const* s : {static_cast<S const*>(&x), static_cast<S const*>(&r), &q}) check_term(*s, p, "cg_step");
    require(x.rows() == p.rows() && r.rows() == p.rows() && q.rows() == p.rows() && rr.rows() == p.rows(), "cg_step: rows differ");
    auto const pq = dot(p, q);
    device_array<double> partial(x.rows(), pieces_of(x.columns()), x.stream());
    if (partial.size() == 0) return zeros_of(rr);
    bool const wide = is_wide(x) && is_wide(r) && is_wide(p) && is_wide(q);
    index_t const items = partial.size();
    auto const go = [&]<int G, bool Wide> {
      kernels::launch(kernels::cg_advance<G, Wide, T>, kernels::line((items * G + kernels::threads - 1) / kernels::threads), x.stream(),
                      partial.data(), x.data(), r.data(), p.data(), q.data(), rr.data(), pq.data(), std::uint32_t(x.rows()),
                      std::int64_t(x.columns()), std::uint32_t(partial.columns()));
    };
    if (partial.columns() == 1) wide ? go.template operator()<32, true>() : go.template operator()<32, false>();
    else wide ? go.template operator()<kernels::threads, true>() : go.template operator()<kernels::threads, false>();
    auto next = partial.columns() == 1 ? partial : sum_pieces(partial);
    auto const turn = [&]<int W, bool Wide> {
      kernels::launch(kernels::cg_turn<W, Wide, T>, kernels::cover(std::uint32_t(p.rows()), kernels::runs(p.columns(), W)), p.stream(), p.data(),
                      r.data(), next.data(), rr.data(), std::uint32_t(p.rows()), std::int64_t(p.columns()));
    };
    wide ? turn.template operator()<kernels::width<T>, true>() : turn.template operator()<1, false>();
    return next;
  }

  /// Inner products of every pair of rows, row-major on the host: one dot of all rows of x for each row of y, and a single wait.
  static std::vector<double> gram(S const& x, S const& y) {
    require(x.columns() == y.columns(), "gram: ", x.rows(), " x ", x.columns(), " against ", y.rows(), " x ", y.columns());
    std::vector<device_array<double>> products;
    for (index_t s = 0; s < y.rows(); ++s) {
      // a row of y, lent by it
      T* const at = const_cast<T*>(y.data()) + s * y.columns();
      products.push_back(dot(x, device_array<T>(at, 1, y.columns(), y.stream(), nullptr)));
    }
    small_matrix by_column(y.rows(), x.rows());
    for (index_t s = 0; s < y.rows() && x.rows() > 0; ++s)
      check_cuda(
          cudaMemcpyAsync(by_column[s], products[std::size_t(s)].data(), sizeof(double) * std::size_t(x.rows()), cudaMemcpyDeviceToHost, x.stream()));
    check_cuda(cudaStreamSynchronize(x.stream()));
    return transposed(by_column).elements;
  }

  /// EnSF's walk of every particle z along `steps`, its member in the same row of `own`; y and precision have one row, or
  /// one a particle.
  template <class H>
  static void ensf_walk(S& z, S const& own, S const& y, S const& precision, H const& h, std::span<ensf_step<double> const> steps) {
    for (S const* s : {&own, &y, &precision}) check_term(*s, z, "ensf_walk");
    if (z.size() == 0) return;
    std::vector<ensf_step<C>> rounded;
    for (auto const& s : steps) rounded.push_back({C(s.alpha), C(s.precision), C(s.trust), C(s.keep), C(s.push), C(s.kick), s.draw});
    auto const table = on_device_copy(std::span<ensf_step<C> const>(rounded), z.stream());
    auto const go = [&]<bool Wide> {
      kernels::launch(kernels::ensf_walks<Wide, T, H>, kernels::cover(kernels::height(z.rows()), kernels::runs(z.columns(), 4)), z.stream(), z.data(),
                      kernels::extent{z.columns(), kernels::height(z.rows()), z.columns()}, source(own), source(y), source(precision), h,
                      table.data(), int(steps.size()));
    };
    if (is_wide(z) && is_wide(own) && is_wide(y) && is_wide(precision)) go.template operator()<true>();
    else go.template operator()<false>();
  }

  /// LETKF's analyses of all columns: anomalies x (N rows) and the increment of their mean, from the anomalies `seen`, one row
  /// of precisions and one of innovations. False, and nothing done, for more members than a block's memory holds.
  static bool analyse_columns(S& x, S& shift, localisation const& near, S const& seen, S const& precision, S const& innovation) {
    constexpr int most = sizeof(C) == 8 ? 48 : 72;
    index_t const n = x.rows(), m = x.columns(), p = seen.columns();
    if (n > most) return false;
    require(near.columns_covered() == m && shift.rows() == 1 && shift.columns() == m && seen.rows() == n && precision.size() == p &&
                innovation.size() == p,
            "analyse_columns: shapes do not fit, ", n, " x ", m, " anomalies and ", seen.rows(), " x ", p, " seen");
    std::vector<std::int32_t> const observation(near.observation.begin(), near.observation.end());
    std::vector<C> const taper(near.taper.begin(), near.taper.end());
    auto const first = on_device_copy(std::span<std::int64_t const>(near.first), x.stream());
    auto const who = on_device_copy(std::span<std::int32_t const>(observation), x.stream());
    auto const weight = on_device_copy(std::span<C const>(taper), x.stream());
    // 6 sweeps are exact to rounding up to 10 members; one more for every doubling beyond, and one for the order of a tournament
    int const sweeps = 7 + std::max(0, int(std::ceil(std::log2(double(n) / 10))));
    auto const go = [&]<int N> {
      kernels::launch(kernels::local_analysis<N, T>, {dim3(kernels::line(m).grid.x), dim3(kernels::team)}, x.stream(), x.data(), shift.data(),
                      kernels::runs(m, 1), seen.data(), precision.data(), innovation.data(), std::int64_t(p),
                      kernels::reach<C>{first.data(), who.data(), weight.data()}, int(n), sweeps);
    };
    if (m == 0) return true;
    n <= 16 ? go.template operator()<16>() : n <= 40 ? go.template operator()<40>() : go.template operator()<most>();
    return true;
  }

 private:
  template <class U> static device_array<U> on_device_copy(std::span<U const> x, cudaStream_t stream) {
    device_array<U> y(1, index_t(x.size()), stream);
    copy_to_device(y.data(), x.data(), x.size_bytes(), stream);
    return y;
  }
  static device_array<double> zeros_of(device_array<double> const& like) {
    device_array<double> x(like.rows(), like.columns(), like.stream());
    if (x.size() > 0) check_cuda(cudaMemsetAsync(x.data(), 0, sizeof(double) * std::size_t(x.size()), x.stream()));
    return x;
  }
};

}  // namespace on_device
}  // namespace sda
