// SPDX-License-Identifier: Apache-2.0
#include <sda/prior/mixture.hpp>
#include <sda/sampler/ddim.hpp>
#include <sda/sampler/sample.hpp>
#include <sda/sampler/smc.hpp>
#include <sda/trajectory/thread_communicator.hpp>
#include <sda/trajectory/window.hpp>

#include <dense.hpp>
#include <sda_test.hpp>

using namespace sda;
using namespace sda_test;

namespace {

/// Six Gaussians in eight dimensions, two linear observations.
struct mixture_problem {
  index_t n = 8, modes = 6;
  array means = 2 * normals(6, 8, key{54});
  std::vector<double> weights{.1, .25, .15, .2, .2, .1}, variances{.2, .1, .3, .15, .25, .1};
  matrix h = to_matrix(normals(2, 8, key{55})) / std::sqrt(8.0);
  double sigma;
  vector y;

  mixture_problem(double error, std::uint64_t draw) : sigma(error) {
    index_t const mode = index_t(uniform(key{draw}, 0, 0) * 6);
    vector const truth = (means.row(mode) + std::sqrt(variances[std::size_t(mode)]) * normals(1, n, key{draw}.fold(1)).row(0)).matrix().transpose();
    y = h * truth + sigma * normals(1, 2, key{draw}.fold(2)).matrix().transpose();
  }
  auto prior() const { return isotropic_mixture<array>(means, weights, std::span<double const>(means.data(), std::size_t(means.size())), variances); }
  auto seen() const { return observation{dense_operator{h}, array(y.transpose().array()), isotropic_error(2, sigma)}; }

  std::vector<dense_gaussian> posterior_modes() const {
    std::vector<dense_gaussian> out;
    for (index_t k = 0; k < modes; ++k)
      out.push_back(
          conditioned({means.row(k).matrix().transpose(), variances[std::size_t(k)] * matrix::Identity(n, n)}, h, y, isotropic_error(2, sigma).r));
    return out;
  }
  std::vector<double> posterior_weights() const {
    std::vector<double> w;
    double total = 0;
    for (index_t k = 0; k < modes; ++k) {
      matrix const s = isotropic_error(2, sigma).r + variances[std::size_t(k)] * h * h.transpose();
      vector const d = y - h * means.row(k).matrix().transpose();
      w.push_back(weights[std::size_t(k)] * std::exp(-.5 * d.dot(s.inverse() * d)) / std::sqrt(s.determinant()));
      total += w.back();
    }
    for (double& x : w) x /= total;
    return w;
  }
  /// Total variation between the weights of the modes and what samples make of them.
  double weight_error(array const& x, std::vector<double> const& particle_weights) const {
    auto const parts = posterior_modes();
    auto const w = posterior_weights();
    std::vector<double> found(w.size(), 0.0);
    for (index_t r = 0; r < x.rows(); ++r) {
      std::vector<double> p;
      double total = 0;
      for (std::size_t k = 0; k < w.size(); ++k) {
        auto const chol = parts[k].covariance.llt();
        vector const d = chol.matrixL().solve(x.row(r).matrix().transpose() - parts[k].mean);
        p.push_back(w[k] * std::exp(-.5 * d.squaredNorm()) / matrix(chol.matrixL()).diagonal().prod());
        total += p.back();
      }
      if (total == 0) continue;  // in no mode at all
      for (std::size_t k = 0; k < w.size(); ++k) found[k] += particle_weights[std::size_t(r)] * p[k] / total;
    }
    double tv = 0;
    for (std::size_t k = 0; k < w.size(); ++k) tv += .5 * std::abs(found[k] - w[k]);
    return tv;
  }
};

}  // namespace

