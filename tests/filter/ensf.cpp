// SPDX-License-Identifier: Apache-2.0
#include <sda/filter/enff.hpp>
#include <sda/filter/ensf.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda_test.hpp>

using namespace sda;
using S = host_array<double>;

namespace {

// Every third of n columns, through h; errors of their own.
template <class F> auto thirds(S const& like, F const& h) {
  std::vector<std::int64_t> at;
  for (index_t c = 1; c < like.cols(); c += 3) at.push_back(c);
  index_t const p = index_t(at.size());
  return observation{composed{pointwise{h}, masked<S>(like, at, like.cols())}, S(0.5 * sda_test::normals(1, p, key{1})),
                     diagonal_error<S>(S(sda_test::normals(1, p, key{2}).square() + 0.1))};
}

}  // namespace

TEST_CASE("the quick arctangent is the arctangent, odd, with the same slope") {
  double worst = 0, worst_float = 0;
  for (double x = -60; x <= 60; x += 1e-3) {
    worst = std::max(worst, std::abs(quick_arctan{}(x)-std::atan(x)));
    worst_float = std::max(worst_float, std::abs(double(quick_arctan{}(float(x))) - std::atan(double(float(x)))));
    CHECK(quick_arctan{}(-x) == -quick_arctan{}(x));
    CHECK(std::abs(quick_arctan{}.slope(x) - arctan{}.slope(x)) <= 5e-16 * arctan{}.slope(x));  // two roundings more
  }
  CHECK(worst <= 2.1e-8);      // of the polynomial
  CHECK(worst_float <= 2e-7);  // and of rounding numbers near π/2 a few times
  CHECK(quick_arctan{}(1e30f) == Approx(std::atan(1e30)));
  CHECK(quick_arctan{}(0.0) == 0);
}

TEST_CASE("the walk of single scalars is euler-maruyama under the damped likelihood, on any number of columns") {
  for (index_t const n : {1, 40, 600}) {
    S const forecast = sda_test::normals(4, n, key{3}) + 1;
    auto const check = [&](auto const& seen) {
      ensf const filter{.steps = 60};
      S walked = forecast, composed_of_parts = forecast;
      filter.analyse(walked, seen, key{4});
      filter.analyse_by_composition(composed_of_parts, seen, key{4});
      CHECK(sda_test::distance(walked, composed_of_parts) <= 1e-11);  // rounding, 60 steps
    };
    check(observation{pointwise{arctan{}}, sda_test::normals(1, n, key{5}), scalar_error{0.3}});
    if (n > 1) check(thirds(forecast, arctan{}));
    check(observation{masked<S>(forecast, std::vector<std::int64_t>{n / 2}, n), S(S::Constant(1, 1, 2)), scalar_error{0.5}});
  }
}

TEST_CASE("in float with the quick arctangent the walk stays near that in double") {
  host_array<float> e = sda_test::normals<float>(5, 1000, key{6});
  S exact = e.cast<double>();
  host_array<float> const y = sda_test::normals<float>(1, 1000, key{7}) * 0.5f;
  ensf{}.analyse(e, observation{pointwise{quick_arctan{}}, y, scalar_error{0.01}}, key{8});
  ensf{}.analyse(exact, observation{pointwise{arctan{}}, S(y.cast<double>()), scalar_error{0.01}}, key{8});
  CHECK(sda_test::distance(e, exact) <= 1e-4);  // float noise and rounding, contracted by 500 steps
}

TEST_CASE("a walk has the same bits in vectors of every width") {
  auto const steps = ensf_steps(40, key{19}, 0.5, 0.025);
  std::vector<ensf_step<float>> path;
  for (auto const& s : steps)
    path.push_back({float(s.alpha), float(s.precision), float(s.trust), float(s.keep), float(s.push), float(s.kick), s.draw});
  index_t const n = 203, row = 3, first = 1022;
  host_array<float> const start = sda_test::normals<float>(1, n, key{20}), x = sda_test::normals<float>(1, n, key{21}), r = x.square() * 900;
  host_array<float> by_one = start;
  for (index_t c = 0; c < n; ++c)
    for (auto const& s : path)
      by_one(0, c) =
          ensf_move(by_one(0, c), x(0, c), start(0, c), r(0, c), quick_arctan{}.both(by_one(0, c)), s, normal<float>(s.draw, row, first + c));
  for (vectors const v : {vectors::plain, vectors::avx2, vectors::avx512}) {
    if (v > widest_vectors()) continue;
    host_array<float> z = start;
    detail::ensf_walk_run(v, z.data(), x.data(), start.data(), r.data(), quick_arctan{}, std::span<ensf_step<float> const>(path), row, first, n);
    CHECK((z == by_one).all());
  }
}

