// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>

#include <affine.hpp>
#include <sda/prior/gaussian.hpp>
#include <sda/sampler/corrector.hpp>

using namespace sda;
using sda_test::scripted;
using sda_test::affine::moments;
using array = host_array<double>;

namespace {

level const here{0.8, 0.5}, ahead{0.9, 0.3};

// A corrector as a sampler of its own: it corrects where a step starts and goes nowhere.
template <class C> struct alone {
  C corrector;
  none memory(State auto const&) const { return {}; }
  template <State S, Denoiser<S> D> void step(D const& d, S& x, none&, transition t, key k) const { corrector.correct(d, x, t.from, k); }
};
template <class C> alone(C) -> alone<C>;

struct diagonal_problem {
  array mean{{1.0, -2.0, 0.5}}, variance{{1e-4, 0.3, 20.0}};
  gaussian<array> prior{mean, variance};
  Eigen::ArrayXd lambda = variance.row(0), seen = here.alpha * here.alpha * lambda + here.sigma * here.sigma;  // Var x_t
  moments stationary{here.alpha * mean.matrix().transpose(), seen.matrix().asDiagonal()};

  moments corrected(auto const& corrector) const { return sda_test::affine::propagate(alone{corrector}, prior, {here, ahead}, stationary); }
};

void check_variances(moments const& law, Eigen::ArrayXd const& expected) {
  CHECK((law.covariance.diagonal().array() / expected - 1).abs().maxCoeff() <= 1e-12);
  CHECK((law.covariance - Eigen::MatrixXd(law.covariance.diagonal().asDiagonal())).cwiseAbs().maxCoeff() <= 1e-14);
}

}  // namespace

TEST_CASE("a Langevin step leaves a Gaussian as it is but for δ² σ⁴ / v of its variances v") {
  diagonal_problem const p;
  double const s2 = here.sigma * here.sigma;
  for (double const delta : {0.01, 0.1, 0.5}) {
    moments const law = p.corrected(langevin{delta});
    CHECK((law.mean - p.stationary.mean).cwiseAbs().maxCoeff() <= 1e-13);
    check_variances(law, p.seen + delta * delta * s2 * s2 / p.seen);
  }
}

TEST_CASE("renoising leaves a Gaussian as it is but for (1-√(1-δ))² σ² α² λ / v of its variances v") {
  diagonal_problem const p;
  for (double const delta : {0.01, 0.1, 1.0}) {
    double const lost = std::pow(1 - std::sqrt(1 - delta), 2) * std::pow(here.sigma * here.alpha, 2);
    moments const law = p.corrected(renoising{delta});
    CHECK((law.mean - p.stationary.mean).cwiseAbs().maxCoeff() <= 1e-13);
    check_variances(law, p.seen - lost * p.lambda / p.seen);
  }
}

TEST_CASE("corrections repair the law that a predictor leaves") {
  diagonal_problem const p;
  moments wrong = p.stationary;
  wrong.covariance *= 0.5;
  wrong.mean.array() += 1;
  double before = sda_test::affine::divergence(wrong, p.stationary);
  for (int i = 0; i < 5; ++i) {
    wrong = sda_test::affine::propagate(alone{langevin{0.1}}, p.prior, {here, ahead}, wrong);
    double const after = sda_test::affine::divergence(wrong, p.stationary);
    CHECK(after < before);
    before = after;
  }
}

TEST_CASE("the adaptive rule gives each row the Langevin step τ / mean(ẑ²), none above the limit") {
  diagonal_problem const p;
  array x = 3 * sda_test::normals(4, 3, key{1});
  x.row(2) = (here.alpha * p.mean).row(0) + 1e-3;  // hardly any ẑ: the limit holds
  auto const one_step = [&](auto const& corrector, array const& at, array const& xi) {
    scripted s(at, [&](array& out, index_t) { out = xi; });
    corrector.correct(sda_test::through{p.prior}, s, here, key{});
    return s.x;
  };
  array const xi = sda_test::normals(4, 3, key{2}), z = (x - here.alpha * p.prior(x, here)) / here.sigma;
  array const together = one_step(adaptive_langevin{0.25, 2.0}, x, xi);
  for (index_t r = 0; r < 4; ++r) {
    double const delta = std::min(2.0, 0.25 / z.row(r).square().mean());
    CHECK((delta == 2.0) == (r == 2));
    CHECK(sda_test::distance(array(together.row(r)), one_step(langevin{delta}, x.row(r), xi.row(r))) <= 1e-13);
  }
}

TEST_CASE("without a limit the adaptive rule is SDA's, however small ẑ") {
  diagonal_problem const p;
  array const x = here.alpha * p.mean + 1e-3, z = (x - here.alpha * p.prior(x, here)) / here.sigma, xi = sda_test::normals(1, 3, key{2});
  scripted s(x, [&](array& out, index_t) { out = xi; });
  adaptive_langevin{0.25}.correct(sda_test::through{p.prior}, s, here, key{});
  double const delta = 0.25 / z.square().mean();
  CHECK(delta > 1e3);
  CHECK(sda_test::distance(s.x, array(x - here.sigma * (delta * z - std::sqrt(2 * delta) * xi))) <= 1e-12);
}

TEST_CASE("a predictor-corrector corrects where it is told to, with draws of its own, and never without noise") {
  diagonal_problem const p;
  array const x = sda_test::normals(2, 3, key{1});
  key const k{7};
  transition const t{here, ahead};
  none stateless;
  auto const by_hand = [&](bool before) {
    array y = x;
    auto const corrections = [&](level l) {
      for (std::uint64_t i = 1; i <= 2; ++i) langevin{0.2}.correct(p.prior, y, l, k.fold(i));
    };
    if (before) corrections(here);
    ddpm.step(p.prior, y, stateless, t, k.fold(0));
    if (!before) corrections(ahead);
    return y;
  };
  array y = x;
  pc{ddpm, langevin{0.2}, 2}.step(p.prior, y, stateless, t, k);
  CHECK(sda_test::distance(y, by_hand(true)) <= 1e-14);
  y = x;
  pc{ddpm, langevin{0.2}, 2, correcting::after}.step(p.prior, y, stateless, t, k);
  CHECK(sda_test::distance(y, by_hand(false)) <= 1e-14);
  array clean = x, only_predicted = x;
  pc{ddim{}, langevin{0.2}, 2, correcting::after}.step(p.prior, clean, stateless, {here, {1, 0}}, k);
  ddim{}.step(p.prior, only_predicted, stateless, {here, {1, 0}}, k);
  CHECK(sda_test::distance(clean, only_predicted) <= 1e-14);
}
