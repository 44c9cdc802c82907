// SPDX-License-Identifier: Apache-2.0
#include <sda/sampler/ddim.hpp>
#include <sda/sampler/repaint.hpp>

#include <dense.hpp>
#include <scripted.hpp>
#include <sda_test.hpp>

using namespace sda;
using namespace sda_test;

namespace {

/// What repaint{ddpm} with `passes` of jumps of one does to mean and covariance: AR(1), every 8th step known without error,
/// against the exact posterior of the others.
bias repaint_bias(int steps, int passes) {
  index_t const n = 65;
  auto const prior = centred(ar1(n, .95));
  matrix const half = prior.covariance.llt().matrixL(), h = every(8, n), one = matrix::Identity(n, n);
  vector const truth = half * normals(1, n, key{801}).matrix().transpose(), seen = (h.transpose() * h).diagonal();
  matrix const free = matrix((1 - seen.array()).matrix().asDiagonal());
  moments x{vector::Zero(n), 1e4 * one};
  auto const levels = geometric(1e2, 1e-3, steps);
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
    double const from = levels[i].sigma, to = levels[i + 1].sigma, keep = to * to / (from * from);
    matrix const b = free * ((1 - keep) * prior.jacobian(levels[i]) + keep * one);
    for (int pass = 0; pass < passes; ++pass) {
      if (pass > 0) x.covariance += (from * from - to * to) * one;
      x.mean = b * x.mean + seen.cwiseProduct(truth);
      x.covariance = b * x.covariance * b.transpose() + to * to * ((1 - keep) * free + matrix(seen.asDiagonal()));
    }
  }
  std::vector<index_t> at;
  for (index_t i = 0; i < n; ++i)
    if (seen[i] == 0) at.push_back(i);
  auto const exact = conditioned(prior, h, h * truth, 1e-12 * matrix::Identity(h.rows(), h.rows()));
  return compare(moments{x.mean(at), x.covariance(at, at)}, dense_gaussian{exact.mean(at), exact.covariance(at, at)});
}

}  // namespace

TEST_CASE("the bias of RePaint falls with every pass, to the published sizes") {
  bias const few[] = {repaint_bias(64, 1), repaint_bias(64, 3), repaint_bias(64, 10)};
  bias const many[] = {repaint_bias(256, 1), repaint_bias(256, 3), repaint_bias(256, 10), repaint_bias(256, 30)};
  for (int i = 0; i < 2; ++i) CHECK(few[i + 1].kl < few[i].kl);
  for (int i = 0; i < 3; ++i) CHECK(many[i + 1].kl < many[i].kl);
  CHECK(few[2].kl == Approx(.017).epsilon(.05));  // where the mean, which depends on the draw, is right already
  CHECK(many[2].kl == Approx(.0105).epsilon(.1));
  CHECK(many[0].variance == Approx(2.9).margin(.05));
  CHECK(many[3].kl < .002);
  CHECK(many[3].variance == Approx(.993).margin(.001));
}

TEST_CASE("a step is the sampler's, with the known part replaced; masks may be soft") {
  index_t const n = 7;
  auto const prior = centred(ar1(n, .5));
  array const mask = normals(1, n, key{1}).abs().min(1), known = normals(1, n, key{2}), x = normals(3, n, key{3});
  transition const t{{.5, .8}, {.7, .6}};
  repaint const r{ddpm, mask, known};
  none memory;
  array got = x, plain = x;
  r.step(prior, got, memory, t, key{4});
  ddpm.step(prior, plain, memory, t, key{4}.fold(0));
  array const truth = .7 * known.replicate(3, 1) + .6 * normals(3, n, key{4}.fold(1));
  CHECK(distance(got, mask.replicate(3, 1) * truth + (1 - mask.replicate(3, 1)) * plain) <= 1e-15);
  static_assert(Sampler<decltype(r), dense_gaussian, array>);
}

TEST_CASE("the path goes down in jumps, and back up between passes") {
  auto const levels = geometric(16, 1, 4);  // 16 8 4 2 1
  std::vector<double> sigmas;
  for (level const l : repaint_levels(levels, 3, 2)) sigmas.push_back(std::round(l.sigma));
  CHECK(sigmas == std::vector<double>{16, 8, 4, 2, 16, 8, 4, 2, 1, 2, 1});
  CHECK(repaint_levels(levels, 1, 1).size() == levels.size());
  CHECK_THROWS_AS(repaint_levels(levels, 0, 1), error);
}

TEST_CASE("a run ends on the known values") {
  index_t const n = 7;
  array mask = array::Zero(1, n);
  mask(0, 2) = mask(0, 5) = 1;
  array const known = normals(1, n, key{5});
  auto const path = repaint_levels(geometric(30, 1e-3, 20), 5, 3);
  auto const got = sample(repaint{ddpm, mask, known}, centred(ar1(n, .5)), std::span<level const>(path), array(array::Zero(4, n)), key{6});
  for (index_t r = 0; r < 4; ++r)
    for (index_t c : {2, 5}) CHECK(std::abs(got(r, c) - known(0, c)) <= 5e-3);
}
