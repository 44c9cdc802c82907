// SPDX-License-Identifier: Apache-2.0
#include <exact.hpp>
#include <sda/calculus/check.hpp>
#include <sda/prior/ensemble.hpp>
#include <sda/prior/ensemble_gaussian.hpp>

using namespace sda;
using namespace sda_test;
using S = host_array<double>;

static_assert(DifferentiableDenoiser<ensemble_denoiser<S>, S> && DifferentiableDenoiser<ensemble_denoiser<host_array<float>>, host_array<float>>);
static_assert(DifferentiableDenoiser<ensemble_batch_denoiser<S>, S> && DifferentiableDenoiser<paired_ensemble<S>, S>);

namespace {

// The softmax as it is defined, in long double.
std::vector<long double> direct_weights(S const& members, S const& x, index_t r, level l) {
  std::vector<long double> logs, w;
  for (index_t j = 0; j < members.rows(); ++j) {
    exact::vector<long double> const d = exact::row_of<long double>(x, r) - (long double)(l.alpha) * exact::row_of<long double>(members, j);
    logs.push_back(-d.squaredNorm() / (2 * (long double)(l.sigma) * l.sigma));
  }
  long double const top = *std::max_element(logs.begin(), logs.end());
  long double total = 0;
  for (auto const v : logs) total += std::exp(v - top);
  for (auto const v : logs) w.push_back(std::exp(v - top) / total);
  return w;
}

}  // namespace

TEST_CASE("an ensemble's denoiser weighs its members by the softmax of their distances") {
  S const members = normals(9, 6, key{1}) + 3, start = normals(5, 6, key{2}) + 3;
  ensemble_denoiser const d(members);
  for (level const l : {level{1, 0.3}, level{1, 1}, level{1, 100}, level{0.6, 0.8}, level{0.05, 1}}) {
    S x(5, 6);
    lincomb(x, term{l.alpha, start}, noise{l.sigma, key{3}});
    auto const at = linearize(d, x, l);
    S weights(5, 9);
    for (index_t r = 0; r < 5; ++r) {
      auto const w = direct_weights(members, x, r, l);
      for (index_t j = 0; j < 9; ++j) weights(r, j) = double(w[std::size_t(j)]);
    }
    CAPTURE(l.alpha, l.sigma);
    CHECK(distance(at.weights(), weights) <= 1e-12);
    CHECK(distance(at.value(), (weights.matrix() * members.matrix()).array()) <= 1e-12);
    CHECK((d(x, l) == at.value()).all());
  }
}

TEST_CASE("the Jacobian of an ensemble's denoiser is the derivative of its value") {
  S const members = normals(9, 6, key{1}) + 3, x = normals(5, 6, key{2}) + 2;
  for (level const l : {level{1, 0.7}, level{0.6, 0.8}, level{1, 5}}) {
    CHECK(check_derivative(ensemble_denoiser(members), x, key{4}, l) <= 1e-6);
    CHECK(check_adjoint(ensemble_denoiser(members), x, key{5}, l) <= 1e-12);
  }
}

TEST_CASE("without noise the nearest member is the answer, in any number of dimensions") {
  S const members = normals(20, 20000, key{1});
  ensemble_denoiser const d(members);
  for (double const sigma : {1e-3, 1e-8, 1e-100, 0.0}) {
    S x = members.topRows(4) + 1e-4;
    auto const at = linearize(d, x, level{1, sigma});
    CHECK(distance(at.value(), members.topRows(4)) <= 1e-13);
    CHECK((at.vjp(x) == S::Zero(4, 20000)).all());
  }
}

TEST_CASE("the denoiser of many Gaussian members approaches the Gaussian's at the rate of Monte Carlo") {
  S const mean = normals(1, 2, key{1}), variance = (S(1, 2) << 1, 0.25).finished(), x = normals(200, 2, key{2});
  level const l{1, 1};
  S const limit = gaussian{mean, variance}(x, l);
  auto const rms = [&](index_t n) {
    S members = normals(n, 2, key{3}).rowwise() * variance.sqrt().row(0);
    lincomb(members, term{1.0, members}, term{1.0, mean});
    return std::sqrt((ensemble_denoiser(members)(x, l) - limit).square().mean());
  };
  double const few = rms(250), many = rms(4000);
  CHECK(many <= 0.05);
  CHECK(few / many > 2);  // 4 but for chance: one ensemble each
  CHECK(few / many < 8);
}

