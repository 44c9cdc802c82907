// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/config.hpp>

#include <cmath>

namespace sda {

/// Eigenvalues and eigenvectors of `Lanes` symmetric n x n matrices at once, by cyclic Jacobi rotations (Golub & Van Loan,
/// §8.5): for the many small problems of local analyses. Element (i, j) of matrix l lies at [(i * n + j) * Lanes + l]; a lane
/// is a SIMD lane on the host, and Lanes = 1 serves one thread of a device. On return the diagonal of `a` holds the
/// eigenvalues (unordered) and row k of `v` the eigenvector of a(k, k). A lane's result does not depend on its neighbours':
/// every lane makes `sweeps` sweeps, and a rotation of an already zero element is the identity. Quadratic convergence makes
/// 6 sweeps exact to rounding for n <= 10, 8 for n <= 40 (double).
template <int Lanes, class T> SDA_HD void eigen_jacobi(T* a, T* v, int n, int sweeps) {
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j)
      for (int l = 0; l < Lanes; ++l) v[(i * n + j) * Lanes + l] = T(i == j);
  auto const rotate = [](T* x, T* y, T const* c, T const* s) {  // (x, y) <- (c x - s y, s x + c y), lane by lane
    SDA_ELEMENTWISE
    for (int l = 0; l < Lanes; ++l) {
      T const p = x[l], q = y[l];
      x[l] = c[l] * p - s[l] * q;
      y[l] = s[l] * p + c[l] * q;
    }
  };
  for (int sweep = 0; sweep < sweeps; ++sweep)
    for (int p = 0; p < n; ++p)
      for (int q = p + 1; q < n; ++q) {
        T c[Lanes], s[Lanes];
        T* const pp = a + (p * n + p) * Lanes;
        T* const qq = a + (q * n + q) * Lanes;
        T* const pq = a + (p * n + q) * Lanes;
        SDA_ELEMENTWISE
        for (int l = 0; l < Lanes; ++l) {
          // tan of the smaller angle that annihilates a(p, q); no branch, and 0 where a(p, q) is 0
          T const twice = T(2) * pq[l], gap = qq[l] - pp[l];
          T const t = twice / (std::copysign(std::fabs(gap) + std::sqrt(gap * gap + twice * twice), gap) + std::copysign(T(1e-290), gap));
          c[l] = T(1) / std::sqrt(T(1) + t * t);
          s[l] = t * c[l];
          pp[l] -= t * pq[l];
          qq[l] += t * pq[l];
          pq[l] = T(0);
        }
        // only the upper triangle is kept up to date
        for (int k = 0; k < p; ++k) rotate(a + (k * n + p) * Lanes, a + (k * n + q) * Lanes, c, s);
        for (int k = p + 1; k < q; ++k) rotate(a + (p * n + k) * Lanes, a + (k * n + q) * Lanes, c, s);
        for (int k = q + 1; k < n; ++k) rotate(a + (p * n + k) * Lanes, a + (q * n + k) * Lanes, c, s);
        for (int k = 0; k < n; ++k) rotate(v + (p * n + k) * Lanes, v + (q * n + k) * Lanes, c, s);
      }
}

}  // namespace sda
