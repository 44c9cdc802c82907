// SPDX-License-Identifier: Apache-2.0
#include <sda/trajectory/thread_communicator.hpp>
#include <sda/trajectory/window.hpp>

#include <dense.hpp>
#include <sda_test.hpp>

using namespace sda;
using namespace sda_test;

namespace {

constexpr window_mode modes[] = {window_mode::symmetric, window_mode::causal, window_mode::average};

struct untouched {
  array operator()(array const& x, level) const { return x; }
};

/// x̂ = tanh(a x W): no symmetry, not linear, and every row comes out as if it were alone.
struct rough {
  array w;
  struct linearization {
    array at, w;
    array const& value() const { return at; }
    array vjp(array const& u) const {
      array const wt = w.transpose(), inside = u * (1 - at * at);
      array out = zeros(u, u.rows(), w.rows());
      multiply(out, inside, wt);
      return out;
    }
    array jvp(array const& v) const {
      array out = zeros(v, v.rows(), w.cols());
      multiply(out, v, w);
      return out * (1 - at * at);
    }
  };
  linearization linearize(array const& x, level l) const {
    array const scaled = l.alpha * w;
    array y = zeros(x, x.rows(), w.cols());
    multiply(y, x, scaled);
    for (double& e : y.reshaped()) e = std::tanh(e);
    return {y, scaled};
  }
  array operator()(array const& x, level l) const { return linearize(x, l).value(); }
};

rough rough_window(index_t n, std::uint64_t seed) { return {normals(n, n, key{seed}) / std::sqrt(double(n))}; }

double inner(array const& x, array const& y) { return (x * y).sum(); }

template <class F> std::string message(F const& f) {
  try {
    f();
  } catch (error const& e) { return e.what(); }
  return {};
}

auto blanket(index_t steps, index_t k, double phi) { return windowed{pseudo_blankets(steps, 1, k), centred(ar1(2 * k + 1, phi))}; }

}  // namespace

TEST_CASE("windows of an identity denoiser give the trajectory back, in every mode") {
  for (window_mode const mode : modes)
    for (index_t const steps : {24, 36, 48, 72, 96})
      for (index_t const stride : {12, 6, 4, 3}) {
        window_plan const plan{steps, 3, 24, stride, mode};
        array const x = normals(2, plan.columns(), key{1});
        double const rounding = mode == window_mode::average ? 4e-16 : 0;
        REQUIRE(distance(windowed{plan, untouched{}}(x, level{1, 1}), x) <= rounding);
      }
}

TEST_CASE("odd overlaps and strides of one give the trajectory back too") {
  for (window_mode const mode : modes)
    for (auto const& plan :
         {window_plan{11, 2, 5, 3, mode}, window_plan{9, 2, 5, 2, mode}, window_plan{10, 2, 5, 5, mode}, window_plan{12, 4, 5, 1, mode, 6}}) {
      array const x = normals(3, plan.columns(), key{2});
      CHECK(distance(windowed{plan, untouched{}}(x, level{1, 1}), x) <= 4e-16);
    }
}

TEST_CASE("the pseudo-blanket takes every step from the window most centred on it") {
  window_plan const plan = pseudo_blankets(9, 1, 2);
  std::vector<index_t> owners;
  for (index_t s = 0; s < 9; ++s) owners.push_back(plan.owner(s));
  CHECK(owners == std::vector<index_t>{0, 0, 0, 1, 2, 3, 4, 4, 4});
}

TEST_CASE("cut and join are adjoint to what they say, and windows of a rough denoiser too") {
  for (window_mode const mode : modes)
    for (index_t const shared : {0, 4}) {
      window_plan const plan{11, 6, 5, 3, mode, shared};
      index_t const w = plan.window_columns(), n = plan.count();
      array const x = normals(2, plan.columns(), key{3}), u = normals(2 * n, w, key{4}), z = normals(2, plan.columns(), key{5});
      window_cut const cut{plan};
      window_join const join{plan};
      CHECK(inner(cut(x), u) == Approx(inner(x, cut.adjoint(u))).epsilon(1e-13));
      CHECK(inner(join(u), x) == Approx(inner(u, join.adjoint(x))).epsilon(1e-13));
      auto const d = windowed{plan, rough_window(w, 6)};
      auto const at = linearize(d, x, level{0.7, 0.3});
      CHECK((at.value() == d(x, level{0.7, 0.3})).all());
      double const there = inner(at.jvp(z), x), back = inner(z, at.vjp(x));
      CHECK(std::abs(there - back) <= 1e-12 * std::abs(there));
    }
}