TEST_CASE("a mini-batch of all members is the ensemble, and of some members their ensemble") {
  S const members = normals(8, 5, key{1}), x = normals(3, 5, key{2});
  level const l{0.8, 0.6}, next{0.9, 0.5};
  CHECK((ensemble_batch_denoiser(members, 8, key{3})(x, l) == ensemble_denoiser(members)(x, l)).all());

  ensemble_batch_denoiser const d(members, 3, key{3});
  auto const chosen = d.chosen(l);
  REQUIRE(chosen.size() == 3);
  CHECK((chosen[0] < chosen[1] && chosen[1] < chosen[2] && chosen[0] >= 0 && chosen[2] < 8));
  CHECK(distance(d(x, l), ensemble_denoiser(S(members(chosen, Eigen::all)))(x, l)) <= 1e-13);
  CHECK(check_derivative(d, x, key{4}, l) <= 1e-6);
  CHECK(d.chosen(l) == chosen);
  CHECK((d.chosen(next) != chosen || ensemble_batch_denoiser(members, 3, key{4}).chosen(l) != chosen));

  std::vector<int> counts(8);
  for (int i = 0; i < 4000; ++i)
    for (auto const j : d.chosen({1, 1 + i * 1e-3})) ++counts[std::size_t(j)];
  for (int const c : counts) CHECK(std::abs(c - 1500) <= 4 * std::sqrt(4000 * 3.0 / 8 * 5 / 8));
}

TEST_CASE("a paired ensemble answers with its own members") {
  S const members = normals(4, 5, key{1}), x = normals(4, 5, key{2});
  CHECK((paired_ensemble{members}(x, {1, 1}) == members).all());
  CHECK((linearize(paired_ensemble{members}, x, level{1, 1}).vjp(x) == S::Zero(4, 5)).all());
}

TEST_CASE("the localised Gaussian of an ensemble has its mean and its tapered, inflated covariance") {
  S const members = normals(10, 12, key{1}) + 1, x = normals(3, 12, key{2});
  ring_taper const taper{12, 3};
  exact::matrix<> const centred = members.matrix().rowwise() - members.matrix().colwise().mean();
  exact::matrix<> c = 1.1 * 1.1 * centred.transpose() * centred / 9;
  for (index_t i = 0; i < 12; ++i)
    for (index_t j = 0; j < 12; ++j) c(i, j) *= gaspari_cohn(double(std::min(std::abs(i - j), 12 - std::abs(i - j))), 3);
  exact::normal_law<> const law{members.matrix().colwise().mean().transpose(), c};
  auto const d = localised_ensemble_gaussian(members, taper, 1.1);
  level const l{0.8, 0.6};
  for (index_t r = 0; r < 3; ++r) CHECK((d(x, l).row(r).matrix().transpose() - exact::denoise(law, exact::row_of<double>(x, r), l)).norm() <= 1e-12);
}

TEST_CASE("without a taper the localised Gaussian is the low-rank one") {
  S const members = normals(6, 15, key{1}), x = normals(3, 15, key{2});
  auto const dense = localised_ensemble_gaussian(members, [](index_t, index_t) { return 1.0; }, 1.2);
  auto const low_rank = ensemble_gaussian(members, 1.2);
  for (level const l : {level{1, 0.1}, level{1, 10}, level{0.5, 0.5}}) {
    CHECK(distance(low_rank(x, l), dense(x, l)) <= 1e-11);
    CHECK(distance(linearize(low_rank, x, l).vjp(x), linearize(dense, x, l).vjp(x)) <= 1e-11);
  }
}

TEST_CASE("ensembles that cannot serve are refused with their numbers") {
  CHECK_THROWS_AS(ensemble_denoiser(S(0, 3)), error);
  CHECK_THROWS_WITH(ensemble_denoiser(S(S::Zero(2, 3)))(S::Zero(1, 4), level{1, 1}), Catch::Contains("an ensemble of 3 columns, x_t of 4"));
  CHECK_THROWS_WITH(ensemble_batch_denoiser(S(S::Zero(4, 3)), 5, key{1}), Catch::Contains("5 of 4 members"));
  CHECK_THROWS_AS(paired_ensemble{S(S::Zero(4, 3))}(S::Zero(3, 3), level{1, 1}), error);
  CHECK_THROWS_WITH(ensemble_gaussian(S(S::Zero(1, 3))), Catch::Contains("1 members"));
}
