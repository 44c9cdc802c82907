// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>

#include <functional>
#include <sda/calculus/schedule.hpp>
#include <sda/sampler/heun.hpp>
#include <sda/sampler/multistep.hpp>
#include <sda/sampler/sample.hpp>

using namespace sda;
using array = host_array<double>;
using denoiser = std::function<array(array const&, level)>;  // one type, so that each sampler is compiled once

namespace {

// The mean of a one-dimensional two-component mixture given x_t, element by element.
struct mixture_mean {
  level l;
  template <class T> T operator()(T const& x) const {
    double const weight[] = {0.3, 0.7}, mean[] = {-1.5, 1}, variance[] = {0.25, 0.09};
    T share = 0, sum = 0;
    for (int k = 0; k < 2; ++k) {
      double const seen = l.alpha * l.alpha * variance[k] + l.sigma * l.sigma;
      T const away = x - l.alpha * mean[k], p = weight[k] / std::sqrt(seen) * std::exp(away * away / (-2 * seen));
      share += p;
      sum += p * (mean[k] + l.alpha * variance[k] / seen * away);
    }
    return sum / share;
  }
};

// The probability-flow ODE of that mixture from 512 starts, VE from 10 to 0.05.
struct mixture_ode {
  denoiser prior = [](array const& x, level l) {
    array clean = zeros_like(x);
    transform(clean, mixture_mean{l}, x);
    return clean;
  };
  array start = 10 * sda_test::normals(1, 512, key{1});

  array solved(auto const& sampler, index_t steps) const {
    return sample_from(sampler, prior, uniform_grid(log_linear{0.05, 10}, steps), start, key{});
  }
  // Richardson's extrapolation of a fourth-order method.
  array solution = (16 * solved(exponential_x<4>{}, 2048) - solved(exponential_x<4>{}, 1024)) / 15;

  double rms(auto const& sampler, index_t steps) const { return std::sqrt((solved(sampler, steps) - solution).square().mean()); }
};

// The order between 256 and 512 steps, and an error the reference computation had at 512, for its own 512 starts.
void check_order(mixture_ode const& ode, char const* name, auto const& sampler, double low, double high, double expected_error = 0) {
  double const coarse = ode.rms(sampler, 256), fine = ode.rms(sampler, 512);
  INFO(name << ": " << coarse << " at 256 steps, " << fine << " at 512");
  CHECK(std::log2(coarse / fine) >= low);
  CHECK(std::log2(coarse / fine) <= high);
  if (expected_error > 0) CHECK(std::abs(std::log(fine / expected_error)) < std::log(1.4));  // it drew other starts
}

// exponential_rotation<2> with the increment scaled by √(α_s² + σ_t²) instead of √(α_s² + σ_s²): the slip of azula's REAB.
struct slipped_rotation {
  slopes<array> memory(array const&) const { return {}; }
  void step(denoiser const& d, array& x, slopes<array>& past, transition t, key) const {
    slope_weights const w = rotation_form::slope(t.from);
    past.push(w.x * x + w.clean * d(x, t.from), rotation_form::node(t.from));
    past.keep(2);
    auto const c = multistep_weights<rotation_form>(past.node, rotation_form::node(t.from), rotation_form::node(t.to));
    x *= rotation_form::scale(t.to) / rotation_form::scale(t.from);
    for (std::size_t i = 0; i < c.size(); ++i) x += std::hypot(t.to.alpha, t.from.sigma) * c[i] * past.q[i];
  }
};

denoiser const unit_normal = [](array const& x, level l) -> array { return l.alpha / (l.alpha * l.alpha + l.sigma * l.sigma) * x; };

}  // namespace

TEST_CASE("DDIM, Euler and every first-order multistep but the rotation are one map") {
  denoiser const prior = mixture_ode{}.prior;
  array const start = sda_test::normals(1, 64, key{1});
  auto const along = [&](auto const& schedule) {
    auto const levels = uniform_grid(schedule, 17);
    array const x = sample_from(ddim{}, prior, levels, array(start * levels[0].sigma), key{});
    auto const distance = [&](auto const& sampler) {
      return sda_test::distance(sample_from(sampler, prior, levels, array(start * levels[0].sigma), key{}), x);
    };
    CHECK(distance(euler{}) <= 1e-12);
    CHECK(distance(adams_bashforth_v<1>{}) <= 1e-12);
    CHECK(distance(exponential_eps<1>{}) <= 1e-12);
    CHECK(distance(exponential_x<1>{}) <= 1e-12);
  };
  along(log_linear{0.05, 10});
  along(vp_cosine{});
  along(rectified_flow{});
}

