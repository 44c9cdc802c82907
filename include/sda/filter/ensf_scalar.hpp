// SPDX-License-Identifier: Apache-2.0
// The ensemble score filter where each particle follows one forecast member (Bao, Zhang & Zhang, 2023, the authors' default):
//   z ← z - (f z - g² s) dt + g √dt ξ,   s = (α x - z) / β² + (1 - t) h'(z) (y - h(z)) / r,   |s| ≤ 1000
// from t = 1 to 0, α = 1 - (1 - ε_α) t, β² = ε_β + (1 - ε_β) t, f = α̇ / α, g² = (β²)˙ - 2 f β². With observations of single
// components every scalar is alone: host and device run this text, a device keeps the whole walk in registers.
#pragma once
#include <sda/calculus/level.hpp>
#include <sda/core/error.hpp>
#include <sda/core/random.hpp>
#include <sda/observation/pointwise.hpp>

#include <cmath>
#include <vector>

namespace sda {

/// The numbers of one step in pseudo-time, rounded once, and the key of its noise.
template <class T> struct ensf_step {
  T alpha, precision;  ///< α and 1/β²
  T trust;             ///< what the likelihood counts: 1 - t
  T keep, push, kick;  ///< 1 - f dt, g² dt, g √dt
  key draw;
};

/// Steps for t = 1, 1 - 1/n, ..., 1/n. Step i draws from k.fold(i + 1), as sample() does.
inline std::vector<ensf_step<double>> ensf_steps(int n, key k, double eps_alpha = 0.5, double eps_beta = 0.025) {
  require(n > 0 && 0 < eps_alpha && eps_alpha <= 1 && 0 < eps_beta && eps_beta <= 1, "ensf: ", n, " steps, eps_alpha ", eps_alpha, ", eps_beta ",
          eps_beta);
  std::vector<ensf_step<double>> steps;
  double const dt = 1.0 / n;
  for (int i = 0; i < n; ++i) {
    double const t = 1 - i * dt, alpha = 1 - (1 - eps_alpha) * t, beta2 = eps_beta + (1 - eps_beta) * t;
    double const f = -(1 - eps_alpha) / alpha, g2 = 1 - eps_beta - 2 * f * beta2;
    steps.push_back({alpha, 1 / beta2, 1 - t, 1 - f * dt, g2 * dt, std::sqrt(g2 * dt), k.fold(std::uint64_t(i) + 1)});
  }
  return steps;
}

/// One scalar, one step: z of a particle, x of its member, y with precision 1/r (0 where nothing is seen), h(z) and h'(z), ξ. Products
/// and sums are fused here, not by compilers as they like: where h leaves them no choice either, all processors agree to the last bit.
template <class T> SDA_HD T ensf_move(T z, T x, T y, T precision, with_slope<T> sight, ensf_step<T> const& s, T xi) {
  using detail::fma_exact;
  T const pull = fma_exact(s.alpha, x, -z), gradient = sight.slope * (y - sight.value), trust = s.trust * precision;
  T const free = fma_exact(trust, gradient, pull * s.precision), most = T(1000);
  T const score = free > most ? most : free < -most ? -most : free;
  return fma_exact(s.keep, z, fma_exact(s.push, score, s.kick * xi));
}

/// Four neighbouring columns, 4 quad to 4 quad + 3, of one row through all steps: one Philox block a step.
template <class T, class H>
SDA_HD void ensf_walk(T (&z)[4], T const (&x)[4], T const (&y)[4], T const (&precision)[4], H const& h, ensf_step<T> const* steps, int n,
                      std::uint32_t row, std::uint32_t quad) {
  for (int i = 0; i < n; ++i) {
    ensf_step<T> const s = steps[i];
    T xi[4];
    normal_quantiles(s.draw(row, quad), xi);
    for (int c = 0; c < 4; ++c) z[c] = ensf_move(z[c], x[c], y[c], precision[c], detail::value_and_slope(h, z[c]), s, xi[c]);
  }
}

}  // namespace sda
