// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/parallel.hpp>
#include <sda/state/state.hpp>

#include <fftw3.h>

#include <complex>
#include <memory>
#include <mutex>
#include <type_traits>
#include <vector>

namespace sda {

/// States of this CPU's memory in double: what FFTW reads where it lies.
template <class S> concept host_doubles = State<S> && std::same_as<value_t<S>, double> && requires(S& x, S const& y) {
  { x.data() } -> std::same_as<double*>;
  { y.data() } -> std::same_as<double const*>;
};

/// A plan of FFTW's that may be copied and executed by many threads at once.
using fftw_plan_handle = std::shared_ptr<std::remove_pointer_t<fftw_plan>>;

/// Planning, unlike executing, is for one thread at a time.
inline std::mutex& fftw_planner() {
  static std::mutex planner;
  return planner;
}
/// What make() plans.
template <class Make> fftw_plan_handle planned_alone(Make const& make) {
  std::scoped_lock const alone(fftw_planner());
  return fftw_plan_handle(make(), [](fftw_plan p) {
    std::scoped_lock const alone_again(fftw_planner());
    if (p) fftw_destroy_plan(p);
  });
}

/// Fourier transforms of real fields on a periodic grid of ny x nx points, x running fastest (ny = 1: a line). A spectrum has
/// ny x (nx / 2 + 1) coefficients f = Σ c exp(i (kx x + ky y)); those of negative kx are conjugates of others. A value
/// that may be copied, and used by many threads at once.
class fourier {
 public:
  using spectrum = std::vector<std::complex<double>>;

  fourier(index_t ny, index_t nx) : ny_(ny), nx_(nx) {
    require(ny >= 1 && nx >= 2, "fourier: a grid of ", ny, " x ", nx);
    std::vector<double> field(std::size_t(ny * nx));
    spectrum half(size());
    int const n[] = {int(ny), int(nx)}, rank = ny > 1 ? 2 : 1;
    int const* const sizes = ny > 1 ? n : n + 1;
    unsigned const flags = FFTW_ESTIMATE | FFTW_UNALIGNED;  // the same plan, and so the same numbers, on every run
    forward_ = planned_alone([&] { return fftw_plan_dft_r2c(rank, sizes, field.data(), raw(half), flags | FFTW_PRESERVE_INPUT); });
    backward_ = planned_alone([&] { return fftw_plan_dft_c2r(rank, sizes, raw(half), field.data(), flags); });
    require(forward_ && backward_, "fourier: FFTW has no plan for ", ny, " x ", nx);
  }

  index_t points() const { return ny_ * nx_; }
  std::size_t size() const { return std::size_t(ny_ * (nx_ / 2 + 1)); }
  /// The wave numbers of coefficient i, whole numbers on a domain of length 2π.
  double kx(std::size_t i) const { return double(index_t(i) % (nx_ / 2 + 1)); }
  double ky(std::size_t i) const {
    index_t const row = index_t(i) / (nx_ / 2 + 1);
    return double(row <= ny_ / 2 ? row : row - ny_);
  }
  /// Whether a product of two such fields leaves coefficient i free of aliases: the lower two thirds of either direction.
  bool resolved(std::size_t i) const { return 3 * kx(i) < double(nx_) && 3 * std::abs(ky(i)) < double(ny_ > 1 ? ny_ : 3); }

  spectrum forward(double const* field) const {
    spectrum out(size());
    fftw_execute_dft_r2c(forward_.get(), const_cast<double*>(field), raw(out));
    for (auto& c : out) c /= double(points());
    return out;
  }
  /// Destroys the spectrum.
  void backward(spectrum& of, double* field) const { fftw_execute_dft_c2r(backward_.get(), raw(of), field); }

 private:
  static fftw_complex* raw(spectrum& s) { return reinterpret_cast<fftw_complex*>(s.data()); }

  index_t ny_, nx_;
  fftw_plan_handle forward_, backward_;
};

namespace detail {

/// Every row of x through its spectrum: body(spectrum) changes it in place.
template <host_doubles S, class Body> S through_spectra(fourier const& f, S const& x, char const* name, Body const& body) {
  require(columns(x) == f.points(), name, ": ", columns(x), " columns for ", f.points(), " points");
  S out = zeros_like(x);
  parallel_for(rows(x), rows(x) * f.points() * 64, [&](index_t r) {
    auto c = f.forward(x.data() + r * f.points());
    body(c);
    f.backward(c, out.data() + r * f.points());
  });
  return out;
}

}  // namespace detail

}  // namespace sda