TEST_CASE("first order") {
  mixture_ode const ode;
  check_order(ode, "ddim", ddim{}, 0.9, 1.1, 2.52e-3);
  check_order(ode, "adams_bashforth_v<1>", adams_bashforth_v<1>{}, 0.9, 1.1, 2.52e-3);
  check_order(ode, "exponential_rotation<1>", exponential_rotation<1>{}, 0.9, 1.1);
}

TEST_CASE("second order, started plainly") {
  mixture_ode const ode;
  check_order(ode, "heun", heun{}, 1.9, 2.1, 1.07e-5);
  check_order(ode, "adams_bashforth<2>", adams_bashforth<2>{startup::plain}, 1.9, 2.1, 4.2e-5);
  check_order(ode, "adams_bashforth_v<2>", adams_bashforth_v<2>{startup::plain}, 1.9, 2.1, 1.7e-5);
  check_order(ode, "exponential_eps<2>", exponential_eps<2>{startup::plain}, 1.9, 2.1, 2.3e-5);
  check_order(ode, "exponential_x<2>", exponential_x<2>{startup::plain}, 1.9, 2.1, 1.25e-5);
  check_order(ode, "exponential_rotation<2>", exponential_rotation<2>{startup::plain}, 1.9, 2.1, 1.5e-5);
}

TEST_CASE("second order, started accurately") {
  mixture_ode const ode;
  check_order(ode, "adams_bashforth<2>", adams_bashforth<2>{}, 1.9, 2.1);
  check_order(ode, "exponential_x<2>", exponential_x<2>{}, 1.9, 2.1);
}

TEST_CASE("third order needs an accurate start") {
  mixture_ode const ode;
  check_order(ode, "adams_bashforth<3>", adams_bashforth<3>{}, 2.8, 3.2, 1.26e-6);
  check_order(ode, "adams_bashforth_v<3>", adams_bashforth_v<3>{}, 2.8, 3.2);
  check_order(ode, "exponential_eps<3>", exponential_eps<3>{}, 2.8, 3.2);
  check_order(ode, "exponential_x<3>", exponential_x<3>{}, 2.8, 3.2, 9.1e-8);
  check_order(ode, "exponential_rotation<3>", exponential_rotation<3>{}, 2.8, 3.2);
  check_order(ode, "adams_bashforth<3>, plain", adams_bashforth<3>{startup::plain}, 2, 2.8, 1.9e-6);
  check_order(ode, "exponential_x<3>, plain", exponential_x<3>{startup::plain}, 2, 2.3, 9.5e-7);
}

TEST_CASE("fourth order") {
  mixture_ode const ode;
  check_order(ode, "adams_bashforth<4>", adams_bashforth<4>{}, 3.8, 4.2);
  check_order(ode, "adams_bashforth_v<4>", adams_bashforth_v<4>{}, 3.8, 4.2);
  check_order(ode, "exponential_eps<4>", exponential_eps<4>{}, 3.8, 4.2);
  check_order(ode, "exponential_x<4>", exponential_x<4>{}, 3.8, 4.2);
  check_order(ode, "exponential_rotation<4>", exponential_rotation<4>{}, 3.8, 4.2);
}

TEST_CASE("with azula's slip the rotation loses an order") {
  mixture_ode const ode;
  check_order(ode, "slipped rotation", slipped_rotation{}, 0.9, 1.1);
}

TEMPLATE_TEST_CASE("the method in x̂ is exact where x̂ is constant, its start included", "", exponential_x<1>, exponential_x<2>, exponential_x<3>,
                   exponential_x<4>) {
  denoiser const dirac = [](array const& x, level) -> array { return array::Constant(x.rows(), x.cols(), 1.7); };
  array const z = sda_test::normals(3, 5, key{2});
  for (auto const& levels : {uniform_grid(vp_cosine{}, 6), uniform_grid(log_linear{1e-3, 1e2}, 6)}) {
    level const first = levels.front(), last = levels.back();
    array const x = sample_from(TestType{}, dirac, levels, array(first.alpha * 1.7 + first.sigma * z), key{});
    CHECK(sda_test::distance(x, array(last.alpha * 1.7 + last.sigma * z)) <= 1e-13);
  }
}

TEMPLATE_TEST_CASE("the methods in ẑ are exact where ẑ is constant, their starts included", "", exponential_eps<1>, exponential_eps<3>,
                   exponential_eps<4>, adams_bashforth<1>, adams_bashforth<3>, adams_bashforth<4>) {
  denoiser const prior = [](array const& x, level l) -> array { return (x + 0.6 * l.sigma) / l.alpha; };
  array const clean = sda_test::normals(3, 5, key{2});
  for (auto const& levels : {uniform_grid(vp_cosine{1e-2, 1e-2}, 6), uniform_grid(log_linear{1e-2, 1e2}, 6)}) {
    level const first = levels.front(), last = levels.back();
    array const x = sample_from(TestType{}, prior, levels, array(first.alpha * clean + first.sigma * -0.6), key{});
    // The start carries clean with alpha / sigma_1 of its digits.
    CHECK(sda_test::distance(x, array(last.alpha * clean + last.sigma * -0.6)) <= 1e-14 * noise_ratio(first));
  }
}

