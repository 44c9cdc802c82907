// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>

#include <affine.hpp>
#include <exact.hpp>
#include <functional>
#include <sda/calculus/schedule.hpp>
#include <sda/guidance/likelihood.hpp>
#include <sda/guidance/mmps.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/masked.hpp>
#include <sda/prior/gaussian_full.hpp>
#include <sda/sampler/corrector.hpp>
#include <sda/sampler/heun.hpp>
#include <sda/sampler/multistep.hpp>

// How far what a sampler draws is from the exact posterior of a stationary AR(1) chain (65 steps, φ = 0.95) seen every
// eighth step with σ = 0.05. Laws are propagated, not sampled: figures are exact, and equal those of an independent
// computation digit by digit.

using namespace sda;
using sda_test::affine::moments;
using array = host_array<double>;

namespace {

constexpr index_t length = 65;

struct chain {
  Eigen::MatrixXd covariance = sda_test::exact::ar1_covariance<double>(length, 0.95), sight = Eigen::MatrixXd::Zero(9, length);
  moments truth;

  explicit chain(Eigen::VectorXd const& y) {
    for (index_t i = 0; i < 9; ++i) sight(i, 8 * i) = 1;
    Eigen::MatrixXd const error = 0.0025 * Eigen::MatrixXd::Identity(9, 9);
    auto const law = sda_test::exact::condition<double>({Eigen::VectorXd::Zero(length), covariance}, sight, y, error);
    truth = {law.mean, law.covariance};
  }
  chain() : chain(Eigen::VectorXd::Zero(9)) {}

  auto prior() const { return gaussian_full(array(array::Zero(1, length)), covariance); }
  auto posterior() const { return gaussian_full(array(truth.mean.transpose().array()), truth.covariance); }
};

struct outcome {
  double divergence, variance_ratio;
};

using schedule = std::function<level(double)>;

template <class D> outcome run(chain const& problem, D const& denoiser, auto const& sampler, schedule const& times, index_t steps) {
  auto const levels = uniform_grid(times, steps);
  moments const law = sda_test::affine::propagate(sampler, denoiser, levels, sda_test::affine::pure_noise(levels, length));
  return {sda_test::affine::divergence(law, problem.truth), sda_test::affine::variance_ratio(law, problem.truth)};
}

// Half a unit of the third digit, and a little for a tie.
double third_digit(double x) { return 0.51 * std::pow(10, std::floor(std::log10(x)) - 2); }

// Expected figures at 16, 64, 256 and 1024 steps. A deterministic run remembers that it began with mean zero instead of
// α y's: `remembered` is the divergence that this adds for the observations of the independent computation; ours are zero.
struct row {
  double divergence[4], variance_ratio[4], remembered;
};

void check_row(auto const& sampler, schedule const& times, row const& expected) {
  chain const problem;
  auto const denoiser = problem.posterior();
  double before = 0;
  for (int i = 0; i < 4; ++i) {
    index_t const steps = index_t{16} << 2 * i;
    auto const [kl, ratio] = run(problem, denoiser, sampler, times, steps);
    INFO(steps << " steps: KL " << kl << ", variance ratio " << ratio);
    CHECK(std::abs(kl + expected.remembered - expected.divergence[i]) <= third_digit(expected.divergence[i]));
    CHECK(std::abs(ratio - expected.variance_ratio[i]) <= 0.51e-3);
    if (expected.remembered > 0 && i > 1) {
      CHECK(before / kl >= 12);
      CHECK(before / kl <= 20);
    }
    before = kl;
  }
}

}  // namespace

TEST_CASE("posterior: DDIM, cosine") { check_row(ddim{}, vp_cosine{}, {{8.43, .742, .0492, .00315}, {.672, .886, .969, .992}, 3.1e-5}); }
TEST_CASE("posterior: DDPM, cosine") { check_row(ddpm, vp_cosine{}, {{11.3, 1.81, .240, .0222}, {.566, .809, .931, .979}, 0}); }
TEST_CASE("posterior: DDIM, variance exploding") {
  check_row(ddim{}, log_linear{1e-3, 1e2}, {{1.87, .131, .0115, .00392}, {.698, .914, .978, .994}, 3.42e-3});
}
TEST_CASE("posterior: DDPM, variance exploding") {
  check_row(ddpm, log_linear{1e-3, 1e2}, {{5.35, .467, .0318, .00201}, {.530, .840, .956, .989}, 0});
}
TEST_CASE("posterior: DDIM, rectified") { check_row(ddim{}, rectified{}, {{3.08, .211, .0137, 8.7e-4}, {.752, .927, .981, .995}, 3.2e-5}); }
TEST_CASE("posterior: DDPM, rectified") { check_row(ddpm, rectified{}, {{5.42, .757, .0788, .00619}, {.641, .862, .956, .988}, 0}); }