TEST_CASE("batches and ranks change no bit of the value, vjp or jvp; one denoiser or one per window") {
  window_plan const plan{11, 6, 5, 3, window_mode::symmetric, 4};
  index_t const w = plan.window_columns();
  level const l{0.8, 0.6};
  array const x = normals(2, plan.columns(), key{7}), u = normals(2, plan.columns(), key{8});
  auto const of = [&](index_t i) { return rough_window(w, 10 + std::uint64_t(i)); };
  auto const check = [&](auto const& inside) {
    auto const alone = linearize(windowed{plan, inside}, x, l);
    array const value = alone.value(), vjp = alone.vjp(u), jvp = alone.jvp(u);
    for (int const size : {1, 2, 3, 5})
      for (index_t const batch : {0, 1, 2}) {
        std::vector<char> equal(std::size_t(size), 0);
        on_threads(size, [&](thread_communicator c) {
          auto const d = windowed{plan, inside, c, batch};
          auto const at = linearize(d, x, l);
          array const plain = d(x, l), v = at.vjp(u), j = at.jvp(u);
          equal[std::size_t(c.rank())] = (plain == value).all() && (at.value() == value).all() && (v == vjp).all() && (j == jvp).all();
        });
        for (char const e : equal) CHECK(e);
      }
  };
  check(rough_window(w, 9));
  check(of);
}

TEST_CASE("each window gets its own denoiser, each row its own trajectory") {
  window_plan const plan{10, 1, 4, 3};
  struct tagged {
    double tag;
    array operator()(array const& x, level) const { return x + tag; }
  };
  array const x = normals(3, 10, key{11});
  array const tags = windowed{plan, [](index_t w) { return tagged{100.0 * double(w)}; }}(x, level{1, 1}) - x;
  for (index_t s = 0; s < 10; ++s)
    for (index_t m = 0; m < 3; ++m) CHECK(tags(m, s) == Approx(100.0 * double(plan.owner(s))).margin(1e-12));
}

TEST_CASE("shared columns reach every window and come back as the mean over windows") {
  window_plan const plan{6, 1, 2, 2, window_mode::symmetric, 2};
  struct sums {  // shared columns become the sum of the window's steps, and themselves
    array operator()(array const& x, level) const {
      array y = x;
      y.col(2) = x.col(0) + x.col(1);
      return y;
    }
  };
  array const x = normals(2, plan.columns(), key{12}), y = windowed{plan, sums{}}(x, level{1, 1});
  for (index_t m = 0; m < 2; ++m) {
    CHECK(y(m, 6) == Approx(x.row(m).head(6).sum() / 3));
    CHECK(y(m, 7) == Approx(x(m, 7)));
  }
}

TEST_CASE("windows that do not tile are refused with the numbers") {
  array const x = normals(1, 40, key{13});
  CHECK(message([&] {
          windowed{window_plan{40, 1, 24, 12}, untouched{}}(x, level{1, 1});
        }).find("windows of 24 steps every 12 do not tile 40 steps; 48 steps would be tiled") == 0);
  CHECK(message([&] { windowed{window_plan{36, 1, 24, 12}, untouched{}}(x, level{1, 1}); }).find("the state has 40 columns, the plan 36") !=
        std::string::npos);
  CHECK_THROWS_AS((windowed{window_plan{40, 1, 4, 5}, untouched{}}(x, level{1, 1})), error);
  CHECK(window_plan::tiling_steps(40, 24, 12) == 48);
  CHECK(window_plan::tiling_steps(3, 24, 12) == 24);
  CHECK(window_plan::tiling_steps(48, 24, 12) == 48);
}