TEST_CASE("coefficients are those of the published Adams-Bashforth example") {
  // sigma 10, 6, 3 seen, step 3 -> 1.
  auto const near = [](std::vector<double> const& c, std::vector<double> const& expected) {
    REQUIRE(c.size() == expected.size());
    for (std::size_t i = 0; i < c.size(); ++i) CHECK(c[i] == Approx(expected[i]).epsilon(1e-7));
  };
  near(multistep_weights<noise_form>({3}, 3, 1), {-2});
  near(multistep_weights<noise_form>({3, 6}, 3, 1), {-2.6666667, 0.6666667});
  near(multistep_weights<noise_form>({3, 6, 10}, 3, 1), {-3.0793651, 1.3888889, -0.3095238});
}

TEST_CASE("weights integrate cubics to rounding error on steps of any length") {
  // ∫ e^n n³ dn = e^n (n³ - 3n² + 6n - 6); interpolation through four nodes reproduces n³.
  std::vector<double> const nodes{0.5, 1, 2, 3.5};
  auto const primitive = [](double n) { return std::exp(n) * (((n - 3) * n + 6) * n - 6); };
  for (double const to : {0.4, -1.0, -6.0}) {
    auto const c = multistep_weights<exponential_noise_form>(nodes, 0.5, to);
    double sum = 0, size = 0;
    for (std::size_t i = 0; i < 4; ++i) sum += c[i] * std::pow(nodes[i], 3), size += std::abs(c[i]) * std::pow(nodes[i], 3);
    CHECK(std::abs(sum - (primitive(to) - primitive(0.5))) <= 1e-14 * std::max(1.0, size));
  }
  // ∫ dn / (2 cosh n) = arctan e^n, for any weights that sum over the nodes.
  for (double const to : {0.4, -1.0, -6.0}) {
    auto const c = multistep_weights<rotation_form>({0.5}, 0.5, to);
    CHECK(c[0] == Approx(std::atan(std::exp(to)) - std::atan(std::exp(0.5))).epsilon(1e-14));
  }
}

TEST_CASE("a standard normal prior shrinks by the published factors under the rectified schedule") {
  auto const factor = [](auto const& sampler, index_t steps) {
    return sample_from(sampler, unit_normal, uniform_grid(rectified{}, steps), array(array::Constant(1, 1, 1000)), key{})(0, 0);
  };
  std::vector<index_t> const steps{8, 16, 32, 64, 256};
  std::vector<double> const euler_factors{.85119, .92290, .96071, .98016, .99499}, lms_factors{.93486, .98355, .99621, .99915, .99995};
  for (std::size_t i = 0; i < steps.size(); ++i) {
    CHECK(std::abs(factor(ddim{}, steps[i]) - euler_factors[i]) <= 2e-5);  // sigma_max was 1000.013 there, a float32 number
    CHECK(std::abs(factor(lms<3>, steps[i]) - lms_factors[i]) <= 2e-5);
  }
}

TEST_CASE("a schedule may begin without signal and end without noise") {
  // Along a quarter of a circle the exact flow of a standard normal prior stands still.
  std::vector<level> levels;
  for (int i = 64; i >= 0; --i) levels.push_back({std::cos(i * M_PI / 128), std::sin(i * M_PI / 128)});
  levels.front().alpha = 0;
  array const start = sda_test::normals(4, 3, key{5});
  auto const check = [&](auto const& sampler) { CHECK(sda_test::distance(sample_from(sampler, unit_normal, levels, start, key{}), start) < 1e-3); };
  check(heun{});
  check(adams_bashforth<3>{});
  check(adams_bashforth<4>{});
  check(adams_bashforth_v<4>{});
  check(exponential_eps<3>{});
  check(exponential_x<4>{});
  check(exponential_rotation<4>{});
}

TEST_CASE("evaluations are counted as documented") {
  int calls = 0;
  denoiser const counting = [&](array const& x, level l) { return ++calls, unit_normal(x, l); };
  auto const cost = [&](auto const& sampler) {
    calls = 0;
    sample_from(sampler, counting, uniform_grid(rectified{}, 10), array(array::Zero(1, 2)), key{});
    return calls;
  };
  CHECK(cost(ddim{}) == 10);
  CHECK(cost(heun{}) == 20);
  CHECK(cost(lms<4>) == 10);
  CHECK(cost(adams_bashforth<1>{}) == 10);
  CHECK(cost(adams_bashforth<2>{}) == 11);
  CHECK(cost(exponential_x<3>{}) == 12);
  CHECK(cost(exponential_x<4>{}) == 15);
}
