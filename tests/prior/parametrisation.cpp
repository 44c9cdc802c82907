// SPDX-License-Identifier: Apache-2.0
#include <sda/calculus/check.hpp>
#include <sda/calculus/schedule.hpp>
#include <sda/prior/parametrisation.hpp>
#include <sda/prior/reschedule.hpp>
#include <sda_test.hpp>

using namespace sda;
using sda_test::distance;
using sda_test::normals;
using state = host_array<double>;

namespace {

/// A smooth network with a full Jacobian: net(x, c) = c + tanh(x M), c a number or the noise ratio of a level.
struct network {
  state m;

  state operator()(state const& x, auto c) const { return linearize(x, c).value(); }
  auto linearize(state const& x, auto c) const {
    struct at {
      state m, y, slope;
      state const& value() const { return y; }
      state jvp(state const& v) const { return slope * (v.matrix() * m.matrix()).array(); }
      state vjp(state const& u) const { return ((slope * u).matrix() * m.matrix().transpose()).array(); }
    };
    state const y = (x.matrix() * m.matrix()).array().tanh();
    return at{m, y + number(c), 1 - y.square()};
  }
  static double number(double c) { return c; }
  static double number(level l) { return noise_ratio(l); }
};

/// The exact denoiser of N(0, 1): it knows alpha and sigma, and is right at any.
struct exact {
  state operator()(state const& x, level l) const { return l.alpha / (l.alpha * l.alpha + l.sigma * l.sigma) * x; }
};
/// A network that is right only at the levels of one schedule.
template <class P> struct picky {
  P schedule;
  state operator()(state const& x, level l) const {
    double const t = time_of(schedule, noise_ratio(l));
    require(std::abs(schedule(t).alpha - l.alpha) < 1e-9, "trained at alpha = ", schedule(t).alpha, ", asked at ", l.alpha);
    return exact{}(x, l);
  }
};

template <class Body> void for_every_kind(Body const& body) {
  body("x0", predicts_x0{});
  body("eps", predicts_eps{});
  body("v", predicts_v{});
  body("velocity", predicts_velocity{});
  body("score", predicts_score{});
}

/// Levels from SNR 1e8 down to 1e-8, in three families.
template <class Body> void for_every_level(Body const& body) {
  for (int e = -4; e <= 4; ++e) {
    double const r = std::pow(10, e), size = std::hypot(1.0, r);
    body(level{1, r});
    body(level{1 / size, r / size});
    body(level{1 / (1 + r), r / (1 + r)});
  }
}

}  // namespace

TEST_CASE("predictions are what their papers call them") {
  level const l{0.8, 0.6};
  state const x0 = normals(3, 4, key{1}), eps = normals(3, 4, key{2}), x = l.alpha * x0 + l.sigma * eps;
  auto const from_x0 = [&](auto const& kind) { return convert(predicts_x0{}, kind, x0, x, l); };
  CHECK(distance(from_x0(predicts_eps{}), eps) < 1e-15);
  CHECK(distance(from_x0(predicts_v{}), state(l.alpha * eps - l.sigma * x0)) < 1e-15);
  CHECK(distance(from_x0(predicts_velocity{}), state(eps - x0)) < 1e-15);
  CHECK(distance(from_x0(predicts_score{}), state((l.alpha * x0 - x) / (l.sigma * l.sigma))) < 1e-15);
  CHECK((from_x0(predicts_x0{}) == x0).all());
}

