// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>

#include <limits>
#include <scripted.hpp>
#include <sda/sampler/corrector.hpp>
#include <sda/sampler/multistep.hpp>
#include <sda/sampler/observe.hpp>
#include <sda/sampler/sample.hpp>
#include <sstream>
#if defined(_OPENMP)
#include <omp.h>
#endif

using namespace sda;

namespace {

// A standard normal prior: E[x_0 | x_t] = α x_t / (α² + σ²).
struct unit_normal {
  template <State S> S operator()(S const& x, level l) const {
    S clean = zeros_like(x);
    lincomb(clean, term{l.alpha / (l.alpha * l.alpha + l.sigma * l.sigma), x});
    return clean;
  }
};

struct variance_exploding {
  level operator()(double t) const { return {1, 0.01 * std::pow(1e4, t)}; }
};

// Spoils one row from one level on.
struct spoiled {
  index_t row;
  double from_sigma;
  host_array<double> operator()(host_array<double> const& x, level l) const {
    host_array<double> clean = unit_normal{}(x, l);
    if (l.sigma <= from_sigma) clean(row, 1) = std::numeric_limits<double>::quiet_NaN();
    return clean;
  }
};

std::string message(auto const& run) {
  try {
    run();
  } catch (error const& e) { return e.what(); }
  return "no error";
}

bool contains(std::string const& text, std::string const& part) { return text.find(part) != std::string::npos; }

constexpr pc correcting_run{ddpm, adaptive_langevin{}, 2, correcting::after};

}  // namespace

TEST_CASE("a batch of members computes what the whole computes in its rows, bit for bit") {
  key const k{11};
  auto const whole = sample(correcting_run, unit_normal{}, variance_exploding{}, 12, host_array<double>(7, 33), k);
  auto const part = sample(correcting_run, unit_normal{}, variance_exploding{}, 12, host_array<double>(3, 33), k.from_row(2));
  CHECK((part == whole.middleRows(2, 3)).all());
}

#if defined(_OPENMP)
TEST_CASE("the number of threads changes no bit of a run") {
  host_array<float> const like(3, parallel_threshold / 3 + 4001);  // past the threshold of threads, in several pieces a row
  int const threads = omp_get_max_threads();
  omp_set_num_threads(1);
  auto const one = sample(correcting_run, unit_normal{}, variance_exploding{}, 4, like, key{5});
  omp_set_num_threads(4);
  auto const four = sample(correcting_run, unit_normal{}, variance_exploding{}, 4, like, key{5});
  omp_set_num_threads(threads);
  CHECK((one == four).all());
}
#endif

TEST_CASE("a run starts from sigma times the noise of its key and passes every level once") {
  recorder<host_array<double>> seen;
  key const k{3};
  auto const x = sample(ddim{}, unit_normal{}, variance_exploding{}, 5, host_array<double>(2, 4), k, seen);
  REQUIRE(seen.states.size() == 6);
  CHECK((seen.states.front() == 100 * sda_test::normals(2, 4, k.fold(0))).all());
  CHECK((seen.states.back() == x).all());
  CHECK(seen.levels == uniform_grid(variance_exploding{}, 5));
}

TEST_CASE("sampling from given noise is sampling") {
  key const k{3};
  auto const levels = uniform_grid(variance_exploding{}, 5);
  host_array<double> const nothing = host_array<double>::Zero(2, 4);
  auto const own = sample(ddpm, unit_normal{}, levels, nothing, k);
  auto const given = sample_from(ddpm, unit_normal{}, levels, noised(nothing, levels[0], k.fold(0)), k);
  CHECK((own == given).all());
}

TEST_CASE("observers may be joined; variables are referred to") {
  recorder<host_array<double>> all, some{.every = 4};
  sample(ddim{}, unit_normal{}, variance_exploding{}, 8, host_array<double>(1, 2), key{1}, together(all, some));
  CHECK(all.states.size() == 9);
  CHECK(some.levels == std::vector<level>{all.levels[0], all.levels[4], all.levels[8]});
}

