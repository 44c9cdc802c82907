// SPDX-License-Identifier: Apache-2.0
// The eigenproblems of a LETKF, many small symmetric matrices at once: the wing's Jacobi in shared memory, as its local analysis calls it,
// against cuSOLVER's batched solvers, which take and leave matrices in device memory. `eigenproblems SCALE` divides the number of matrices.
#include "measured.cuh"

#include <cusolverDn.h>
#include <cstdlib>

namespace bench {

/// Overwrites every n x n matrix by its eigenvectors, by the part below the diagonal.
template <int N, class T>
__global__ void __launch_bounds__(kernels::team) jacobi(T* matrices, T* values, int count, int n, int sweeps) {
  __shared__ T a[N][N + 1], v[N][N + 1];
  int const me = int(threadIdx.x);
  for (int m = int(blockIdx.x); m < count; m += int(gridDim.x)) {
    T* const x = matrices + std::size_t(m) * n * n;
    for (int i = me; i < n * n; i += kernels::team) {
      int const r = i / n, c = i % n;
      a[r][c] = r < c ? x[c * n + r] : x[i];
    }
    __syncthreads();
    kernels::team_jacobi<N>(a, v, n, sweeps);
    for (int i = me; i < n * n; i += kernels::team) x[i] = v[i / n][i % n];
    for (int i = me; i < n; i += kernels::team) values[std::size_t(m) * n + i] = a[i][i];
    __syncthreads();
  }
}

inline void check_cusolver(cusolverStatus_t s) { require(s == CUSOLVER_STATUS_SUCCESS, "cusolver: status ", int(s)); }

template <int N> void eigenproblems(int count, int n) {
  auto const fresh = drawn<float>(count, n * n, 1);
  auto a = sda::clone(fresh);
  device_array<float> values(count, n, stream());
  std::string const of = std::to_string(count) + " of " + std::to_string(n) + " x " + std::to_string(n);
  // Every call starts from the same matrices; the copy, 8 bytes an element, is in all figures.
  auto const fact_of = [&](char const* what, auto const& solve) {
    fact(of + ", " + what,
         seconds(
             [&] {
               lincomb(a, term{1.0, fresh});
               solve();
             },
             3, 1),
         "s");
  };
  int const sweeps = 9;  // what the local analysis takes for 40 members
  fact_of("Jacobi in shared memory", [&] {
    kernels::launch(jacobi<N, float>, {dim3(kernels::line(count).grid.x), dim3(kernels::team)}, stream(), a.data(), values.data(), count, n, sweeps);
  });

  cusolverDnHandle_t handle{};
  check_cusolver(cusolverDnCreate(&handle));
  check_cusolver(cusolverDnSetStream(handle, stream()));
  device_array<int> info(1, count, stream());
  {
    syevjInfo_t how{};
    check_cusolver(cusolverDnCreateSyevjInfo(&how));
    int length = 0;
    check_cusolver(cusolverDnSsyevjBatched_bufferSize(handle, CUSOLVER_EIG_MODE_VECTOR, CUBLAS_FILL_MODE_UPPER, n, a.data(), n, values.data(),
                                                      &length, how, count));
    device_array<float> work(1, length, stream());
    fact_of("cusolverDnSsyevjBatched", [&] {
      check_cusolver(cusolverDnSsyevjBatched(handle, CUSOLVER_EIG_MODE_VECTOR, CUBLAS_FILL_MODE_UPPER, n, a.data(), n, values.data(), work.data(),
                                             length, info.data(), how, count));
    });
    check_cusolver(cusolverDnDestroySyevjInfo(how));
  }
#if CUDART_VERSION >= 13000
  {
    cusolverDnParams_t how{};
    check_cusolver(cusolverDnCreateParams(&how));
    std::size_t on_device = 0, on_host = 0;
    check_cusolver(cusolverDnXsyevBatched_bufferSize(handle, how, CUSOLVER_EIG_MODE_VECTOR, CUBLAS_FILL_MODE_UPPER, n, CUDA_R_32F, a.data(), n,
                                                     CUDA_R_32F, values.data(), CUDA_R_32F, &on_device, &on_host, count));
    device_array<char> work(1, index_t(on_device), stream());
    std::vector<char> host_work(on_host);
    fact_of("cusolverDnXsyevBatched", [&] {
      check_cusolver(cusolverDnXsyevBatched(handle, how, CUSOLVER_EIG_MODE_VECTOR, CUBLAS_FILL_MODE_UPPER, n, CUDA_R_32F, a.data(), n, CUDA_R_32F,
                                            values.data(), CUDA_R_32F, work.data(), on_device, host_work.data(), on_host, info.data(), count));
    });
    check_cusolver(cusolverDnDestroyParams(how));
  }
#endif
  check_cusolver(cusolverDnDestroy(handle));
}

}  // namespace bench

int main(int argc, char** argv) {
  int const scale = argc > 1 ? std::atoi(argv[1]) : 1;
  std::printf("| eigenvalues and eigenvectors, float | measured |\n|---|---|\n");
  bench::eigenproblems<40>(100000 / scale, 40);
  bench::eigenproblems<16>(400000 / scale, 16);
}
