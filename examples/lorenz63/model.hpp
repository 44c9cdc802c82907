// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/ode.hpp>
#include <sda/eigen.hpp>
#include <sda/model/lorenz63.hpp>
#include <sda/model/simulate.hpp>

#include <array>
#include <cmath>

/// SDA's test (Rozet & Louppe, 2023): Lorenz-63 with noise, one Runge-Kutta step of 0.025 and N(0, 0.025) on every coordinate.
namespace lorenz63 {

using sda::index_t;
using states = sda::host_array<double>;

inline constexpr double step = 0.025;
inline double const deviation = std::sqrt(step);  // of the noise of a step

/// What networks see: (x - centre) / scale.
inline constexpr std::array<double, 3> centre{0, 0, 25}, scale{8, 9, 8.6};

/// The prior of an unknown ρ: N(28, 3²). Networks see (ρ - 28) / 3.
inline constexpr double rho_mean = 28, rho_deviation = 3;

/// A product state (a, b, c, ρ): three coordinates and the parameter that drives them, which stays as it is.
struct with_rho {
  states operator()(states const& x) const {
    auto const a = x.col(0), b = x.col(1), c = x.col(2), rho = x.col(3);
    states out = states::Zero(x.rows(), 4);
    out.col(0) = 10 * (b - a);
    out.col(1) = a * (rho - c) - b;
    out.col(2) = a * b - 8.0 / 3 * c;
    return out;
  }
};

/// One step of either, with its noise; a parameter gets none.
template <class Field> struct noisy {
  Field field{};
  states mean(states const& x) const { return sda::flow{field, step}(x); }
  states operator()(states const& x, sda::key k) const {
    states y = mean(x), xi(x.rows(), 3);
    sda::lincomb(xi, sda::noise{deviation, k});
    y.leftCols(3) += xi;
    return y;
  }
};
using model = noisy<sda::lorenz63>;
using model_with_rho = noisy<with_rho>;

/// SDA's first guess of a state: N((0, 0, 25), [[64, 50, 0], [50, 81, 0], [0, 0, 75]]).
inline states first_guess(index_t n, sda::key k) {
  states z(n, 3), x(n, 3);
  sda::lincomb(z, sda::noise{1.0, k});
  x.col(0) = 8 * z.col(0);
  x.col(1) = 6.25 * z.col(0) + std::sqrt(81 - 6.25 * 6.25) * z.col(1);
  x.col(2) = 25 + std::sqrt(75.0) * z.col(2);
  return x;
}

/// Rows of `length` states on the attractor, physical units. With unknown ρ each row ends with its own.
inline states trajectories(index_t n, index_t length, bool unknown_rho, index_t burn_in, sda::key k) {
  auto const last_of = [&](auto const& m, states x) {
    for (index_t i = 0; i < burn_in; ++i) x = m(x, k.fold(1).fold(std::uint64_t(i)));
    return x;
  };
  states const start = first_guess(n, k.fold(0));
  if (!unknown_rho) return sda::simulate(model{}, last_of(model{}, start), length, k.fold(2));
  states rho(n, 1), all(n, 4);
  sda::lincomb(rho, sda::noise{rho_deviation, k.fold(3)});
  all << start, rho + rho_mean;
  states const run = sda::simulate(model_with_rho{}, last_of(model_with_rho{}, all), length, k.fold(2));
  states out(n, 3 * length + 1);
  for (index_t t = 0; t < length; ++t) out.middleCols(3 * t, 3) = run.middleCols(4 * t, 3);
  out.col(3 * length) = run.col(3);
  return out;
}

/// Physical to standardised units, and back; a last column beyond whole states is ρ.
inline void standardise(states& x) {
  for (index_t c = 0; c < x.cols() / 3 * 3; ++c) x.col(c) = (x.col(c) - centre[std::size_t(c % 3)]) / scale[std::size_t(c % 3)];
  if (x.cols() % 3 == 1) x.col(x.cols() - 1) = (x.col(x.cols() - 1) - rho_mean) / rho_deviation;
}
inline void to_physical(states& x) {
  for (index_t c = 0; c < x.cols() / 3 * 3; ++c) x.col(c) = x.col(c) * scale[std::size_t(c % 3)] + centre[std::size_t(c % 3)];
  if (x.cols() % 3 == 1) x.col(x.cols() - 1) = x.col(x.cols() - 1) * rho_deviation + rho_mean;
}

}  // namespace lorenz63
