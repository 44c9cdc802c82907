// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/eigen.hpp>
#include <sda/fftw.hpp>

namespace kolmogorov {

using sda::index_t;
using states = sda::host_array<double>;   // vorticity: rows of frames of points x points

/// What an instrument sees of a trajectory: means over blocks of block x block points, in a square patch of side x side of them in the
/// middle, at every so many frames; of the velocity (u and v) or of the vorticity itself. Linear.
class coarse_view {
 public:
  enum class of { velocity, vorticity };
  struct settings {
    index_t points, frames, every, block, side;
    of field;

    index_t times() const { return (frames + every - 1) / every; }
    index_t fields() const { return field == of::velocity ? 2 : 1; }
    index_t first() const { return (points / block - side) / 2 * block; }   // point of the patch, in each direction
  };
  explicit coarse_view(settings const& s) : s_(s), fourier_(s.points, s.points) {
    sda::require(s.block >= 1 && s.points % s.block == 0 && s.side >= 1 && s.side <= s.points / s.block && s.every >= 1, "coarse_view: blocks of ", s.block,
                 " of ", s.points, " points, a patch of ", s.side);
  }
  settings const& shape() const { return s_; }
  index_t seen() const { return s_.times() * s_.fields() * s_.side * s_.side; }

  states operator()(states const& x) const {
    states y = states::Zero(x.rows(), seen());
    through(x.rows(), [&](index_t r, index_t frame, index_t to) {
      double const* const w = x.data() + r * x.cols() + frame * points();
      for (index_t f = 0; f < s_.fields(); ++f) blocks(field(w, f, 1), y.data() + r * seen() + to + f * s_.side * s_.side, true);
    });
    return y;
  }
  states adjoint(states const& u) const {
    states x = states::Zero(u.rows(), s_.frames * points());
    through(u.rows(), [&](index_t r, index_t frame, index_t from) {
      for (index_t f = 0; f < s_.fields(); ++f) {
        states spread = states::Zero(1, points());
        blocks(spread, const_cast<double*>(u.data()) + r * seen() + from + f * s_.side * s_.side, false);
        x.row(r).segment(frame * points(), points()) += field(spread.data(), f, -1).row(0);
      }
    });
    return x;
  }

 private:
  index_t points() const { return s_.points * s_.points; }

  template <class Body> void through(index_t height, Body const& body) const {
    index_t const times = s_.times();
    sda::parallel_for(height, height * times * points() * 64, [&](index_t r) {
      for (index_t t = 0; t < times; ++t) body(r, t * s_.every, t * s_.fields() * s_.side * s_.side);
    });
  }
  // u = ∂ψ/∂y, v = -∂ψ/∂x, ω = -∇²ψ; sense -1: the adjoint
  states field(double const* w, index_t component, double sense) const {
    states out = Eigen::Map<states const>(w, 1, points());
    if (s_.field == of::vorticity) return out;
    auto c = fourier_.forward(w);
    for (std::size_t i = 0; i < c.size(); ++i) {
      double const kx = fourier_.kx(i), ky = fourier_.ky(i), square = kx * kx + ky * ky;
      c[i] *= square > 0 && fourier_.resolved(i) ? std::complex<double>(0, sense * (component == 0 ? ky : -kx) / square) : 0;
    }
    fourier_.backward(c, out.data());
    return out;
  }
  // means of blocks of a field, or the adjoint of that: of numbers a field
  void blocks(states&& field, double* numbers, bool forward) const { blocks(field, numbers, forward); }
  void blocks(states& field, double* numbers, bool forward) const {
    index_t const b = s_.block, first = s_.first();
    for (index_t y = 0; y < s_.side * b; ++y)
      for (index_t x = 0; x < s_.side * b; ++x) {
        double& number = numbers[y / b * s_.side + x / b];
        double& at = field.data()[(first + y) * s_.points + first + x];
        if (forward) number += at / double(b * b);
        else at = number / double(b * b);
      }
  }
  settings s_;
  sda::fourier fourier_;
};

}  // namespace kolmogorov
