// SPDX-License-Identifier: Apache-2.0
#include <sda/calculus/schedule.hpp>
#include <sda/guidance/latent_optimization.hpp>
#include <sda/sampler/sample.hpp>

#include <dense.hpp>
#include <sda_test.hpp>

using namespace sda;
using namespace sda_test;

namespace {

/// A decoder and a mask as one matrix, observed with error.
struct problem {
  index_t n = 12;
  matrix h = to_matrix(normals(5, 12, key{1})) / 2;
  array y = normals(1, 5, key{2});
  observation<dense_operator, array, dense_error> seen{{h}, y, isotropic_error(5, .3)};
  level l{.8, .6};
  array x = normals(3, 12, key{3});

  /// argmin ½ |y - H z|²/R + ½ |z - ẑ|²/ρ²: the best linear unbiased estimate from ẑ and y.
  array blue(array const& centre, double rho2) const {
    matrix const gain = rho2 * h.transpose() * (isotropic_error(5, .3).r + rho2 * h * h.transpose()).inverse();
    return centre + (((y.replicate(3, 1) - seen.op(centre)).matrix()) * gain.transpose()).array();
  }
};

}  // namespace

TEST_CASE("for a linear decoder every inner solver ends at the best linear unbiased estimate") {
  problem const p;
  auto const prior = centred(ar1(p.n, .7));
  array const want = p.blue(prior(p.x, p.l), unit_prior{}.variance(p.l));
  CHECK(distance(latent_optimization{prior, p.seen, gauss_newton_cg{1, cg{6}}}(p.x, p.l), want) <= 1e-8);
  CHECK(distance(latent_optimization{prior, p.seen, lbfgs{30}}(p.x, p.l), want) <= 1e-8);
  CHECK(distance(latent_optimization{prior, p.seen, gradient_descent{400}}(p.x, p.l), want) <= 1e-8);
  CHECK(distance(latent_optimization{prior, p.seen, adam{3000, .01}}(p.x, p.l), want) <= 1e-3);  // a constant rate keeps Adam moving
}

TEST_CASE("one gradient step of size ρ² is DPS without the network, and mixing lies on the line to it") {
  problem const p;
  auto const prior = centred(ar1(p.n, .7));
  array const start = prior(p.x, p.l);
  array const pull = ((p.y.replicate(3, 1) - p.seen.op(start)).matrix() * p.h / .09).array();
  CHECK(distance(latent_optimization{prior, p.seen, gradient_descent{1, .02}}(p.x, p.l), start + .02 * pull) <= 1e-13);
  latent_optimization const soft{prior, p.seen, gradient_descent{1, .02}, unit_prior{}, .25};
  CHECK(distance(soft(p.x, p.l), start + .25 * .02 * pull) <= 1e-13);
}

TEST_CASE("for a decoder that bends the gradient vanishes at the end") {
  problem const p;
  auto const prior = centred(ar1(p.n, .7));
  observation const seen{bent_operator{p.h}, array(p.y / 3), p.seen.error};  // within reach: Gauss-Newton has no line search
  array const centre = prior(p.x, p.l);
  detail::latent_objective<decltype(seen), array> const f{seen, centre, 1 / unit_prior{}.variance(p.l)};
  auto const slope = [&](array const& z) { return f.gradient(f.sight(z), z).abs().maxCoeff(); };
  auto const steepness = [&](array const& z) { return slope(z) / slope(centre); };
  CHECK(steepness(gauss_newton_cg{30, cg{12}}(f, centre)) <= 1e-8);
  CHECK(steepness(lbfgs{100}(f, centre)) <= 1e-8);
  CHECK(steepness(gradient_descent{500}(f, centre)) <= 1e-6);
}

TEST_CASE("for a standard normal latent it is the posterior denoiser, so its DDPM samples have the posterior's moments") {
  problem const p;
  auto const prior = centred(matrix::Identity(p.n, p.n));
  auto const exact = conditioned(prior, p.h, p.y.row(0).matrix().transpose(), isotropic_error(5, .3).r);
  latent_optimization const lo{prior, p.seen, gauss_newton_cg{1, cg{6}}};
  CHECK(distance(lo(p.x, p.l), exact(p.x, p.l)) <= 1e-8);
  double last = 1e300;
  for (int const steps : {16, 64, 256}) {
    auto const got = compare(ddim_moments(lo, p.n, uniform_grid(vp_cosine{}, steps), 1), exact);
    CHECK(got.kl < last / 4);
    CHECK(got.variance < 1);  // the deficit of first-order steps
    last = got.kl;
  }
  CHECK(last < .002);
}

TEST_CASE("for another prior a bias stays, however many the steps: rho is not the spread that the prior has") {
  problem const p;
  auto const prior = centred(ar1(p.n, .9));
  auto const exact = conditioned(prior, p.h, p.y.row(0).matrix().transpose(), isotropic_error(5, .3).r);
  latent_optimization const lo{prior, p.seen, gauss_newton_cg{1, cg{6}}};
  for (int const steps : {64, 256}) {
    auto const got = compare(ddim_moments(lo, p.n, uniform_grid(vp_cosine{}, steps), 1), exact);
    CHECK(got.mean == Approx(.31).margin(.01));  // rms, in posterior standard deviations
    CHECK(got.variance == Approx(1.5).margin(.06));
  }
}
