// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/random.hpp>
#include <sda/cuda/kernels/launch.cuh>

#include <utility>

namespace sda::kernels {

// Coefficients, rounded once to what elements are computed in.
template <class C> struct uniform {
  C a;
  __device__ C at(std::uint32_t) const { return a; }
};
template <class C> struct per_row {
  double const* a;
  double sign;
  std::uint32_t step;  // 0: one number for all rows
  __device__ C at(std::uint32_t r) const { return C(sign * a[std::size_t(r) * step]); }
};

// Terms as a kernel sees them. row(r) fetches what a row's elements share; add() then adds elements [c, c + n) to y.

/// Reads sizeof(T) a result.
template <class A, class T> struct direct {
  A a;
  T const* x;
  std::int64_t stride;
  struct in_row {
    compute_t<T> a;
    T const* x;
    template <bool Wide, int W> __device__ void add(compute_t<T> (&y)[W], std::int64_t c, int n) const {
      compute_t<T> v[W];
      read<Wide>(v, x + c, n);
      for (int i = 0; i < W; ++i) y[i] += a * v[i];
    }
  };
  __device__ in_row row(std::uint32_t r) const { return {a.at(r), x + r * stride}; }
};

/// Reads 2 sizeof(T) a result.
template <class A, class T> struct scaled {
  A a;
  T const* w;
  T const* x;
  std::int64_t w_stride, x_stride;
  struct in_row {
    compute_t<T> a;
    T const* w;
    T const* x;
    template <bool Wide, int W> __device__ void add(compute_t<T> (&y)[W], std::int64_t c, int n) const {
      compute_t<T> u[W], v[W];
      read<Wide>(u, w + c, n);
      read<Wide>(v, x + c, n);
      for (int i = 0; i < W; ++i) y[i] += a * u[i] * v[i];
    }
  };
  __device__ in_row row(std::uint32_t r) const { return {a.at(r), w + r * w_stride, x + r * x_stride}; }
};

/// Reads sizeof(T) + 4 a result (4 / block when whole runs are gathered), the sizeof(T) wherever they lie.
template <class A, class T> struct picked {
  A a;
  T const* x;
  std::int64_t stride;
  std::int32_t const* at;
  std::uint32_t block;
  bool wide_runs;  // runs, and the rows of x, begin at 16-byte words
  struct in_row {
    compute_t<T> a;
    T const* x;
    std::int32_t const* at;
    std::uint32_t block;
    bool wide_runs;
    template <bool Wide, int W> __device__ void add(compute_t<T> (&y)[W], std::int64_t c, int n) const {
      compute_t<T> v[W];
      if (block == 1) {
        std::int32_t i[W];
        read<Wide && W % 4 == 0>(i, at + c, n);
        for (int j = 0; j < W; ++j) v[j] = j < n ? compute_t<T>(x[i[j]]) : compute_t<T>(0);
      } else if (wide_runs && std::uint32_t(c) % block + W <= block) {
        std::uint32_t const run = std::uint32_t(c) / block;
        read<Wide>(v, x + at[run] * std::int64_t(block) + (std::uint32_t(c) - run * block), n);
      } else {
        for (int j = 0; j < W; ++j) v[j] = j < n ? compute_t<T>(x[source(std::uint32_t(c) + j)]) : compute_t<T>(0);
      }
      for (int j = 0; j < W; ++j) y[j] += a * v[j];
    }
    __device__ std::int64_t source(std::uint32_t c) const {
      std::uint32_t const run = c / block;
      return at[run] * std::int64_t(block) + (c - run * block);
    }
  };
  __device__ in_row row(std::uint32_t r) const { return {a.at(r), x + r * stride, at, block, wide_runs}; }
};

/// Reads nothing: one Philox block for every four columns. Needs W to be a multiple of four.
template <class C> struct random {
  C a;
  key k;
  struct in_row {
    C a;
    key k;
    std::uint32_t r;
    template <bool Wide, int W> __device__ void add(C (&y)[W], std::int64_t c, int) const {
      static_assert(W % 4 == 0);
      for (int q = 0; q < W; q += 4) {
        C z[4];
        normal_quantiles(k(r, std::uint32_t((c + q) / 4)), z);
        for (int i = 0; i < 4; ++i) y[q + i] += a * z[i];
      }
    }
  };
  __device__ in_row row(std::uint32_t r) const { return {a, k, r}; }
};

/// body(c, n) for this thread's runs of a row: n = W columns from c on, the last one shorter.
template <int W, class Body> __device__ inline void each_run(std::int64_t columns, Body const& body) {
  std::uint32_t const runs = std::uint32_t((columns + W - 1) / W);
  for (std::uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < runs; i += gridDim.x * blockDim.x) {
    std::int64_t const c = std::int64_t(i) * W;
    body(c, int(columns - c < W ? columns - c : W));
  }
}
template <class Body> __device__ inline void each_row(std::uint32_t height, Body const& body) {
  for (std::uint32_t r = blockIdx.y * blockDim.y + threadIdx.y; r < height; r += gridDim.y * blockDim.y) body(r);
}

/// out = the sum of the terms. Writes sizeof(T) an element and reads what the terms read.
template <int W, bool Wide, class T, class... Term>
__global__ void __launch_bounds__(threads) sum(T* out, extent e, Term... terms) {
  each_row(e.rows, [&](std::uint32_t r) {
    auto const in_row = [&](auto const&... term) {
      each_run<W>(e.columns, [&](std::int64_t c, int n) {
        compute_t<T> y[W] = {};
        (term.template add<Wide>(y, c, n), ...);
        write<Wide>(out + r * e.stride + c, y, n);
      });
    };
    in_row(terms.row(r)...);
  });
}

/// A matrix that is read: one row counts for all when stride is 0.
template <class T> struct source {
  T const* x;
  std::int64_t stride;
};

/// What a copy does.
struct same {
  template <class C> __device__ C operator()(C const& x) const { return x; }
};

/// out = f(x...), element by element. Writes sizeof(T) an element and reads as much from every argument.
template <int W, bool Wide, class T, class F, std::size_t... I, class... X>
__device__ inline void map_rows(T* out, extent e, F const& f, std::index_sequence<I...>, X const&... x) {
  each_row(e.rows, [&](std::uint32_t r) {
    each_run<W>(e.columns, [&](std::int64_t c, int n) {
      compute_t<T> v[sizeof...(X)][W], y[W];
      (read<Wide>(v[I], x.x + r * x.stride + c, n), ...);
      for (int i = 0; i < W; ++i) y[i] = static_cast<compute_t<T>>(f(v[I][i]...));
      write<Wide>(out + r * e.stride + c, y, n);
    });
  });
}
template <int W, bool Wide, class T, class F, class... X> __global__ void __launch_bounds__(threads) map(T* out, extent e, F f, X... x) {
  map_rows<W, Wide>(out, e, f, std::index_sequence_for<X...>{}, x...);
}

}  // namespace sda::kernels
