// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/cuda/kernels/dot.cuh>
#include <sda/cuda/kernels/elementwise.cuh>

namespace sda::kernels {

/// a / b, and 0 where b is 0: a row that has converged stops moving.
__device__ inline double ratio(double a, double b) { return b != 0 ? a / b : 0; }

/// x += s p, r -= s q with s = rr / pq, and partial[row, piece] = r·r of the new r. Reads 4 and writes 2 sizeof(T) an element.
template <int G, bool Wide, class T>
__global__ void __launch_bounds__(threads) cg_advance(double* partial, T* x, T* r, T const* p, T const* q, double const* rr, double const* pq,
                                                      std::uint32_t height, std::int64_t columns, std::uint32_t pieces) {
  using C = compute_t<T>;
  constexpr int W = width<T>;
  each_piece<G, W>(partial, height, columns, pieces, [&](std::uint32_t row, std::int64_t c, int n, double(&lanes)[W]) {
    C const s = C(ratio(rr[row], pq[row]));
    std::int64_t const at = row * columns + c;
    C xs[W], rs[W], ps[W], qs[W];
    read<Wide>(xs, x + at, n);
    read<Wide>(rs, r + at, n);
    read<Wide>(ps, p + at, n);
    read<Wide>(qs, q + at, n);
    for (int i = 0; i < W; ++i) xs[i] += s * ps[i], rs[i] -= s * qs[i];
    write<Wide>(x + at, xs, n);
    write<Wide>(r + at, rs, n);
    for (int i = 0; i < W; ++i) {
      double const kept = double(static_cast<C>(static_cast<T>(rs[i])));  // as a dot of the stored r would see it
      lanes[i] += kept * kept;
    }
  });
}

/// p = r + (next / rr) p. Reads 2 and writes 1 sizeof(T) an element.
template <int W, bool Wide, class T>
__global__ void __launch_bounds__(threads)
    cg_turn(T* p, T const* r, double const* next, double const* rr, std::uint32_t height, std::int64_t columns) {
  using C = compute_t<T>;
  each_row(height, [&](std::uint32_t row) {
    C const t = C(ratio(next[row], rr[row]));
    each_run<W>(columns, [&](std::int64_t c, int n) {
      std::int64_t const at = row * columns + c;
      C ps[W], rs[W];
      read<Wide>(ps, p + at, n);
      read<Wide>(rs, r + at, n);
      for (int i = 0; i < W; ++i) ps[i] = rs[i] + t * ps[i];
      write<Wide>(p + at, ps, n);
    });
  });
}

}  // namespace sda::kernels