TEST_CASE("a rank that fails stops the others instead of leaving them waiting") {
  auto const run = [] {
    on_threads(3, [](thread_communicator c) {
      array x = array::Constant(3, 2, c.rank());
      c.all_gather(x);
      require(c.rank() != 1, "rank one is out of order");
      c.all_gather(x);
    });
  };
  CHECK(message(run).find("rank one is out of order") == 0);
  CHECK_THROWS_AS(on_threads(2,
                             [](thread_communicator c) {
                               array x = array::Zero(2, 2 + c.rank());
                               c.all_gather(x);
                             }),
                  error);
}

TEST_CASE("blankets that reach over the whole trajectory are exact; shorter ones improve with every step") {
  index_t const n = 33;
  for (double const phi : {.5, .9}) {
    auto const exact = centred(ar1(n, phi));
    array const x = normals(5, n, key{14});
    for (double const s : {.05, 1.0, 20.0}) {
      CHECK(distance(blanket(n, (n - 1) / 2, phi)(x, level{1, s}), exact(x, level{1, s})) <= 1e-12);
      double last = 1e300;
      for (index_t k = 1; k < 16 && last > 1e-12; ++k) {
        double const now = (blanket(n, k, phi)(x, level{1, s}) - exact(x, level{1, s})).square().mean();
        CHECK(now < last);
        last = now;
      }
    }
  }
}

TEST_CASE("the error of a blanket has the size worked out for AR(1), and vanishes without noise") {
  index_t const n = 65;
  auto const rms = [&](double phi, index_t k, double s) {  // over x_t of the process itself
    matrix const prior = ar1(n, phi), noisy = prior + s * s * matrix::Identity(n, n);
    matrix const e = probe(blanket(n, k, phi), n, {1, s}).m - centred(prior).jacobian({1, s});
    return std::sqrt((e * noisy * e.transpose()).trace() / double(n));
  };
  double const expected[] = {.276, .162, .060, .0085};  // published to three digits
  for (int i = 0; i < 4; ++i) CHECK(rms(.9, index_t{1} << i, 1) == Approx(expected[i]).epsilon(.01));
  for (double const phi : {.5, .9, .95}) {
    CHECK(rms(phi, 1, .05) <= 2.4e-4);                                    // 2.33e-4 at .95
    CHECK(rms(phi, 1, .05) / rms(phi, 1, .025) == Approx(15).margin(1));  // the fourth power of the noise
  }
}

TEST_CASE("unconditional samples of blankets have the divergence and variance of the window table") {
  index_t const n = 65;
  struct row {
    double phi;
    index_t k;
    double kl, digit, variance;  // digit: the unit of the last one published
  };
  row const table[] = {{.5, 1, .0040, 1e-4, .955},   {.5, 2, 4.0e-4, 1e-5, .973},   {.5, 4, 1.28e-4, 1e-6, .978}, {.5, 8, 1.24e-4, 1e-6, .978},
                       {.9, 1, .119, 1e-3, .712},    {.9, 2, .031, 1e-3, .774},     {.9, 4, .0059, 1e-4, .864},   {.9, 8, 7.0e-4, 1e-5, .943},
                       {.9, 16, 1.4e-4, 1e-5, .975}, {.95, 1, .266, 1e-3, .625},    {.95, 2, .076, 1e-3, .673},   {.95, 4, .018, 1e-3, .760},
                       {.95, 8, .0030, 1e-4, .867},  {.95, 16, 3.1e-4, 1e-5, .950}, {.99, 1, 1.28, 1e-2, .497},   {.99, 2, .41, 1e-2, .520},
                       {.99, 4, .112, 1e-3, .577},   {.99, 8, .025, 1e-3, .670},    {.99, 16, .0035, 1e-4, .802}};
  for (auto const& r : table) {
    auto const got = compare(ddim_moments(blanket(n, r.k, r.phi), n, geometric(1e2, 1e-3, 512), 1), centred(ar1(n, r.phi)));
    INFO("phi " << r.phi << " k " << r.k << " gives " << got.kl << ", " << got.variance);
    CHECK(std::abs(got.kl - r.kl) <= .52 * r.digit);
    CHECK(got.variance == Approx(r.variance).margin(.0006));
  }
}
