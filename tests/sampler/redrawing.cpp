// SPDX-License-Identifier: Apache-2.0
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/linear.hpp>
#include <sda/sampler/ddim.hpp>
#include <sda/sampler/redrawing.hpp>
#include <sda/sampler/sample.hpp>

#include <dense.hpp>
#include <sda_test.hpp>

using namespace sda;
using namespace sda_test;

namespace {

// Two coordinates of prior N(0, I), each of them seen twice with errors of variance 0.5: the posterior has variance 1/5.
struct seen_twice {
  array y = normals(1, 4, key{1});
  auto observation() const {
    matrix twice(4, 2);
    twice << 1, 0, 0, 1, 1, 0, 0, 1;
    return sda::observation{linear<array>(array(twice.array())), y, scalar_error{.5}};
  }
  array mean() const {
    array m(1, 2);
    m << y(0, 0) + y(0, 2), y(0, 1) + y(0, 3);
    return m * 2 / 5;
  }
  static constexpr double variance = .2;
};

/// The exact move: noise of variance s², then a draw of x given what the noise made of it.
array moved(array const& from, seen_twice const& world, double s2, key k) {
  double const v = world.variance, gain = v / (v + s2);
  array const noisy = from + std::sqrt(s2) * normals(from.rows(), from.cols(), k.fold(0)), m = world.mean().replicate(from.rows(), 1);
  return m + gain * (noisy - m) + std::sqrt(v * (1 - gain)) * normals(from.rows(), from.cols(), k.fold(1));
}

}  // namespace

TEST_CASE("over what may be seen, χ² of the posterior's samples has the mean and variance of the truth's") {
  index_t const draws = 20000;
  seen_twice world;
  array const truth = normals(draws, 2, key{2});
  double sum = 0, squares = 0;
  for (index_t i = 0; i < draws; ++i) {
    world.y = (truth.row(i).replicate(1, 2) + std::sqrt(.5) * normals(1, 4, key{3}.fold(std::uint64_t(i)))).eval();
    array const x = world.mean() + std::sqrt(world.variance) * normals(1, 2, key{4}.fold(std::uint64_t(i)));
    double const chi = chi_squared(world.observation(), x)[0];
    sum += chi / double(draws), squares += chi * chi / double(draws);
  }
  CHECK(sum == Approx(4).margin(4 * std::sqrt(8.0 / double(draws))));
  CHECK(squares - sum * sum == Approx(8).margin(4 * 8 * std::sqrt((2 + 12.0 / 4) / double(draws))));  // an excess kurtosis of 12 / m
}

TEST_CASE("what the observations bear out stays bit for bit, and nothing is drawn when all is") {
  seen_twice const world;
  array x = world.mean().replicate(3, 1) + .1 * normals(3, 2, key{5});
  auto const never = [](array const&, key) -> array { throw std::runtime_error("asked"); };
  CHECK((redrawing{}(world.observation(), x, never, key{6}) == x).all());
  array const before = x;
  x.row(1) += 100;
  array const after = redrawing{}(world.observation(), x, [&](array const& from, key k) { return moved(from, world, 1, k); }, key{6});
  CHECK((after.row(0) == before.row(0)).all());
  CHECK((after.row(2) == before.row(2)).all());
  CHECK(chi_squared(world.observation(), after)[1] <= redrawing{}.most(4));
  CHECK_THROWS_AS(redrawing{}(world.observation(), x, [](array const&, key) { return array(array::Zero(1, 5)); }, key{}), error);
}

TEST_CASE("samples that are drawn anew by an exact move have the posterior's mean and covariance") {
  seen_twice const world;
  index_t const draws = 40000;
  array x = world.mean().replicate(draws, 1) + std::sqrt(world.variance) * normals(draws, 2, key{7});
  x.topRows(draws / 2) += 100;
  // tolerance: what is cut off is rarer than one in all draws
  redrawing const anew{.tolerance = 12};
  array const got = anew(world.observation(), x, [&](array const& from, key k) { return moved(from, world, 4, k); }, key{8}).topRows(draws / 2);
  double const n = double(draws / 2), v = world.variance;
  array const off = got - world.mean().replicate(got.rows(), 1);
  CHECK(off.colwise().mean().abs().maxCoeff() <= 4 * std::sqrt(v / n));
  CHECK(off.square().colwise().mean()(0) == Approx(v).margin(4 * v * std::sqrt(2 / n)));
  CHECK(off.square().colwise().mean()(1) == Approx(v).margin(4 * v * std::sqrt(2 / n)));
  CHECK((off.col(0) * off.col(1)).mean() == Approx(0).margin(4 * v / std::sqrt(n)));
}

