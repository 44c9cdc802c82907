// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/config.hpp>
#include <sda/core/error.hpp>

#include <complex>
#include <numbers>
#include <span>
#include <vector>

namespace sda {

/// Exponential time differencing of fourth order (Cox & Matthews, 2002) for dv/dt = rate ⊙ v + N(v), v a spectrum: the stiff linear part
/// is solved exactly, only N limits the step. The factors are means over a circle in the complex plane, where they do
/// not cancel (Kassam & Trefethen, 2005).
class etdrk4 {
 public:
  using spectrum = std::vector<std::complex<double>>;

  etdrk4(std::span<double const> rates, double dt) {
    require(dt > 0, "etdrk4: a step of ", dt);
    constexpr int points = 32;  // of the upper half circle; the lower half is its mirror image
    for (double const rate : rates) {
      double const h = rate * dt;
      std::complex<double> lift, f1, f2, f3;
      for (int j = 0; j < points; ++j) {
        std::complex<double> const z = h + std::polar(1.0, std::numbers::pi * (j + 0.5) / points), e = std::exp(z), z3 = z * z * z;
        lift += (std::exp(z / 2.0) - 1.0) / z;
        f1 += (-4.0 - z + e * (4.0 - 3.0 * z + z * z)) / z3;
        f2 += (2.0 + z + e * (z - 2.0)) / z3;
        f3 += (-4.0 - 3.0 * z - z * z + e * (4.0 - z)) / z3;
      }
      double const mean = dt / points;
      factors_.push_back({std::exp(h), std::exp(h / 2), mean * lift.real(), mean * f1.real(), mean * f2.real(), mean * f3.real()});
    }
  }

  /// v at one step later; nonlinear(v, out) writes N(v).
  template <class N> void step(spectrum& v, N const& nonlinear) const {
    std::size_t const n = factors_.size();
    require(v.size() == n, "etdrk4: a spectrum of ", v.size(), " for ", n, " rates");
    spectrum a(n), b(n), at_v(n), at_a(n), at_b(n), at_c(n);
    nonlinear(v, at_v);
    for (std::size_t i = 0; i < n; ++i) a[i] = factors_[i].half * v[i] + factors_[i].lift * at_v[i];
    nonlinear(a, at_a);
    for (std::size_t i = 0; i < n; ++i) b[i] = factors_[i].half * v[i] + factors_[i].lift * at_a[i];
    nonlinear(b, at_b);
    for (std::size_t i = 0; i < n; ++i) b[i] = factors_[i].half * a[i] + factors_[i].lift * (2.0 * at_b[i] - at_v[i]);
    nonlinear(b, at_c);
    for (std::size_t i = 0; i < n; ++i) {
      auto const& f = factors_[i];
      v[i] = f.whole * v[i] + f.f1 * at_v[i] + 2 * f.f2 * (at_a[i] + at_b[i]) + f.f3 * at_c[i];
    }
  }

 private:
  struct factors {
    double whole, half, lift, f1, f2, f3;
  };
  std::vector<factors> factors_;
};

}  // namespace sda
