// SPDX-License-Identifier: Apache-2.0
#include <sda/fftw.hpp>
#include <sda/guidance/mmps.hpp>
#include <sda/model/simulate.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/masked.hpp>

#include <sda_test.hpp>

using namespace sda;
using array = host_array<double>;
using sda_test::distance;
using sda_test::normals;

namespace {

constexpr double tau = 2 * std::numbers::pi;

/// A smooth field on the torus, without mean: random waves up to `most`.
array smooth(index_t n, int most, key k) {
  array out = array::Zero(1, n * n);
  for (int a = -most; a <= most; ++a)
    for (int b = 0; b <= most; ++b)
      for (index_t i = 0; (a || b) && i < n * n; ++i)
        out(0, i) +=
            normal<double>(k, a + most, b) * std::cos(tau * double(a * (i / n) + b * (i % n)) / double(n) + normal<double>(k.fold(1), a + most, b));
  return out;
}
array on_torus(index_t n, auto const& f) {
  array out(1, n * n);
  for (index_t i = 0; i < n * n; ++i) out(0, i) = f(tau * double(i % n) / double(n), tau * double(i / n) / double(n));
  return out;
}
array after(auto const& model_of, array const& x, double time, double dt) { return model_of(dt, int(std::lround(time / dt)))(x); }
/// The order of a method from its errors at steps dt and dt / 2 against dt / 16.
double order(auto const& model_of, array const& x, double time, double dt) {
  array const exact = after(model_of, x, time, dt / 16);
  return std::log2(distance(after(model_of, x, time, dt), exact) / distance(after(model_of, x, time, dt / 2), exact));
}

}  // namespace

TEST_CASE("a field comes back from its spectrum, whose coefficients are those of its waves") {
  fourier const f(6, 8);
  array const x = normals(1, 48, key{1});
  auto c = f.forward(x.data());
  array back(1, 48);
  f.backward(c, back.data());
  CHECK(distance(back, x) <= 1e-14);
  array wave(1, 48);
  for (index_t i = 0; i < 48; ++i) wave(0, i) = 3 * std::cos(tau * (2 * double(i % 8) / 8 - double(i / 8) / 6));
  c = f.forward(wave.data());
  for (std::size_t i = 0; i < c.size(); ++i) CHECK(std::abs(c[i] - (f.kx(i) == 2 && f.ky(i) == -1 ? 1.5 : 0)) <= 1e-15);
}

TEST_CASE("small waves of Kuramoto-Sivashinsky grow and decay at the rates k² - k⁴") {
  index_t const n = 64;
  kuramoto_sivashinsky const model(n, 22, .1, 20);
  for (int const k : {1, 2, 3, 4, 6}) {
    double const wave = k * tau / 22, growth = std::exp(2 * (wave * wave - std::pow(wave, 4)));
    array x(1, n);
    for (index_t i = 0; i < n; ++i) x(0, i) = 1e-7 * std::cos(tau * double(k * i) / double(n));
    CHECK(distance(model(x), growth * x) <= 1e-6);  // the advection of a wave of 1e-7
  }
}

TEST_CASE("Kuramoto-Sivashinsky keeps its mean, knows no place, and balances its energy") {
  index_t const n = 64;
  array x = normals(3, n, key{2});
  x = kuramoto_sivashinsky(n, 22, .05, 400)(x);  // onto the attractor
  double const h = 1e-3;
  kuramoto_sivashinsky const model(n, 22, h, 1);
  array const y = model(x), z = model(y);
  array shifted(3, n), y_shifted(3, n);
  for (index_t c = 0; c < n; ++c) shifted.col(c) = x.col((c + 5) % n), y_shifted.col(c) = y.col((c + 5) % n);
  CHECK(distance(model(shifted), y_shifted) <= 1e-13);
  for (index_t r = 0; r < 3; ++r) {
    CHECK(y.row(r).mean() == Approx(x.row(r).mean()).margin(1e-14));
    double const change = (z.row(r).square().mean() - x.row(r).square().mean()) / 2 / (2 * h);
    CHECK(change == Approx(model.energy_gain(y.data() + r * n)).margin(1e-4));  // O(h²) of a central difference
  }
}

TEST_CASE("Kuramoto-Sivashinsky is of fourth order in time") {
  auto const of = [](double dt, int steps) { return kuramoto_sivashinsky(64, 100, dt, steps); };  // long enough that no wave is stiff
  CHECK(order(of, of(.05, 400)(normals(1, 64, key{3})), 4, .0625) == Approx(4).margin(.3));
}

TEST_CASE("the laminar flow is approached at the rate of drag and viscosity, and then stays") {
  kolmogorov_flow::settings const s{.points = 32, .viscosity = .01, .dt = .05, .steps = 40};
  double const rate = s.viscosity * 16 + s.drag, kept = std::exp(-rate * s.dt * s.steps);
  array const wave = on_torus(32, [](double, double y) { return std::cos(4 * y); }), steady = -4 / rate * wave;
  CHECK(distance(kolmogorov_flow(s)(array(3 * wave)), array(kept * 3 * wave + (1 - kept) * steady)) <= 1e-12);
  CHECK(distance(kolmogorov_flow(s)(steady), steady) <= 1e-12);
}