TEST_CASE("any prediction turns into any other and back, over SNR 1e-8 to 1e8") {
  state const x0 = normals(3, 16, key{1}), eps = normals(3, 16, key{2});
  for_every_level([&](level l) {
    state const x = l.alpha * x0 + l.sigma * eps;
    for_every_kind([&](char const* from_name, auto const& from) {
      for_every_kind([&](char const* to_name, auto const& to) {
        INFO(from_name << " to " << to_name << " at alpha = " << l.alpha << ", sigma = " << l.sigma);
        combination const c = from(l);
        state const given = c.clean * x0 + c.noise * eps;
        state const back = convert(to, from, convert(from, to, given, x, l), x, l);
        // Both representations together say x_t = α x_0 + σ ε. What is small beside the other term of that sum is known
        // only as well as x_t is: an error counts by what it does to x_t.
        double const weight = std::min(c.clean != 0 ? l.alpha / std::abs(c.clean) : 1e300, c.noise != 0 ? l.sigma / std::abs(c.noise) : 1e300);
        CHECK(weight * (back - given).abs().maxCoeff() < 1e-12 * x.abs().maxCoeff());
      });
    });
  });
}

TEST_CASE("where nothing cancels, conversions keep every digit") {
  state const x0 = normals(3, 16, key{1}), eps = normals(3, 16, key{2});
  for_every_level([&](level l) {
    state const x = l.alpha * x0 + l.sigma * eps, v = l.alpha * eps - l.sigma * x0;
    double const size2 = l.alpha * l.alpha + l.sigma * l.sigma;
    // v and x_t are a rotation of x_0 and ε.
    CHECK(distance(convert(predicts_v{}, predicts_x0{}, v, x, l), x0) * l.alpha / std::sqrt(size2) < 1e-14);
    CHECK(distance(convert(predicts_v{}, predicts_eps{}, v, x, l), eps) * l.sigma / std::sqrt(size2) < 1e-14);
    if (l.sigma > l.alpha) CHECK(distance(convert(predicts_x0{}, predicts_eps{}, x0, x, l), eps) < 1e-14);
    if (l.sigma < l.alpha) CHECK(distance(convert(predicts_eps{}, predicts_x0{}, eps, x, l), x0) < 1e-14);
  });
}

TEST_CASE("predicting makes the same denoiser of every kind of network") {
  level const l{0.3, 1.7};
  state const x = normals(4, 6, key{3});
  for_every_kind([&](char const* name, auto const& kind) {
    INFO(name);
    auto const net = [&](state const& y, level at) { return convert(predicts_x0{}, kind, exact{}(y, at), y, at); };
    CHECK(distance(predicting{net, kind}(x, l), exact{}(x, l)) < 1e-14);
  });
}

TEST_CASE("predicting differentiates with its network") {
  network const net{normals(6, 6, key{5})};
  state const x = normals(4, 6, key{3});
  for (level const l : {level{0.3, 1.7}, level{1, 0.1}})
    for_every_kind([&](char const* name, auto const& kind) {
      INFO(name);
      predicting const d{net, kind};
      static_assert(DifferentiableDenoiser<decltype(d), state>);
      CHECK(check_adjoint(d, x, key{1}, l) < 1e-14);
      CHECK(check_derivative(d, x, key{1}, l) < 1e-7);
    });
}

TEST_CASE("preconditioned with a zero network is the denoiser of N(0, sigma_data²), at any alpha") {
  struct silent {
    state operator()(state const& x, double) const { return zeros_like(x); }
  };
  state const x = normals(2, 5, key{1});
  for (level const l : {level{1, 0.5}, level{0.2, 3}, level{1e-3, 1}}) {
    double const d = 0.7;
    state const expected = l.alpha * d * d / (l.alpha * l.alpha * d * d + l.sigma * l.sigma) * x;
    CHECK(distance(preconditioned{silent{}, d}(x, l), expected) < 1e-15);
  }
}

TEST_CASE("preconditioned feeds Appa's network what its paper says") {
  state const x = normals(2, 5, key{1});
  double const s = 3;
  auto const net = [](state const& y, double c) { return state(y.sin() + c); };
  state const expected = x / (1 + s * s) + s / std::sqrt(1 + s * s) * net(x / std::sqrt(1 + s * s), 10 * std::log(s));
  CHECK(distance(preconditioned{net, 1, 10}(x, level{1, s}), expected) < 1e-14);
}