TEST_CASE("a value that is not finite ends the run where it appears, with step, level and row") {
  index_t seen = 0;
  auto const text = message([&] {
    auto const watch = [&](index_t i, auto const&, level) { seen = i; };
    sample(ddim{}, spoiled{2, 1.1}, variance_exploding{}, 8, host_array<double>(4, 3), key{1}, watch);
  });
  INFO(text);
  CHECK(contains(text, "row 2 of 4"));
  CHECK(contains(text, "after step 5 of 8"));  // sigma is 1 at step 4, where the fifth step starts
  CHECK(contains(text, "sigma 0.316"));
  CHECK(seen == 4);
}

TEST_CASE("on a device the run goes on, and the error names the first step all the same") {
  sda_test::scripted like(host_array<double>::Zero(4, 3), [](auto& xi, index_t) { xi.setOnes(); });
  like.noise->on_host = false;
  index_t seen = 0;
  spoiled const d{2, 1.1};
  auto const text = message([&] {
    auto const watch = [&](index_t i, auto const&, level) { seen = i; };
    sample(ddim{}, sda_test::through{d}, variance_exploding{}, 8, like, key{1}, watch);
  });
  INFO(text);
  CHECK(contains(text, "row 2 of 4 is not finite after step 5 of 8"));
  CHECK(seen == 8);
}

TEST_CASE("a start that is not finite is step 0") {
  host_array<double> x = host_array<double>::Zero(2, 2);
  x(1, 0) = std::numeric_limits<double>::infinity();
  auto const text = message([&] { sample_from(ddim{}, unit_normal{}, uniform_grid(variance_exploding{}, 3), x, key{}); });
  CHECK(contains(text, "row 1 of 2 is not finite after step 0"));
}

TEST_CASE("no members: no samples, and the denoiser is not asked") {
  auto const never = [](host_array<double> const&, level) -> host_array<double> { throw error("asked"); };
  auto const x = sample(ddim{}, never, variance_exploding{}, 4, host_array<double>(0, 5), key{1});
  CHECK(x.rows() == 0);
  CHECK(x.cols() == 5);
}

TEST_CASE("levels that are none are refused with their numbers") {
  host_array<double> const x = host_array<double>::Zero(1, 1);
  CHECK(contains(message([&] { uniform_grid(variance_exploding{}, 0); }), "0 steps"));
  CHECK(contains(message([&] { sample(ddim{}, unit_normal{}, std::vector<level>{}, x, key{}); }), "no levels"));
  std::vector<level> const negative{{1, 1}, {1, -0.5}};
  CHECK(contains(message([&] { sample(ddim{}, unit_normal{}, negative, x, key{}); }), "level 1 of 2 has alpha 1, sigma -0.5"));
}

TEST_CASE("a noisier level is reached by the forward process") {
  // Standard normal data have the variance α² + σ² at every level; the map on the way up is x ↦ (α_s/α_t) x + added ξ.
  transition const up{{0.9, 0.3}, {0.6, 0.7}};
  sda_test::scripted x(host_array<double>::Constant(1, 1, 3.0), [](auto& xi, index_t) { xi.setOnes(); });
  diffuse(x, up, key{});
  double const keep = 0.6 / 0.9, added = x.x(0, 0) - 3 * keep;
  CHECK(keep * keep * (0.81 + 0.09) + added * added == Approx(0.36 + 0.49).epsilon(1e-14));
}

TEST_CASE("a run goes up where its levels do, with a fresh memory") {
  std::vector<level> const levels{{1, 2}, {1, 1}, {1, 0.5}, {1, 1.5}, {1, 0.1}};
  host_array<double> const start = host_array<double>::Constant(1, 3, 2.0);
  key const k{9};
  auto const x = sample_from(adams_bashforth<3>{}, unit_normal{}, levels, start, k);
  std::span<level const> const all(levels);
  auto y = sample_from(adams_bashforth<3>{}, unit_normal{}, all.first(3), start, k);
  diffuse(y, {levels[2], levels[3]}, k.fold(3));
  y = sample_from(adams_bashforth<3>{}, unit_normal{}, all.last(2), y, k);
  CHECK((x == y).all());
}
