// SPDX-License-Identifier: Apache-2.0
#include <exact.hpp>
#include <sda/prior/gaussian_full.hpp>
#include <sda/prior/low_rank.hpp>

using namespace sda;
using namespace sda_test;
using namespace sda_test::exact;
using S = host_array<double>;

static_assert(DifferentiableDenoiser<gaussian<S>, S>);
static_assert(DifferentiableDenoiser<gaussian<host_array<float>, dense_basis<host_array<float>>>, host_array<float>>);
static_assert(DifferentiableDenoiser<gaussian_low_rank<S>, S>);

namespace {

// x_t as the forward process makes it; SNR = (α/σ)² from 1e-8 to 1e8, at three α.
std::vector<level> levels() {
  std::vector<level> out;
  for (double const alpha : {1.0, 0.3, 1e-3})
    for (double snr = 1e-8; snr < 1e9; snr *= 100) out.push_back({alpha, alpha / std::sqrt(snr)});
  return out;
}
S noisy(S const& mean, level l, index_t n) {
  S x(n, mean.cols());
  lincomb(x, term{l.alpha, mean}, noise{l.alpha, key{3}}, noise{l.sigma, key{4}});
  return x;
}

using wide = long double;

// Posterior mean and products of the Jacobian against the dense closed form in long double.
template <class D> void check_exact(D const& d, S const& mean, matrix<wide> const& covariance) {
  index_t const n = 3;
  double const tolerance = 1e-12;
  normal_law<wide> const law{row_of<wide>(mean, 0), covariance};
  for (level const l : levels()) {
    S const x = noisy(mean, l, n), v = normals(n, mean.cols(), key{5});
    auto const at = linearize(d, x, l);
    S expected(n, x.cols()), product(n, x.cols());
    matrix<wide> const jacobian = denoiser_jacobian(law, l);
    for (index_t r = 0; r < n; ++r) {
      expected.row(r) = denoise<wide>(law, row_of<wide>(x, r), l).cast<double>().transpose();
      product.row(r) = (jacobian * row_of<wide>(v, r)).cast<double>().transpose();
    }
    CAPTURE(l.alpha, l.sigma);
    CHECK(distance(at.value(), expected) <= tolerance);
    CHECK(distance(at.jvp(v), product) <= tolerance);
    CHECK(distance(at.vjp(v), product) <= tolerance);
    CHECK((d(x, l) == at.value()).all());
  }
}

}  // namespace

TEST_CASE("a diagonal Gaussian is denoised exactly at any signal-to-noise ratio") {
  S const mean = normals(1, 7, key{1}), variance = normals(1, 7, key{2}).square() + 1e-3;
  check_exact(gaussian{mean, variance}, mean, row_of<wide>(variance, 0).asDiagonal());
}

TEST_CASE("a full Gaussian is denoised exactly at any signal-to-noise ratio") {
  S const mean = normals(1, 9, key{1});
  matrix<double> const c = random_covariance(9, 100, key{2});
  check_exact(gaussian_full(mean, c), mean, c.cast<wide>());
}

TEST_CASE("a low-rank plus diagonal Gaussian is denoised exactly at any signal-to-noise ratio") {
  S const mean = normals(1, 11, key{1}), factor = normals(3, 11, key{2}), diagonal = normals(1, 11, key{6}).square() + 0.01;
  matrix<wide> const u = factor.matrix().cast<wide>(), c = matrix<wide>(row_of<wide>(diagonal, 0).asDiagonal()) + u.transpose() * u;
  check_exact(gaussian_low_rank(mean, diagonal, factor), mean, c);
}

// The dense closed form loses the null space to rounding here; pushed through, α Uᵀ (α² U Uᵀ + σ²)⁻¹ U, it does not.
TEST_CASE("a low-rank Gaussian may have no diagonal while there is noise") {
  S const mean = normals(1, 6, key{1}), factor = normals(2, 6, key{2}), none = S::Zero(1, 6);
  matrix<wide> const u = factor.matrix().cast<wide>();
  gaussian_low_rank const d(mean, none, factor);
  for (level const l : levels()) {
    S const x = noisy(mean, l, 1);
    wide const alpha = l.alpha, noise = wide(l.sigma) * l.sigma;
    matrix<wide> const small = alpha * alpha * u * u.transpose() + noise * matrix<wide>::Identity(2, 2);
    vector<wide> const m = row_of<wide>(mean, 0), shift = alpha * u.transpose() * small.ldlt().solve(u * (row_of<wide>(x, 0) - alpha * m));
    S const expected = (m + shift).cast<double>().transpose();
    CAPTURE(l.alpha, l.sigma);
    CHECK(distance(d(x, l), expected) <= 1e-12);
  }
}