TEST_CASE("Taylor and Green's vortices decay as they should") {
  kolmogorov_flow const model({.points = 24, .viscosity = .05, .drag = 0, .forcing = 0, .dt = .1, .steps = 30});
  array const x = on_torus(24, [](double a, double b) { return 2 * std::cos(a) * std::cos(b); });
  CHECK(distance(model(x), std::exp(-2 * .05 * 3) * x) <= 1e-13);
}

TEST_CASE("without viscosity, drag and forcing energy and enstrophy are kept, but for the fourth order of the steps") {
  auto const of = [](double dt, int steps) {
    return kolmogorov_flow({.points = 24, .viscosity = 0, .drag = 0, .forcing = 0, .dt = dt, .steps = steps});
  };
  array const x = smooth(24, 3, key{4});
  auto const drift = [&](double dt) {
    auto const model = of(dt, int(std::lround(.4 / dt)));
    array const y = model(x);
    double const energy = model.velocity(y).square().mean() / model.velocity(x).square().mean() - 1;
    return std::max(std::abs(y.square().mean() / x.square().mean() - 1), std::abs(energy));
  };
  double const coarse = drift(.01), fine = drift(.005);
  INFO("drift " << coarse << " and " << fine);
  CHECK(fine < 1e-6);
  CHECK(fine < coarse / 12);
  CHECK(order(of, x, .4, .01) == Approx(4).margin(.3));
}

TEST_CASE("vorticity and velocity are two views of one flow; forced rows are computed each on its own") {
  kolmogorov_flow const model({.points = 32});
  array x(2, 1024);
  x << smooth(32, 5, key{5}), smooth(32, 4, key{6});
  array const u = model.velocity(x);
  CHECK(distance(model.vorticity(u), x) <= 1e-13);
  array const y = simulate(model, x, 2, key{});
  for (index_t r = 0; r < 2; ++r) CHECK((model(array(x.row(r))) == y.row(r).rightCols(1024)).all());
  array const green = on_torus(32, [](double a, double b) { return 2 * std::cos(a) * std::cos(b); });
  array const flow = model.velocity(green);
  CHECK(distance(array(flow.leftCols(1024)), on_torus(32, [](double a, double b) { return -std::cos(a) * std::sin(b); })) <= 1e-14);
  CHECK(distance(array(flow.rightCols(1024)), on_torus(32, [](double a, double b) { return std::sin(a) * std::cos(b); })) <= 1e-14);
}

TEST_CASE("Hartley's transform is orthonormal and its own inverse; waves of either sign count as one") {
  hartley const h(6, 8);
  array const x = normals(2, 3 * 48, key{11}), y = normals(2, 3 * 48, key{12});
  CHECK(distance(h(h(x)), x) <= 1e-14);
  CHECK((h(x) * h(y)).sum() == Approx((x * y).sum()));
  CHECK(h.wave(8 + 1) == h.wave(5 * 8 + 7));
  CHECK(h.waves() == 4 * 5);
  array const waves = on_torus(8, [](double a, double b) { return std::cos(2 * a - b); });
  hartley const square(8, 8);
  array const c = square(waves);
  for (index_t i = 0; i < 64; ++i)
    if (square.wave(i) != square.wave(1 * 8 + 2)) CHECK(std::abs(c(0, i)) <= 1e-13);
}

TEST_CASE("a homogeneous Gaussian keeps the samples' power and is told waves of any speed") {
  index_t const n = 8, frames = 3, count = 40;
  array samples(count, frames * n * n);  // cos(x - t + phase) about a field of its own
  for (index_t r = 0; r < count; ++r)
    for (index_t i = 0; i < frames * n * n; ++i) {
      double const at = tau * double(i % n) / double(n), phase = tau * double(r) / double(count);
      samples(r, i) = std::sin(at) + std::cos(at - double(i / (n * n)) + phase);
    }
  auto const prior = homogeneous_gaussian(samples, frames, n, n);
  CHECK(prior.variance.sum() == Approx(0.5 * double(frames * n * n)));
  array const x = normals(2, frames * n * n, key{13}), noise_alone = zeros_like(x);
  CHECK(distance(prior.basis.adjoint(prior.basis(x)), x) <= 1e-13);
  // two coordinates in time are all that a wave has: the third frame follows from two
  array noisy = samples.topRows(2);
  noisy.rightCols(n * n) += 0.5 * normals(2, n * n, key{14});
  observation const seen{masked<array>(noisy, [&] {
                           std::vector<std::int64_t> first(static_cast<std::size_t>(2 * n * n));
                           std::iota(first.begin(), first.end(), 0);
                           return first;
                         }(), frames * n * n), array(noisy.leftCols(2 * n * n)), scalar_error{1e-6}};
  CHECK(distance(mmps{prior, seen, gmres{12}}(array(array::Zero(2, frames * n * n)), level{1, 1e3}), array(samples.topRows(2))) <= 1e-2);
}