TEST_CASE("where no sample is borne out, rounds from the best ones find what is, in no more rounds than are allowed") {
  seen_twice const world;
  array const far = world.mean().replicate(6, 1) + 8 + normals(6, 2, key{9});
  int asked = 0;
  auto const step = [&](array const& from, key k) -> array {   // a move too short to get there at once
    ++asked;
    return from + normals(from.rows(), from.cols(), k);
  };
  redrawing search{.rounds = 200, .kept = 2};
  array const found = search(world.observation(), far, step, key{10});
  for (double const chi : chi_squared(world.observation(), found)) CHECK(chi <= search.most(4));
  CHECK(asked > 3);
  asked = 0, search.rounds = 3;
  auto const before = chi_squared(world.observation(), far), after = chi_squared(world.observation(), search(world.observation(), far, step, key{10}));
  CHECK(asked == 3);
  for (std::size_t r = 0; r < before.size(); ++r) CHECK(after[r] <= before[r]);
}

TEST_CASE("samples that are not finite are drawn anew from others, if there are any") {
  seen_twice const world;
  double const nan = std::numeric_limits<double>::quiet_NaN();
  array x = world.mean().replicate(5, 1) + 20;   // none is borne out
  x.row(1) = nan, x.row(3) = nan, x.row(4) = nan;
  array const got = redrawing{.kept = 4}(world.observation(), x, [&](array const& from, key k) {
    CHECK(from.isFinite().all());
    return moved(from, world, 1, k);
  }, key{12});
  for (double const chi : chi_squared(world.observation(), got)) CHECK(chi <= redrawing{}.most(4));
  auto const never = [](array const&, key) -> array { throw std::runtime_error("asked"); };
  CHECK(redrawing{}(world.observation(), array(array::Constant(2, 2, nan)), never, key{}).isNaN().all());
}

TEST_CASE("a mode that the observations exclude is left for the other one") {
  // x = ± 3 with deviation 0.3 beforehand, seen as -3: a sampler that is asked to go on from little noise cannot change
  struct two_modes {
    array operator()(array const& x, level l) const {   // posterior of the mixture, given y = -3 with variance 0.09
      double const v = .09, noise = l.sigma * l.sigma / (l.alpha * l.alpha), p = 1 / (1 / v + 1 / v), s2 = noise + p;
      array out = x;
      for (index_t r = 0; r < x.rows(); ++r) {
        double const z = x(r, 0) / l.alpha;
        // posterior components: mean (m - 3) / 2, variance p, weights exp(-(m + 3)² / 4 v)
        double const means[2] = {0, -3}, logs[2] = {-36 / (4 * v) - z * z / (2 * s2), -(z + 3) * (z + 3) / (2 * s2)};
        double const top = std::max(logs[0], logs[1]), w0 = std::exp(logs[0] - top), w1 = std::exp(logs[1] - top);
        double mean = 0;
        for (int c = 0; c < 2; ++c) mean += (c ? w1 : w0) / (w0 + w1) * (means[c] + p / s2 * (z - means[c]));
        out(r, 0) = mean;
      }
      return out;
    }
  };
  array start = array::Constant(8, 1, 3), y = array::Constant(1, 1, -3), one = array::Constant(1, 1, 1);
  observation const seen{linear<array>(one), y, scalar_error{.09}};
  std::vector<level> levels;
  for (int i = 0; i <= 40; ++i) levels.push_back({1, 4 * std::pow(1e-3, i / 40.0)});
  auto const anew = [&](array const& from, key k) {
    return sample_from(ddpm, two_modes{}, std::span<level const>(levels), noised(from, levels[0], k.fold(0)), k.fold(1));
  };
  array const x = redrawing{}(seen, start, anew, key{11});
  CHECK((x + 3).abs().maxCoeff() <= 5 * std::sqrt(.045));
}