TEST_CASE("posterior: two Langevin corrections a step make up for the steps' losses") {
  chain const problem;
  auto const [kl, ratio] = run(problem, problem.posterior(), pc{ddim{}, langevin{0.25}, 2, correcting::after}, vp_cosine{}, 256);
  CHECK(std::abs(kl - 0.0043) <= 0.05e-3);
  CHECK(std::abs(ratio - 1.002) <= 0.51e-3);
}

TEST_CASE("posterior: azula's predictor-corrector") {
  chain const problem;
  auto const denoiser = problem.posterior();
  auto const [plain_kl, plain_ratio] = run(problem, denoiser, pc{ddim{}, renoising{0.1}, 0}, rectified{}, 32);
  CHECK(std::abs(plain_kl - 0.815) <= 0.51e-3);
  CHECK(std::abs(plain_ratio - 0.862) <= 0.51e-3);
  auto const [kl, ratio] = run(problem, denoiser, pc{ddim{}, renoising{0.1}, 2}, rectified{}, 32);
  CHECK(std::abs(kl - 0.716) <= 0.51e-3);
  CHECK(std::abs(ratio - 0.879) <= 0.51e-3);
}

TEST_CASE("posterior: higher orders get there with fewer evaluations") {
  chain const problem;
  auto const denoiser = problem.posterior();
  // 128 evaluations each
  double const first = run(problem, denoiser, ddim{}, rectified{}, 128).divergence;
  double const second = run(problem, denoiser, heun{}, rectified{}, 64).divergence;
  double const third = run(problem, denoiser, adams_bashforth<3>{}, rectified{}, 126).divergence;
  INFO(first << " " << second << " " << third);
  CHECK(second < first / 10);
  CHECK(third < second / 10);
}

TEST_CASE("posterior: a run guided by MMPS with a full solve is a run with the exact posterior denoiser") {
  Eigen::VectorXd const y = 2 * sda_test::normals(9, 1, key{8}).matrix();
  chain const problem(y);
  std::vector<std::int64_t> columns_seen;
  for (std::int64_t i = 0; i < 9; ++i) columns_seen.push_back(8 * i);
  array const row_of_y = y.transpose().array();
  observation const seen{masked<array>(row_of_y, columns_seen, length), row_of_y, scalar_error{0.0025}};
  auto const levels = uniform_grid(rectified{}, 16);
  array const start = levels[0].sigma * sda_test::normals(3, length, key{4});
  array const guided = sample_from(ddpm, mmps{problem.prior(), seen, gmres{9}}, levels, start, key{5});
  array const exact = sample_from(ddpm, problem.posterior(), levels, start, key{5});
  CHECK(sda_test::distance(guided, exact) <= 1e-9);  // 9 iterations solve 9 equations of condition 1e3, 16 times
}

namespace {

// SDA's corrector under SDA's likelihood, γ = 1e-2: variance over the exact posterior's, its standard error, and the rms
// error of the mean in units of the posterior's standard deviation.
struct sampled {
  double variance_ratio, standard_error, bias;
};

sampled adaptively_corrected(int corrections, double limit) {
  index_t const members = 300;
  Eigen::VectorXd const draw = sda_test::normals(length, 1, key{1}).matrix();
  Eigen::MatrixXd const half = chain().covariance.llt().matrixL();
  Eigen::VectorXd const y = chain().sight * (half * draw) + 0.05 * sda_test::normals(9, 1, key{2}).matrix();
  chain const problem(y);
  std::vector<std::int64_t> columns_seen;
  for (std::int64_t i = 0; i < 9; ++i) columns_seen.push_back(8 * i);
  array const row_of_y = y.transpose().array();
  observation const seen{masked<array>(row_of_y, columns_seen, length), row_of_y, scalar_error{0.0025}};
  pc const sampler{ddim{}, adaptive_langevin{0.25, limit}, corrections, correcting::after};
  array const x = sample(sampler, gamma_likelihood{problem.prior(), seen, 1e-2}, vp_cosine{}, 256, array(members, length), key{3});

  auto const mean = x.colwise().mean();
  Eigen::ArrayXd const variance = problem.truth.covariance.diagonal();
  Eigen::ArrayXd const squares = ((x.rowwise() - mean).square().rowwise() / variance.transpose()).rowwise().mean();
  Eigen::ArrayXd const per_member = squares * double(members) / double(members - 1);
  double const ratio = per_member.mean();
  return {ratio, std::sqrt((per_member - ratio).square().mean() / double(members)),
          std::sqrt(((mean.transpose() - problem.truth.mean.array()).square() / variance).mean())};
}

}  // namespace