TEST_CASE("a Kronecker Gaussian is the dense Gaussian of the product covariance") {
  matrix<double> const time = random_covariance(4, 10, key{2}), space = random_covariance(3, 20, key{3});
  matrix<double> c(12, 12);
  for (index_t i = 0; i < 4; ++i)
    for (index_t j = 0; j < 4; ++j) c.block(3 * i, 3 * j, 3, 3) = time(i, j) * space;
  S const mean = normals(1, 12, key{1});
  check_exact(gaussian_kronecker(mean, time, space), mean, c.cast<wide>());
}

TEST_CASE("an AR(1) chain of vectors is the dense Gaussian of its covariance") {
  matrix<double> const time = ar1_covariance(8, 0.9, 2.0);
  matrix<double> c = matrix<double>::Zero(16, 16);
  for (index_t i = 0; i < 8; ++i)
    for (index_t j = 0; j < 8; ++j) c.block(2 * i, 2 * j, 2, 2).diagonal().setConstant(time(i, j));
  S const mean = normals(1, 16, key{1});
  check_exact(gaussian_ar1(mean, 8, 2, 0.9, 2.0), mean, c.cast<wide>());
}

TEST_CASE("the score is the gradient Tweedie's formula gives, and log_density is the density of x_t") {
  S const mean = normals(1, 5, key{1});
  matrix<double> const c = random_covariance(5, 30, key{2});
  auto const d = gaussian_full(mean, c);
  for (level const l : {level{1, 0.5}, level{0.3, 0.95}, level{1, 100}}) {
    S const x = noisy(mean, l, 2);
    auto const at = linearize(d, x, l);
    S const tweedie = (l.alpha * at.value() - x) / (l.sigma * l.sigma);
    CHECK(distance(at.score(), tweedie) <= 1e-11);
    normal_law<> const noisy_law{l.alpha * row_of<double>(mean, 0), l.alpha * l.alpha * c + l.sigma * l.sigma * matrix<double>::Identity(5, 5)};
    for (index_t r = 0; r < 2; ++r) CHECK(at.log_density()(r, 0) == Approx(log_density(noisy_law, row_of<double>(x, r))).epsilon(1e-12));
  }
}

TEST_CASE("a mean a row conditions every sample on its own") {
  S const means = normals(3, 4, key{1}), variance = normals(1, 4, key{2}).square() + 0.1, x = normals(3, 4, key{3});
  level const l{0.8, 0.6};
  S const together = gaussian{means, variance}(x, l);
  for (index_t r = 0; r < 3; ++r) {
    S const mean = means.row(r), one = x.row(r);
    CHECK((gaussian{mean, variance}(one, l).row(0) == together.row(r)).all());
  }
}

TEST_CASE("without noise the state itself comes back, and without signal the mean") {
  S const mean = normals(1, 6, key{1}), variance = normals(1, 6, key{2}).square() + 0.1, x = normals(2, 6, key{3});
  CHECK(distance(gaussian{mean, variance}(x, {0.5, 0}), x / 0.5) <= 1e-15);
  CHECK((gaussian{mean, variance}(x, {0, 1}) == mean.replicate(2, 1)).all());
}

TEST_CASE("float states are denoised to float precision") {
  using F = host_array<float>;
  S const mean = normals(1, 9, key{1});
  matrix<double> const c = random_covariance(9, 10, key{2});
  auto const full = gaussian_full(mean, c);
  auto const single = gaussian_full(F(mean.cast<float>()), c);
  for (level const l : {level{1, 1e-2}, level{1, 1}, level{1, 100}}) {
    S const x = noisy(mean, l, 2);
    CHECK(distance(single(x.cast<float>(), l), full(x, l)) <= 3e-6);  // 9 products of single precision, twice
  }
}

TEST_CASE("covariances that are none are refused with their numbers") {
  S const mean = S::Zero(1, 2);
  matrix<double> skew(2, 2), negative(2, 2);
  skew << 1, 0.5, 0, 1;
  negative << 1, 2, 2, 1;
  CHECK_THROWS_AS(gaussian_full(mean, skew), error);
  CHECK_THROWS_WITH(gaussian_full(mean, negative), Catch::Contains("-1"));
  CHECK_THROWS_AS(gaussian_full(S::Zero(1, 3).eval(), matrix<double>::Identity(2, 2)), error);
  CHECK_THROWS_AS(gaussian_ar1(S::Zero(1, 4).eval(), 4, 1, 1.0), error);
  CHECK_THROWS_AS(gaussian_ar1(S::Zero(1, 4).eval(), 3, 1, 0.5), error);
  CHECK_THROWS_AS(gaussian_kronecker(S::Zero(1, 5).eval(), skew, skew), error);
  CHECK_THROWS_AS(gaussian_low_rank(S::Zero(1, 3).eval(), S::Ones(1, 3).eval(), S::Ones(1, 2).eval()), error);
}
