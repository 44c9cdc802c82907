// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/cuda/kernels/launch.cuh>

#include <cmath>

namespace sda::kernels {

/// A product's sizes: (rows x inner) times (inner x columns), inner cut into pieces of `piece`.
struct product {
  std::uint32_t rows, inner, columns, piece;
};

/// out[p] = x m over inner indices [p, p + 1) piece, p = blockIdx.z. One thread owns an element and adds in the order of
/// the inner index, whatever the tile: rows come out the same in any batch. Reads x columns/BN times, m rows/BM times.
template <int BM, int BN, int TM, int TN, class T, class O>
__global__ void __launch_bounds__(threads) multiply(O* out, T const* x, T const* m, product p) {
  static_assert(BM * BN == threads * TM * TN);
  using std::fma;
  using C = compute_t<T>;
  constexpr int BK = 16;
  __shared__ C left[BK][BM + 1], right[BK][BN];
  int const tx = int(threadIdx.x) % (BN / TN), ty = int(threadIdx.x) / (BN / TN);
  std::uint32_t const r0 = blockIdx.y * BM, c0 = blockIdx.x * BN, k0 = blockIdx.z * p.piece;
  std::uint32_t const k1 = p.inner - k0 < p.piece ? p.inner : k0 + p.piece;
  C sum[TM][TN] = {};
  for (std::uint32_t k = k0; k < k1; k += BK) {
    for (int i = int(threadIdx.x); i < BM * BK; i += threads) {
      std::uint32_t const r = r0 + std::uint32_t(i / BK), kk = k + std::uint32_t(i % BK);
      left[i % BK][i / BK] = r < p.rows && kk < k1 ? static_cast<C>(x[std::size_t(r) * p.inner + kk]) : C(0);
    }
    for (int i = int(threadIdx.x); i < BN * BK; i += threads) {
      std::uint32_t const kk = k + std::uint32_t(i / BN), c = c0 + std::uint32_t(i % BN);
      right[i / BN][i % BN] = c < p.columns && kk < k1 ? static_cast<C>(m[std::size_t(kk) * p.columns + c]) : C(0);
    }
    __syncthreads();
    for (int kk = 0; kk < BK; ++kk) {
      C a[TM], b[TN];
      for (int i = 0; i < TM; ++i) a[i] = left[kk][ty + i * (BM / TM)];
      for (int j = 0; j < TN; ++j) b[j] = right[kk][tx + j * (BN / TN)];
      for (int i = 0; i < TM; ++i)
        for (int j = 0; j < TN; ++j) sum[i][j] = fma(a[i], b[j], sum[i][j]);
    }
    __syncthreads();
  }
  for (int i = 0; i < TM; ++i)
    for (int j = 0; j < TN; ++j) {
      std::uint32_t const r = r0 + std::uint32_t(ty + i * (BM / TM)), c = c0 + std::uint32_t(tx + j * (BN / TN));
      if (r < p.rows && c < p.columns) out[(std::size_t(blockIdx.z) * p.rows + r) * p.columns + c] = static_cast<O>(sum[i][j]);
    }
}

/// out = the sum of `pieces` arrays of n elements, in order. Reads sizeof(C) an element and piece, writes sizeof(T).
template <class T>
__global__ void __launch_bounds__(threads) sum_products(T* out, compute_t<T> const* partial, std::int64_t n, std::uint32_t pieces) {
  for (std::int64_t i = std::int64_t(blockIdx.x) * threads + threadIdx.x; i < n; i += std::int64_t(gridDim.x) * threads) {
    compute_t<T> total = 0;
    for (std::uint32_t p = 0; p < pieces; ++p) total += partial[p * n + i];
    out[i] = static_cast<T>(total);
  }
}

}  // namespace sda::kernels
