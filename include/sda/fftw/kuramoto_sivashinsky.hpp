// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/fftw/etdrk4.hpp>
#include <sda/fftw/fourier.hpp>

namespace sda {

/// ∂u/∂t = -u ∂u/∂x - ∂²u/∂x² - ∂⁴u/∂x⁴ on a ring: a Model, `steps` steps of dt at each call. Columns are the values at equally
/// spaced points. Pseudo-spectral without aliases, ETDRK4 in time (Kassam & Trefethen, 2005).
class kuramoto_sivashinsky {
 public:
  explicit kuramoto_sivashinsky(index_t points = 128, double length = 22, double dt = 0.25, int steps = 1)
      : fourier_(1, points), wave_(2 * std::numbers::pi / length), steps_(steps), method_(rates(), dt) {
    require(length > 0 && steps >= 1, "kuramoto_sivashinsky: a ring of ", length, ", ", steps, " steps");
  }

  template <host_doubles S> S operator()(S const& u) const {
    return detail::through_spectra(fourier_, u, "kuramoto_sivashinsky", [this](fourier::spectrum& v) {
      for (int i = 0; i < steps_; ++i) method_.step(v, [this](auto const& at, auto& out) { advection(at, out); });
    });
  }

  /// d/dt of the mean of u²/2: what the long waves gain and the short ones lose. Advection only moves it about.
  double energy_gain(double const* u) const {
    auto const v = fourier_.forward(u);
    double sum = 0;
    for (std::size_t i = 0; i < v.size(); ++i)
      sum += (fourier_.kx(i) == 0 || 2 * fourier_.kx(i) == double(fourier_.points()) ? 1 : 2) * rate(i) * std::norm(v[i]);
    return sum;
  }

 private:
  double rate(std::size_t i) const {
    double const k2 = std::pow(wave_ * fourier_.kx(i), 2);
    return k2 - k2 * k2;
  }
  std::vector<double> rates() const {
    std::vector<double> out;
    for (std::size_t i = 0; i < fourier_.size(); ++i) out.push_back(rate(i));
    return out;
  }
  // -∂(u²/2)/∂x
  void advection(fourier::spectrum const& v, fourier::spectrum& out) const {
    std::vector<double> u(std::size_t(fourier_.points()));
    out = v;
    fourier_.backward(out, u.data());
    for (double& x : u) x *= x / 2;
    out = fourier_.forward(u.data());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] *= std::complex<double>(0, fourier_.resolved(i) ? -wave_ * fourier_.kx(i) : 0);
  }

  fourier fourier_;
  double wave_;
  int steps_;
  etdrk4 method_;
};

}  // namespace sda
