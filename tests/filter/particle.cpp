// SPDX-License-Identifier: Apache-2.0
#include <linear_chain.hpp>
#include <sda/filter/particle.hpp>
#include <sda/model/ar1.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/masked.hpp>

using namespace sda;
using S = host_array<double>;

namespace {

// A scalar AR(1) chain of 6 steps, some of them seen with variance 0.5.
struct chain {
  ar1 model{.phi = 0.8, .deviation = 1};
  double error = 0.5;
  std::vector<sda_test::exact::seen_at_step> seen{{1.2, 0.5}, {0, 0}, {-0.5, 0.5}, {0.3, 0.5}, {0, 0}, {2, 0.5}};

  auto observed(std::size_t t, S const& like) const {
    return observation{masked<S>(like, std::vector<std::int64_t>{0}, 1), S(S::Constant(1, 1, seen[t].y)), scalar_error{error}};
  }
  std::vector<particles<S>> filtered(index_t count, double threshold, key k, double* evidence = nullptr) const {
    particle_filter const filter{threshold};
    auto p = particle_filter::start(model.draw(k.fold(0), S(S::Zero(count, 1))));
    std::vector<particles<S>> out;
    for (std::size_t t = 0; t < seen.size(); ++t) {
      if (t > 0) p.x = model(p.x, k.fold(2 * t));
      if (seen[t].variance > 0) filter.analyse(p, observed(t, p.x), k.fold(2 * t + 1), evidence);
      out.push_back(p);
    }
    return out;
  }
};

}  // namespace

TEST_CASE("systematic resampling takes every particle as often as its weight says, within one") {
  std::vector<double> const weights{0.1, 0.0, 0.55, 0.05, 0.3};
  for (double const u : {1e-9, 0.3, 0.999999}) {
    auto const picked = systematic_resampling(weights, 40, u);
    REQUIRE(picked.size() == 40);
    CHECK(std::is_sorted(picked.begin(), picked.end()));
    for (std::size_t i = 0; i < weights.size(); ++i)
      CHECK(std::abs(double(std::count(picked.begin(), picked.end(), index_t(i))) - 40 * weights[i]) < 1 + 1e-9);
  }
  S const x = sda_test::normals(4, 3, key{1}), y = pick_rows(x, {3, 0, 0, 2, 1});
  CHECK((y.row(0) == x.row(3)).all());
  CHECK((y.row(2) == x.row(0)).all());
}

TEST_CASE("weights survive likelihoods that underflow, and know what a particle is worth") {
  double evidence = 0;
  auto const w = normalised_weights({-5000, -5000 + std::log(3), -9000}, &evidence);
  CHECK(w[0] == Approx(0.25).epsilon(1e-12));
  CHECK(evidence == Approx(-5000 + std::log(4)).epsilon(1e-14));
  CHECK(effective_size({0.25, 0.25, 0.25, 0.25}) == Approx(4));
  CHECK_THROWS_AS(normalised_weights({-INFINITY, -INFINITY}), sda::error);
}

TEST_CASE("on a linear chain the particle filter has the kalman filter's mean and evidence, resampled at will or always") {
  chain const c;
  index_t const n = 40000;
  // the Kalman filter's last mean, variance and log evidence (without the likelihood's constant)
  double m = 0, v = 1, log_evidence = 0;
  double const q = 1 - c.model.phi * c.model.phi;
  for (std::size_t t = 0; t < c.seen.size(); ++t) {
    if (t > 0) m *= c.model.phi, v = c.model.phi * c.model.phi * v + q;
    if (c.seen[t].variance <= 0) continue;
    double const s = v + c.error, gain = v / s, off = c.seen[t].y - m;
    log_evidence += -0.5 * off * off / s + 0.5 * std::log(c.error / s);
    m += gain * off, v *= 1 - gain;
  }
  for (double const threshold : {0.5, 1.0}) {
    double evidence = 0;
    auto const last = c.filtered(n, threshold, key{2}, &evidence).back();
    double mean = 0, square = 0;
    for (index_t i = 0; i < n; ++i) mean += last.weights[std::size_t(i)] * last.x(i, 0);
    for (index_t i = 0; i < n; ++i) square += last.weights[std::size_t(i)] * (last.x(i, 0) - mean) * (last.x(i, 0) - mean);
    // 4 standard errors of as many independent samples as a fifth of the particles: resampling and weights take the rest
    double const error = 4 / std::sqrt(double(n) / 5);
    CHECK(std::abs(mean - m) <= error * std::sqrt(v));
    CHECK(std::abs(square - v) <= error * std::sqrt(2.0) * v);
    CHECK(std::abs(evidence - log_evidence) <= 2 * error);
  }
}

TEST_CASE("backward simulation draws from the smoothing distribution") {
  chain const c;
  index_t const n = 1000, count = 1000;
  auto const filtered = c.filtered(n, 0.5, key{3});
  auto const deterministic = [&](S const& x) { return S(c.model.phi * x); };
  S const paths = backward_simulation(filtered, deterministic, scalar_error{1 - c.model.phi * c.model.phi}, count, key{4});
  auto const exact = sda_test::exact::smooth_ar1(c.model.phi, 1, c.seen);
  for (index_t t = 0; t < index_t(c.seen.size()); ++t) {
    auto const [mean, variance] = exact[std::size_t(t)];
    double const m = paths.col(t).mean(), v = (paths.col(t) - m).square().sum() / double(count - 1);
    // 4 standard errors: the particles' and the draws' add up
    double const error = 4 * std::sqrt(1.0 / double(count) + 5.0 / double(n));
    CHECK(std::abs(m - mean) <= error * std::sqrt(variance));
    CHECK(std::abs(v - variance) <= error * std::sqrt(2.0) * variance);
  }
}

TEST_CASE("as a filter of ensembles it resamples rows") {
  S e = sda_test::normals(50, 1, key{5});
  S const before = e;
  chain const c;
  particle_filter{}.analyse(e, c.observed(0, e), key{6});
  for (index_t i = 0; i < 50; ++i) CHECK((before.col(0) == e(i, 0)).any());
  CHECK(std::abs(e.mean() - 1.2) < std::abs(before.mean() - 1.2));
}