TEST_CASE("start noise is standard over the members, and with one member its own score is everybody's") {
  S e = sda_test::normals(1, 30, key{9}), same = e;
  auto const seen = thirds(e, arctan{});
  ensf{.steps = 20, .from = ensf::scores::own_member}.analyse(e, seen, key{10});
  ensf{.steps = 20, .from = ensf::scores::all_members}.analyse(same, seen, key{10});
  CHECK(sda_test::distance(same, e) <= 1e-12);
}

TEST_CASE("a mini-batch of all members is all members, and of fewer differs from level to level") {
  S const forecast = sda_test::normals(6, 30, key{22});
  auto const seen = thirds(forecast, arctan{});
  auto const analysis = [&](ensf const& filter) {
    S e = forecast;
    filter.analyse(e, seen, key{23});
    return e;
  };
  S const all = analysis({.steps = 20, .from = ensf::scores::all_members});
  CHECK(sda_test::distance(analysis({.steps = 20, .from = ensf::scores::mini_batch, .batch = 6}), all) <= 1e-11);
  S const few = analysis({.steps = 20, .from = ensf::scores::mini_batch, .batch = 2});
  CHECK(few.isFinite().all());
  CHECK(sda_test::distance(few, all) > 1e-3);
  CHECK_THROWS_WITH(analysis({.steps = 20, .from = ensf::scores::mini_batch, .batch = 7}), Catch::Contains("7 of 6 members"));
}

TEST_CASE("members that nothing is seen of are returned with the variance of the walk alone, wherever they were") {
  index_t const n = 4000;
  S const at = 3 * sda_test::normals(1, n, key{11});
  S e = at.replicate(20, 1);
  ensf{.steps = 100}.analyse(e, observation{masked<S>(e, std::vector<std::int64_t>{}, n), S(1, 0), scalar_error{1}}, key{12});
  // z ← a z + b x + kick ξ in every step: the affine recursion gives weight and variance
  double weight = 0, variance = 1;
  for (auto const& s : ensf_steps(100, key{})) {
    double const a = s.keep - s.push * s.precision, b = s.push * s.precision * s.alpha;
    weight = a * weight + b, variance = a * a * variance + s.kick * s.kick;
  }
  S const off = e - weight * at.replicate(20, 1);
  double const draws = double(off.size());
  CHECK(std::abs(off.mean()) <= 4 * std::sqrt(variance / draws));
  CHECK(std::abs(off.square().mean() - variance) <= 4 * variance * std::sqrt(2 / draws));
}

TEST_CASE("the ensemble flow's velocities are the sums over members that define them") {
  S const x = sda_test::normals(5, 3, key{13}), before = sda_test::normals(5, 3, key{14}), z = sda_test::normals(4, 3, key{15});
  double const t = 0.4;
  enff const filter{.sigma_min = 0.3};
  auto const expected = [&](auto const& centre, double s, auto const& term_of) {
    S out = S::Zero(4, 3);
    for (index_t i = 0; i < 4; ++i) {
      double total = 0;
      for (index_t j = 0; j < 5; ++j) {
        double const w = std::exp(-(z.row(i) - centre(j)).square().sum() / (2 * s * s));
        out.row(i) += w * term_of(i, j);
        total += w;
      }
      out.row(i) /= total;
    }
    return out;
  };
  double const s = 1 - 0.7 * t;
  auto const scaled = [&](index_t j) { return S(t * x.row(j)); };
  S const from_noise = expected(scaled, s, [&](index_t i, index_t j) { return S(-0.7 / s * (z.row(i) - scaled(j)) + x.row(j)); });
  CHECK(sda_test::distance(filter.velocity_from_noise(x, z, t), from_noise) <= 1e-12);
  S const from_previous = expected([&](index_t j) { return S(t * x.row(j) + (1 - t) * before.row(j)); }, 0.3,
                                   [&](index_t, index_t j) { return S(x.row(j) - before.row(j)); });
  CHECK(sda_test::distance(filter.velocity_from_previous(x, before, z, t), from_previous) <= 1e-12);
}

TEST_CASE("of one member and unguided both flows are straight: they end at the forecast and their least noise") {
  S const forecast = sda_test::normals(1, 6, key{16}), before = sda_test::normals(1, 6, key{17}), xi = sda_test::normals(1, 6, key{18});
  observation const seen{pointwise{identity_function{}}, forecast, scalar_error{1}};
  for (auto const path : {enff::path::previous_to_forecast, enff::path::noise_to_forecast}) {
    S e = forecast;
    enff{.along = path, .steps = 7, .guidance = 0}.analyse(e, before, seen, key{18});
    CHECK(sda_test::distance(e, S(forecast + 0.1 * xi)) <= 1e-13);
  }
  S e = forecast;
  CHECK_THROWS_WITH(enff{}.analyse(e, seen, key{}), Catch::Contains("previous analysis"));
}
