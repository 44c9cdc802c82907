// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>

#include <functional>
#include <scripted.hpp>
#include <sda/calculus/schedule.hpp>
#include <sda/sampler/ddim.hpp>
#include <sda/sampler/rewind.hpp>
#include <sda/sampler/sample.hpp>
#include <sda/sampler/stochastic.hpp>

using namespace sda;
using sda_test::scripted;
using array = host_array<double>;
using denoiser = std::function<array(array const&, level)>;

namespace {

// Any denoiser will do where two samplers are compared.
denoiser const bent = [](array const& x, level l) -> array { return (x / (1 + l.sigma)).tanh() + 0.3; };

// One step from a given x with given noise.
array stepped(auto const& sampler, transition t, array const& x, array const& xi) {
  std::vector<level> const levels{t.from, t.to};
  return sample_from(sampler, sda_test::through{bent}, levels, scripted(x, [&](array& out, index_t) { out = xi; }), key{}).x;
}

transition const steps[] = {{{0.02, 1.0}, {0.3, 0.95}}, {{0.3, 0.95}, {0.8, 0.6}}, {{1, 30}, {1, 12}}, {{1, 0.05}, {1, 1e-3}}};

}  // namespace

TEST_CASE("DDIM with eta = 1 draws from the ancestral posterior p(x_s | x_t, x̂)") {
  array const x = sda_test::normals(3, 8, key{1}), xi = sda_test::normals(3, 8, key{2});
  for (auto const& t : steps) {
    // x_t given x_s is N(r x_s, β), x_s given x̂ is N(α_s x̂, σ_s²): Bayes.
    double const r = t.from.alpha / t.to.alpha, s2 = t.to.sigma * t.to.sigma, beta = t.from.sigma * t.from.sigma - r * r * s2;
    double const variance = 1 / (r * r / beta + 1 / s2);
    array const mean = variance * (r / beta * x + t.to.alpha / s2 * bent(x, t.from));
    CHECK(sda_test::distance(stepped(ddpm, t, x, xi), array(mean + std::sqrt(variance) * xi)) <= 1e-12);
  }
}

TEST_CASE("DDIM keeps the variance of the step whatever eta") {
  // Given x̂ the result is α_s x̂ + σ_s (√(1-v) ẑ + √v ξ) with one v in [0, 1].
  array const x = array::Constant(1, 1, 0.7), none_drawn = array::Zero(1, 1), one = array::Ones(1, 1);
  for (auto const& t : steps)
    for (double const eta : {0.0, 0.3, 1.0}) {
      double const clean = bent(x, t.from)(0, 0), z = (0.7 - t.from.alpha * clean) / t.from.sigma;
      double const still = stepped(ddim{eta}, t, x, none_drawn)(0, 0), kicked = stepped(ddim{eta}, t, x, one)(0, 0);
      double const along = (still - t.to.alpha * clean) / (z * t.to.sigma), across = (kicked - still) / t.to.sigma;
      CHECK(along * along + across * across == Approx(1).epsilon(1e-9));
    }
}

TEST_CASE("Euler-Maruyama on EnSF's levels is EnSF's step") {
  ensf_linear const levels{};
  double const eps_a = levels.eps_alpha, eps_b = levels.eps_sigma, dt = 1.0 / 50;
  array const x = sda_test::normals(3, 8, key{1}), xi = sda_test::normals(3, 8, key{2});
  for (double const t : {1.0, 0.5, 0.02}) {
    double const alpha = 1 - (1 - eps_a) * t, beta2 = eps_b + (1 - eps_b) * t, f = -(1 - eps_a) / alpha, g2 = (1 - eps_b) - 2 * f * beta2;
    array const score = (alpha * bent(x, levels(t)) - x) / beta2;
    array const expected = x - (f * x - g2 * score) * dt + std::sqrt(g2 * dt) * xi;
    CHECK(sda_test::distance(stepped(euler_maruyama{}, {levels(t), levels(t - dt)}, x, xi), expected) <= 1e-12);
  }
}

TEST_CASE("the Itô sampler without noise is DDIM") {
  array const x = sda_test::normals(3, 8, key{1});
  for (auto const& t : steps) CHECK(sda_test::distance(stepped(ito{0, 1}, t, x, x), stepped(ddim{}, t, x, x)) <= 1e-12);
}

TEST_CASE("Euler-Maruyama without noise follows the probability flow, to first order") {
  // x̂ = α x / (α² + σ²): under vp_cosine the exact flow scales x by √((α_s² + σ_s²) / (α_t² + σ_t²)) = 1.
  denoiser const unit_normal = [](array const& x, level l) -> array { return l.alpha / (l.alpha * l.alpha + l.sigma * l.sigma) * x; };
  auto const error_of = [&](index_t n) {
    return std::abs(sample_from(euler_maruyama{0}, unit_normal, uniform_grid(vp_cosine{}, n), array(array::Ones(1, 1)), key{})(0, 0) - 1);
  };
  CHECK(error_of(2000) < 1e-2);
  CHECK(std::log2(error_of(1000) / error_of(2000)) == Approx(1).margin(0.1));
}

TEST_CASE("a rewinding path overshoots and returns, shorter towards its end") {
  std::vector<level> grid;
  for (double const s : {5., 4., 3., 2., 1.}) grid.push_back({1, s});
  auto const sigmas = [](std::vector<level> const& path) {
    std::vector<double> s;
    for (level const& l : path) s.push_back(l.sigma);
    return s;
  };
  CHECK(sigmas(rewinding(grid, 3)) == std::vector<double>{5, 2, 4, 1, 3, 1, 2, 1});
  CHECK(sigmas(rewinding(grid, 2, leap::small_steps)) == std::vector<double>{5, 4, 3, 4, 3, 2, 3, 2, 1, 2, 1});
  CHECK(rewinding(grid, 1) == grid);
  CHECK_THROWS_AS(rewinding(grid, 0), error);
}
