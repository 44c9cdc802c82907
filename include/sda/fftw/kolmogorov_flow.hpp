// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/fftw/etdrk4.hpp>
#include <sda/fftw/fourier.hpp>

namespace sda {

/// Two-dimensional incompressible flow on the torus [0, 2π)², driven by f = forcing sin(wave y) along x (SDA's second experiment:
/// viscosity 1e-3, drag 0.1, wave 4):
///   ∂ω/∂t + u ∂ω/∂x + v ∂ω/∂y = viscosity ∇²ω - drag ω - forcing wave cos(wave y).
/// A Model, `steps` steps of dt at each call. Columns are the vorticity ω = ∂v/∂x - ∂u/∂y on points x points, x running fastest; its mean
/// is kept. Pseudo-spectral without aliases, ETDRK4 in time.
class kolmogorov_flow {
 public:
  struct settings {
    index_t points = 64;
    double viscosity = 1e-3, drag = 0.1, forcing = 1;
    index_t wave = 4;
    double dt = 0.02;
    int steps = 10;
  };
  explicit kolmogorov_flow(settings const& s) : s_(s), fourier_(s.points, s.points), method_(rates(), s.dt) {
    require(s.viscosity >= 0 && s.drag >= 0 && s.steps >= 1 && s.wave >= 0 && 3 * s.wave < s.points, "kolmogorov_flow: viscosity ", s.viscosity,
            ", drag ", s.drag, ", ", s.steps, " steps, wave ", s.wave, " on ", s.points, " points");
  }

  template <host_doubles S> S operator()(S const& vorticity) const {
    return detail::through_spectra(fourier_, vorticity, "kolmogorov_flow", [this](fourier::spectrum& w) {
      for (int i = 0; i < s_.steps; ++i) method_.step(w, [this](auto const& at, auto& out) { tendency(at, out); });
    });
  }

  /// u and then v of every row; their means over the torus are zero.
  template <host_doubles S> S velocity(S const& vorticity) const {
    index_t const n = fourier_.points();
    require(columns(vorticity) == n, "kolmogorov_flow: ", columns(vorticity), " columns for ", n, " points");
    S out = zeros(vorticity, rows(vorticity), 2 * n);
    for (index_t r = 0; r < rows(vorticity); ++r) {
      auto const w = fourier_.forward(vorticity.data() + r * n);
      stream(w, out.data() + 2 * r * n, out.data() + (2 * r + 1) * n);
    }
    return out;
  }
  /// ω of rows of u and v.
  template <host_doubles S> S vorticity(S const& velocity) const {
    index_t const n = fourier_.points();
    require(columns(velocity) == 2 * n, "kolmogorov_flow: ", columns(velocity), " columns for two fields of ", n, " points");
    S out = zeros(velocity, rows(velocity), n);
    for (index_t r = 0; r < rows(velocity); ++r) {
      auto u = fourier_.forward(velocity.data() + 2 * r * n);
      auto const v = fourier_.forward(velocity.data() + (2 * r + 1) * n);
      for (std::size_t i = 0; i < u.size(); ++i) u[i] = std::complex<double>(0, 1) * (fourier_.kx(i) * v[i] - fourier_.ky(i) * u[i]);
      fourier_.backward(u, out.data() + r * n);
    }
    return out;
  }

 private:
  double square(std::size_t i) const { return fourier_.kx(i) * fourier_.kx(i) + fourier_.ky(i) * fourier_.ky(i); }
  std::vector<double> rates() const {
    std::vector<double> out;
    for (std::size_t i = 0; i < fourier_.size(); ++i) out.push_back(-s_.viscosity * square(i) - (square(i) > 0 ? s_.drag : 0));
    return out;
  }
  // u = ∂ψ/∂y, v = -∂ψ/∂x, ω = -∇²ψ
  void stream(fourier::spectrum const& w, double* u, double* v) const {
    fourier::spectrum a(w.size()), b(w.size());
    for (std::size_t i = 0; i < w.size(); ++i) {
      auto const psi = square(i) > 0 ? std::complex<double>(0, 1) * w[i] / square(i) : 0;
      a[i] = fourier_.ky(i) * psi, b[i] = -fourier_.kx(i) * psi;
    }
    fourier_.backward(a, u), fourier_.backward(b, v);
  }
  // -∂(uω)/∂x - ∂(vω)/∂y - forcing wave cos(wave y)
  void tendency(fourier::spectrum const& w, fourier::spectrum& out) const {
    std::size_t const n = std::size_t(fourier_.points());
    std::vector<double> u(n), v(n), vorticity(n);
    stream(w, u.data(), v.data());
    out = w;
    fourier_.backward(out, vorticity.data());
    for (std::size_t i = 0; i < n; ++i) u[i] *= vorticity[i], v[i] *= vorticity[i];
    auto const uw = fourier_.forward(u.data()), vw = fourier_.forward(v.data());
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = fourier_.resolved(i) ? std::complex<double>(0, -1) * (fourier_.kx(i) * uw[i] + fourier_.ky(i) * vw[i]) : 0;
    double const push = s_.forcing * double(s_.wave) / 2;
    std::size_t const width = std::size_t(s_.points / 2 + 1);
    if (s_.wave > 0) out[std::size_t(s_.wave) * width] -= push, out[std::size_t(s_.points - s_.wave) * width] -= push;
  }

  settings s_;
  fourier fourier_;
  etdrk4 method_;
};

}  // namespace sda