TEST_CASE("with weights, guidance finds the modes that it mis-weighs without") {
  auto const levels = geometric(50, 1e-2, 200);
  index_t const m = 512;
  array const like = array::Zero(m, 8);
  std::vector<double> const equal(std::size_t(m), 1 / double(m));
  for (double const sigma : {.05, .5}) {
    mixture_problem const p(sigma, 5);
    auto const alone = sample(ddpm, twisted{p.prior(), p.seen()}, std::span<level const>(levels), like, key{100});
    auto const weighed = sample_particles(twisted{p.prior(), p.seen()}, std::span<level const>(levels), like, key{100});
    double const without = p.weight_error(alone, equal), with = p.weight_error(weighed.x, weighed.weights);
    INFO("sigma " << sigma << ": modes off by " << without << " without, " << with << " with weights; ESS " << weighed.least_ess);
    CHECK(without > .2);
    CHECK(with <= .05);
    CHECK(with <= without / 4);
    CHECK(weighed.least_ess > .2);
    CHECK(p.weight_error(resampled(weighed, key{101}), equal) <= .05);
  }
}

TEST_CASE("the twist of a Gaussian prior is its likelihood, and its mean the posterior's") {
  auto const p = sparse_accurate();
  level const l{.8, .9};
  array const x = normals(3, p.n, key{1});
  auto const at = twisted{p.prior, observation{dense_operator{p.h}, p.y_row(), dense_error{p.r()}}}.evaluate(x, l);
  CHECK(distance(at.mean, p.posterior()(x, l)) <= 1e-12);
  matrix const v = l.sigma * l.sigma / l.alpha * p.prior.jacobian(l), s = p.r() + p.h * v * p.h.transpose();
  for (index_t r = 0; r < 3; ++r) {
    vector const d = p.y - p.h * at.prior.row(r).matrix().transpose();
    double const log_det = (2 * std::acos(-1.0) * s).ldlt().vectorD().array().log().sum();
    CHECK(at.log_likelihood(r, 0) == Approx(-.5 * d.dot(s.ldlt().solve(d)) - .5 * log_det).epsilon(1e-9));
  }
}

TEST_CASE("weights of a Gaussian problem stay equal but for the length of the steps") {
  // there the twist is exact, so that with many steps nothing is left to correct
  auto const prior = centred(ar1(9, .8));
  observation const seen{dense_operator{every(4, 9)}, array(normals(1, 3, key{2})), isotropic_error(3, .5)};
  auto const got = sample_particles(twisted{prior, seen}, std::span<level const>(geometric(50, 1e-2, 400)), array(array::Zero(500, 9)), key{3});
  CHECK(got.least_ess > .9);
  CHECK(got.resamplings == 0);
}

TEST_CASE("systematic resampling draws every particle n w times, rounded up or down") {
  std::vector<double> w{.05, .3, 0, .15, .5};
  for (std::uint64_t i = 0; i < 200; ++i) {
    std::vector<int> count(5, 0);
    for (auto const at : systematic(w, key{i})) ++count[std::size_t(at)];
    for (std::size_t k = 0; k < 5; ++k) {
      CHECK(count[k] >= std::floor(5 * w[k] - 1e-12));
      CHECK(count[k] <= std::ceil(5 * w[k] + 1e-12));
    }
  }
  array const x = normals(4, 3, key{4});
  std::vector<std::int64_t> const at{2, 0, 0, 3, 1, 2};
  array const y = picked_rows(x, at);
  for (std::size_t r = 0; r < at.size(); ++r) CHECK((y.row(index_t(r)) == x.row(at[r])).all());
  CHECK(ess_share(std::vector<double>{.25, .25, .25, .25}) == 1);
  CHECK(ess_share(std::vector<double>{1, 0, 0, 0}) == .25);
}

TEST_CASE("particles are the same on any number of ranks") {
  mixture_problem const p(.5, 5);
  auto const levels = geometric(50, 1e-2, 12);
  auto const run = [&](auto comm) {
    windowed const prior{window_plan{2, 4, 2, 1}, p.prior(), comm};  // one window: ranks share the particles
    return sample_particles(twisted{prior, p.seen()}, std::span<level const>(levels), array(array::Zero(30, 8)), key{5});
  };
  auto const alone = run(solo{});
  CHECK(alone.resamplings > 0);
  for (int const size : {2, 3, 5}) {
    std::vector<char> equal(std::size_t(size), 0);
    on_threads(size, [&](thread_communicator c) {
      auto const got = run(c);
      equal[std::size_t(c.rank())] = (got.x == alone.x).all() && got.weights == alone.weights;
    });
    for (char const e : equal) CHECK(e);
  }
}
