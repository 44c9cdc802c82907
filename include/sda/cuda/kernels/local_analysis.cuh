// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/cuda/kernels/elementwise.cuh>

#include <cmath>

namespace sda::kernels {

/// Threads that share one small eigenproblem.
inline constexpr int team = 128;

/// The pair that player k of `players` / 2 plays in a round of a tournament where everybody meets everybody once.
struct duel {
  int p, q;
};
__device__ inline duel tournament(int players, int round, int k) {
  int const ring = players - 1, p = k == 0 ? ring : (round + k) % ring, q = (round + ring - k) % ring;
  return p < q ? duel{p, q} : duel{q, p};
}

/// i / by for i < 2^13 and by <= 128, without a division: a small matrix is walked by threads that find their place often.
struct divider {
  unsigned by, magic;
  __device__ explicit divider(int d) : by(unsigned(d)), magic(((1u << 20) + unsigned(d) - 1) / unsigned(d)) {}
  struct place {
    int quotient, rest;
  };
  __device__ place operator()(int i) const {
    unsigned const q = (unsigned(i) * magic) >> 20;
    return {int(q), i - int(q * by)};
  }
};

/// The rotation of a pair that annihilates a(p, q): cosine, sine and tangent; nothing where one of the two sits out.
template <class C> struct rotation {
  duel of;
  C c, s, t;
};
template <class C> __device__ inline rotation<C> annihilate(duel of, C pp, C qq, C pq) {
  using std::copysign;
  using std::fabs;
  using std::sqrt;
  if (pq == 0) return {of, C(1), C(0), C(0)};
  C const twice = 2 * pq, gap = qq - pp, t = twice / copysign(fabs(gap) + sqrt(gap * gap + twice * twice), gap), c = 1 / sqrt(1 + t * t);
  return {of, c, t * c, t};
}

/// Jacobi's method by a team, in shared memory: n/2 disjoint rotations at a time. The diagonal of `a` becomes the eigenvalues,
/// row k of `v` the eigenvector of a(k, k).
template <int N, class C> __device__ inline void team_jacobi(C (&a)[N][N + 1], C (&v)[N][N + 1], int n, int sweeps) {
  __shared__ rotation<C> turn[N / 2 + 1];
  int const me = int(threadIdx.x), players = n + n % 2, pairs = players / 2;
  divider const by_size(n), by_pairs(pairs);
  for (int i = me; i < n * n; i += team) v[by_size(i).quotient][by_size(i).rest] = C(by_size(i).quotient == by_size(i).rest);
  __syncthreads();
  for (int round = 0, rounds = sweeps * (players - 1); round < rounds; ++round) {
    for (int k = me; k < pairs; k += team) {
      duel const d = tournament(players, round % (players - 1), k);
      turn[k] = d.q < n ? annihilate(d, a[d.p][d.p], a[d.q][d.q], a[d.p][d.q]) : rotation<C>{d, C(1), C(0), C(0)};
    }
    __syncthreads();
    for (int i = me; i < pairs * pairs; i += team) {  // the 2 x 2 block where two pairs cross: rows by one, columns by the other
      auto const [k, l] = by_pairs(i);
      rotation<C> const f = turn[k], g = turn[l];
      int const p = f.of.p, q = f.of.q, x = g.of.p, y = g.of.q;
      if (k == l) {
        if (q >= n) continue;
        C const moved = f.t * a[p][q];
        a[p][p] -= moved, a[q][q] += moved, a[p][q] = a[q][p] = C(0);
        continue;
      }
      bool const low = q < n, right = y < n;  // an odd player sits out: row q, column y may not exist
      C const px = a[p][x], py = right ? a[p][y] : C(0), qx = low ? a[q][x] : C(0), qy = low && right ? a[q][y] : C(0);
      C const ux = f.c * px - f.s * qx, uy = f.c * py - f.s * qy, wx = f.s * px + f.c * qx, wy = f.s * py + f.c * qy;
      a[p][x] = g.c * ux - g.s * uy;
      if (right) a[p][y] = g.s * ux + g.c * uy;
      if (low) a[q][x] = g.c * wx - g.s * wy;
      if (low && right) a[q][y] = g.s * wx + g.c * wy;
    }
    for (int i = me; i < pairs * n; i += team) {
      auto const [k, j] = by_size(i);
      rotation<C> const f = turn[k];
      if (f.of.q >= n) continue;
      C const x = v[f.of.p][j], y = v[f.of.q][j];
      v[f.of.p][j] = f.c * x - f.s * y;
      v[f.of.q][j] = f.s * x + f.c * y;
    }
    __syncthreads();
  }
}

/// What reaches each column: observations observation[first[c]] ... observation[first[c + 1] - 1] with their tapers.
template <class C> struct reach {
  std::int64_t const* first;
  std::int32_t const* observation;
  C const* taper;
};

/// LETKF's analysis of one column by one team (Hunt et al., 2007): x <- U √((n-1)/(n-1+λ)) Uᵀ x, shift = x·A⁻¹ g, with
/// S = U λ Uᵀ = Σ_o τ_o y_o y_oᵀ / r_o and A = n - 1 + S. Reads (n + 2) sizeof(T) an observation and column, moves 2 n sizeof(T) a column.
template <int N, class T, class C = compute_t<T>>
__global__ void __launch_bounds__(team) local_analysis(T* x, T* shift, std::uint32_t columns, T const* seen, T const* precision, T const* innovation,
                                                       std::int64_t observations, reach<C> near, int n, int sweeps) {
  constexpr int tile = 8;
  __shared__ C a[N][N + 1], v[N][N + 1], y[tile][N], weight[tile], g[N], own[N], ux[N], part[N];
  int const me = int(threadIdx.x);
  divider const by_size(n);
  for (std::uint32_t column = blockIdx.x; column < columns; column += gridDim.x) {
    for (int i = me; i < n * n; i += team) a[by_size(i).quotient][by_size(i).rest] = C(0);
    for (int i = me; i < n; i += team) g[i] = C(0), own[i] = static_cast<C>(x[std::size_t(i) * columns + column]);
    std::int64_t const last = near.first[column + 1];
    for (std::int64_t e = near.first[column]; e < last; e += tile) {
      int const m = int(last - e < tile ? last - e : tile);
      __syncthreads();
      for (int i = me; i < m * n; i += team) {
        auto const [o, member] = by_size(i);
        y[o][member] = static_cast<C>(seen[member * observations + near.observation[e + o]]);
      }
      for (int i = me; i < m; i += team) weight[i] = near.taper[e + i] * static_cast<C>(precision[near.observation[e + i]]);
      __syncthreads();
      for (int i = me; i < n * n; i += team) {
        auto const [r, c] = by_size(i);
        C sum = a[r][c];
        for (int o = 0; o < m; ++o) sum += weight[o] * (y[o][r] * y[o][c]);  // symmetric to the last bit
        a[r][c] = sum;
      }
      for (int i = me; i < n; i += team)
        for (int o = 0; o < m; ++o) g[i] += weight[o] * y[o][i] * static_cast<C>(innovation[near.observation[e + o]]);
    }
    __syncthreads();
    team_jacobi<N>(a, v, n, sweeps);
    C const freedom = C(n - 1);
    for (int k = me; k < n; k += team) {
      using std::sqrt;
      C along = 0, pull = 0;
      for (int i = 0; i < n; ++i) along += v[k][i] * own[i], pull += v[k][i] * g[i];
      C const spread = freedom + (a[k][k] > 0 ? a[k][k] : C(0));
      part[k] = along * pull / spread;
      ux[k] = along * sqrt(freedom / spread);
    }
    __syncthreads();
    for (int i = me; i < n; i += team) {
      C sum = 0;
      for (int k = 0; k < n; ++k) sum += v[k][i] * ux[k];
      x[std::size_t(i) * columns + column] = static_cast<T>(sum);
    }
    if (me == 0) {
      C sum = 0;
      for (int k = 0; k < n; ++k) sum += part[k];
      shift[column] = static_cast<T>(sum);
    }
    __syncthreads();
  }
}

}  // namespace sda::kernels