TEST_CASE("posterior: fixed corrections lessen the bias of SDA's likelihood to the published sizes") {
  index_t const draws = 20;
  chain const problem;
  Eigen::MatrixXd const half = problem.covariance.llt().matrixL();
  Eigen::MatrixXd const y = sda_test::normals(draws, length, key{1}).matrix() * half.transpose() * problem.sight.transpose() +
                            0.05 * sda_test::normals(draws, 9, key{2}).matrix();
  std::vector<std::int64_t> columns_seen;
  for (std::int64_t i = 0; i < 9; ++i) columns_seen.push_back(8 * i);
  auto const posterior = [&](array const& values) {
    return gamma_likelihood{problem.prior(), observation{masked<array>(values, columns_seen, length), values, scalar_error{0.0025}}, 3e-2};
  };
  auto const levels = uniform_grid(vp_cosine{}, 256);
  // The covariance is one for all observations; the published divergence, of a draw of its own, lies among those of ours.
  auto const check = [&](auto const& sampler, double published) {
    moments law = sda_test::affine::propagate(sampler, posterior(array(array::Zero(1, 9))), levels, sda_test::affine::pure_noise(levels, length));
    sda_test::scripted const origin(array::Zero(draws, length), [](array&, index_t) {});
    array const means = sample_from(sampler, sda_test::through{posterior(y.array())}, levels, origin, key{}).x;
    double least = std::numeric_limits<double>::infinity(), most = 0;
    for (index_t i = 0; i < draws; ++i) {
      law.mean = means.row(i).matrix().transpose();
      double const kl = sda_test::affine::divergence(law, chain(y.row(i).transpose()).truth);
      least = std::min(least, kl), most = std::max(most, kl);
    }
    double const ratio = sda_test::affine::variance_ratio(law, problem.truth);
    INFO("divergence from " << least << " to " << most << ", published " << published << "; variance ratio " << ratio);
    CHECK((least - third_digit(published) <= published && published <= most + third_digit(published)));
    return ratio;
  };
  check(ddim{}, 106);
  CHECK(std::abs(check(pc{ddim{}, langevin{0.25}, 1, correcting::after}, 1.57) - 0.84) <= 0.0051);
  check(pc{ddim{}, langevin{0.25}, 2, correcting::after}, 0.865);
  check(pc{ddim{}, langevin{0.25}, 4, correcting::after}, 0.453);
}

TEST_CASE("posterior: SDA's adaptive corrector lessens the bias of its likelihood and widens the result") {
  double const expected[] = {1.11, 1.11, 1.13};
  double bias = 1;
  for (int i = 0; i < 3; ++i) {
    auto const s = adaptively_corrected(1 << i, std::numeric_limits<double>::infinity());
    INFO((1 << i) << " corrections: variance ratio " << s.variance_ratio << " ± " << s.standard_error << ", bias " << s.bias);
    double const theirs = s.standard_error * std::sqrt(300. / 2000);
    CHECK(std::abs(s.variance_ratio - expected[i]) <= 4 * std::hypot(s.standard_error, theirs) + 0.005);
    CHECK(s.bias < bias);
    bias = s.bias;
  }
}

TEST_CASE("posterior: a limit on the adaptive step takes the widening away") {
  auto const s = adaptively_corrected(1, 10);
  INFO("variance ratio " << s.variance_ratio << " ± " << s.standard_error);
  CHECK(std::abs(s.variance_ratio - 0.97) <= 4 * s.standard_error);
}
