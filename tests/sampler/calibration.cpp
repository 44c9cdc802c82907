// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>

#include <affine.hpp>
#include <sda/calculus/schedule.hpp>
#include <sda/metrics/ranks.hpp>
#include <sda/metrics/spread_skill.hpp>
#include <sda/prior/gaussian.hpp>
#include <sda/sampler/corrector.hpp>
#include <sda/sampler/heun.hpp>
#include <sda/sampler/multistep.hpp>

// Independent scalar problems, one a column: x ~ N(0, 1), y = x + N(0, 0.3²). The members of a problem are rows, drawn by a
// sampler from the exact posterior denoiser; truth and members are then draws of the same law.

using namespace sda;
using array = host_array<double>;

namespace {

constexpr double observation_variance = 0.09, gain = 1 / (1 + observation_variance), posterior_variance = gain * observation_variance;

struct problems {
  array truth, members;
  std::span<double const> true_values() const { return {truth.data(), std::size_t(truth.size())}; }
};

problems sampled(auto const& sampler, auto const& schedule, index_t steps, index_t cases, index_t members) {
  key const k{20};
  array const truth = sda_test::normals(1, cases, k.fold(0));
  array const y = truth + std::sqrt(observation_variance) * sda_test::normals(1, cases, k.fold(1));
  gaussian const posterior{array(gain * y), array(array::Constant(1, cases, posterior_variance))};
  return {truth, sample(sampler, posterior, schedule, steps, array(members, cases), k.fold(2))};
}

rank_histogram ranks_of(problems const& p) {
  rank_histogram ranks(p.members.rows());
  ranks.add(to_host(p.members), p.true_values(), key{21});
  return ranks;
}

double spread_skill_ratio(problems const& p) {
  spread_skill score;
  score.add(to_host(p.members), p.true_values());
  return score.ratio();
}

// How often the truth lies in the central interval that leaves `outside` members on either side.
double coverage(rank_histogram const& ranks, index_t outside) {
  auto const counts = ranks.counts();
  double inside = 0;
  for (std::size_t r = std::size_t(outside); r + std::size_t(outside) < counts.size(); ++r) inside += double(counts[r]);
  return inside / double(ranks.total());
}

}  // namespace

TEST_CASE("samples of a deterministic run are calibrated: flat ranks, right coverage, spread equal to skill") {
  auto const p = sampled(adams_bashforth<3>{}, log_linear{1e-3, 1e2}, 48, 20000, 79);
  auto const ranks = ranks_of(p);
  CHECK(ranks.p_value() > 1e-3);
  CHECK(std::abs(coverage(ranks, 20) - 0.50) <= 0.01);  // of 80 places, 20 at either end are left out
  CHECK(std::abs(coverage(ranks, 4) - 0.90) <= 0.01);
  CHECK(std::abs(coverage(ranks, 2) - 0.95) <= 0.01);
  CHECK(std::abs(spread_skill_ratio(p) - 1) <= 4 / std::sqrt(2 * 20000.));
}

TEST_CASE("samples of a stochastic run are calibrated") {
  auto const p = sampled(pc{heun{}, langevin{0.05}, 1, correcting::after}, log_linear{1e-3, 1e2}, 48, 10000, 9);
  auto const ranks = ranks_of(p);
  CHECK(ranks.p_value() > 1e-3);
  CHECK(std::abs(coverage(ranks, 1) - 0.80) <= 4 * std::sqrt(0.8 * 0.2 / 10000));
  CHECK(std::abs(spread_skill_ratio(p) - 1) <= 4 / std::sqrt(2 * 10000.));
}

TEST_CASE("where steps are few, spread over skill is what the propagated variance says") {
  index_t const cases = 50000, members = 19;
  auto const check = [&](auto const& sampler, index_t steps) {
    auto const levels = uniform_grid(vp_cosine{}, steps);
    gaussian const scalar{array(array::Zero(1, 1)), array(array::Constant(1, 1, posterior_variance))};
    auto const law = sda_test::affine::propagate(sampler, scalar, levels, sda_test::affine::pure_noise(levels, 1));
    double const r = law.covariance(0, 0) / posterior_variance;
    // spread² = r v and skill² = v + r v / M
    double const expected = std::sqrt(double(members + 1) * r / (double(members) + r));
    double const seen = spread_skill_ratio(sampled(sampler, vp_cosine{}, steps, cases, members));
    INFO(steps << " steps: variance ratio " << r << ", expected " << expected << ", seen " << seen);
    CHECK(expected < 0.97);  // far enough from 1 for the test to mean something
    CHECK(std::abs(seen / expected - 1) <= 4 / std::sqrt(2. * cases));
  };
  check(ddim{}, 16);
  check(ddpm, 32);
}