TEST_CASE("preconditioned keeps input and target of the network at unit variance") {
  level const l{0.4, 2};
  double const d = 0.7;
  state const x0 = d * normals(1, 200000, key{1}), x = l.alpha * x0 + l.sigma * normals(1, 200000, key{2});
  state input;
  auto const net = [&](state const& y, double) {
    input = y;
    return zeros_like(y);
  };
  auto const one = [](state const& y, double) { return state(zeros_like(y) + 1); };
  state const skip = preconditioned{net, d}(x, l);
  double const out = (preconditioned{one, d}(x, l) - skip)(0, 0);
  state const target = (x0 - skip) / out;
  // the variance of n normals has a standard deviation of √(2 / n) = 0.0032
  CHECK(input.square().mean() == Approx(1).margin(0.013));
  CHECK(target.square().mean() == Approx(1).margin(0.013));
}

TEST_CASE("preconditioned differentiates with its network, and refuses levels without noise") {
  network const net{normals(6, 6, key{5})};
  state const x = normals(4, 6, key{3});
  preconditioned const d{net, 0.5};
  static_assert(DifferentiableDenoiser<decltype(d), state>);
  for (level const l : {level{0.3, 1.7}, level{1, 0.1}, level{1, 30}}) {
    CHECK(check_adjoint(d, x, key{1}, l) < 1e-14);
    CHECK(check_derivative(d, x, key{1}, l) < 1e-7);
  }
  CHECK_THROWS_AS(d(x, level{1, 0}), error);
}

TEST_CASE("a denoiser trained under one schedule answers at the levels of any other") {
  state const x = normals(3, 6, key{1});
  auto const check = [&](auto const& trained) {
    for (double const t : {0.1, 0.5, 0.9}) {
      level const asked = rectified_flow{.sigma_min = 1e-2}(t);
      CHECK(distance(rescaled{picky<decltype(trained)>{trained}, to_schedule{trained}}(x, asked), exact{}(x, asked)) < 1e-11);
    }
  };
  check(vp_cosine{});
  check(vp_exponential{});
  check(rectified{});
  check(decay{});
  for (double const t : {0.1, 0.5, 0.9}) {
    level const asked = ensf_linear{}(t);
    CHECK(distance(rescaled{picky<log_linear>{}, to_exploding{}}(x, asked), exact{}(x, asked)) < 1e-14);
    level const preserving = to_preserving{}(asked);
    CHECK(std::hypot(preserving.alpha, preserving.sigma) == Approx(1).epsilon(1e-15));
    CHECK(noise_ratio(preserving) == Approx(noise_ratio(asked)).epsilon(1e-15));
  }
}

TEST_CASE("levels beyond a schedule: cleaner ones count as its cleanest, noisier ones are refused") {
  to_schedule const map{vp_cosine{}};
  CHECK(map({1, 1e-9}) == vp_cosine{}(0));
  CHECK_THROWS_AS(map({1, 2e3}), error);
}

TEST_CASE("rescaled and timed differentiate with what they wrap") {
  network const net{normals(6, 6, key{5})};
  state const x = normals(4, 6, key{3});
  level const l{0.3, 1.7};
  rescaled const d{predicting{net, predicts_eps{}}, to_schedule{vp_cosine{}}};
  static_assert(DifferentiableDenoiser<decltype(d), state>);
  CHECK(check_adjoint(d, x, key{1}, l) < 1e-14);
  CHECK(check_derivative(d, x, key{1}, l) < 1e-7);
  timed const clock{net, vp_cosine{}};
  CHECK(check_adjoint(clock, x, key{1}, l) < 1e-14);
  CHECK(check_derivative(clock, x, key{1}, l) < 1e-7);
}

TEST_CASE("timed hands the network the t of the level") {
  auto const net = [](state const& x, double t) { return state(zeros_like(x) + t); };
  ddpm_betas const p;
  CHECK(timed{net, p}(state(zeros_like(normals(1, 1, key{}))), p(700 / 999.0))(0, 0) == Approx(700 / 999.0).epsilon(1e-12));
}
