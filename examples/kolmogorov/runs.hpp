// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sight.hpp"

#include <sda/model/simulate.hpp>

namespace kolmogorov {

/// Model time from one state to the next: ten steps of kolmogorov_flow.
constexpr double spacing = 0.2;

/// n rows of `length` states on the attractor: large waves at random, 64 states before the first.
inline states trajectories(index_t points, index_t n, index_t length, sda::key k) {
  sda::kolmogorov_flow const flow({.points = points});
  states x(n, points * points);
  sda::lincomb(x, sda::noise{20, k});
  sda::fourier const f(points, points);
  x = sda::detail::through_spectra(f, x, "trajectories", [&](sda::fourier::spectrum& c) {
    for (std::size_t i = 0; i < c.size(); ++i)
      if (i == 0 || f.kx(i) > 6 || std::abs(f.ky(i)) > 6) c[i] = 0;
  });
  for (int i = 0; i < 64; ++i) x = flow(x);
  return sda::simulate(flow, std::move(x), length, k);
}

/// Overlapping pieces of `frames` states of rows of `length`, one a row, a piece every `stride` states.
inline states pieces(states const& runs, index_t length, index_t frames, index_t stride) {
  index_t const n = runs.cols() / length, each = (length - frames) / stride + 1;
  states out(runs.rows() * each, frames * n);
  for (index_t r = 0; r < runs.rows(); ++r)
    for (index_t i = 0; i < each; ++i) out.row(r * each + i) = runs.row(r).segment(i * stride * n, frames * n);
  return out;
}

}  // namespace kolmogorov
