// SPDX-License-Identifier: Apache-2.0
#include <exact.hpp>
#include <sda/prior/gaussian_full.hpp>
#include <sda/prior/mixture.hpp>

using namespace sda;
using namespace sda_test;
using namespace sda_test::exact;
using S = host_array<double>;

static_assert(DifferentiableDenoiser<mixture<gaussian<S>>, S>);
static_assert(DifferentiableDenoiser<mixture<gaussian<S, dense_basis<S>>>, S>);

namespace {

using wide = long double;

S noisy(S const& from, level l) {
  S x = zeros_like(from);
  lincomb(x, term{l.alpha, from}, noise{l.sigma, key{4}});
  return x;
}

// E[x_0|x_t] and its Jacobian by summing over the components in long double: the densities of x_t as they are defined.
struct brute_force {
  mixture_law<wide> law;

  std::vector<wide> shares(vector<wide> const& x, level l) const {
    std::vector<wide> logs, out;
    for (std::size_t k = 0; k < law.parts.size(); ++k) {
      wide const a = l.alpha, s = l.sigma;
      auto const& part = law.parts[k];
      matrix<wide> const c = a * a * part.covariance + s * s * matrix<wide>::Identity(x.size(), x.size());
      logs.push_back(std::log(law.weights[k]) + log_density<wide>({a * part.mean, c}, x));
    }
    wide const top = *std::max_element(logs.begin(), logs.end());
    wide total = 0;
    for (wide const v : logs) total += std::exp(v - top);
    for (wide const v : logs) out.push_back(std::exp(v - top) / total);
    return out;
  }
  vector<wide> mean(vector<wide> const& x, level l) const {
    auto const w = shares(x, l);
    vector<wide> out = vector<wide>::Zero(x.size());
    for (std::size_t k = 0; k < w.size(); ++k) out += w[k] * denoise(law.parts[k], x, l);
    return out;
  }
  // Tweedie: (α/σ²) Cov[x_0|x_t]
  matrix<wide> jacobian(vector<wide> const& x, level l) const {
    auto const w = shares(x, l);
    vector<wide> const centre = mean(x, l);
    wide const ratio = wide(l.alpha) / (wide(l.sigma) * wide(l.sigma));
    matrix<wide> out = matrix<wide>::Zero(x.size(), x.size());
    for (std::size_t k = 0; k < w.size(); ++k) {
      vector<wide> const d = denoise(law.parts[k], x, l) - centre;
      out += w[k] * (denoiser_jacobian(law.parts[k], l) + ratio * d * d.transpose());
    }
    return out;
  }
};

template <class D> void check_exact(D const& d, brute_force const& oracle, S const& from, level l, double tolerance) {
  S const x = noisy(from, l), v = normals(rows(from), columns(from), key{5});
  S expected = zeros_like(x), product = zeros_like(x);
  for (index_t r = 0; r < rows(x); ++r) {
    vector<wide> const row = row_of<wide>(x, r);
    expected.row(r) = oracle.mean(row, l).cast<double>().transpose();
    product.row(r) = (oracle.jacobian(row, l) * row_of<wide>(v, r)).cast<double>().transpose();
  }
  auto const at = linearize(d, x, l);
  CAPTURE(l.alpha, l.sigma);
  CHECK(distance(at.value(), expected) <= tolerance);
  CHECK(distance(at.jvp(v), product) <= tolerance);
  CHECK((at.vjp(v) == at.jvp(v)).all());
  CHECK((d(x, l) == at.value()).all());
}

std::vector<double> const weights{0.5, 0.2, 0.3};

// Three components that overlap, of every kind of covariance.
template <class Make> void check_kind(Make const& make, std::vector<matrix<double>> const& covariances) {
  S const means = normals(3, 4, key{1}), from = normals(4, 4, key{2}) * 1.5;
  brute_force oracle;
  std::vector<decltype(make(means, std::size_t{}))> parts;
  for (std::size_t k = 0; k < 3; ++k) {
    parts.push_back(make(S(means.row(index_t(k))), k));
    oracle.law.weights.push_back(weights[k]);
    oracle.law.parts.push_back({row_of<wide>(means, index_t(k)), covariances[k].cast<wide>()});
  }
  mixture const d(weights, parts);
  for (double const alpha : {1.0, 0.3})
    for (double snr = 1e-8; snr < 1e9; snr *= 100) check_exact(d, oracle, from, {alpha, alpha / std::sqrt(snr)}, 1e-12);
}

}  // namespace

TEST_CASE("a mixture of diagonal Gaussians agrees with brute force at any signal-to-noise ratio") {
  S const variances = normals(3, 4, key{7}).square() + 0.1;
  std::vector<matrix<double>> c;
  for (index_t k = 0; k < 3; ++k) c.push_back(row_of<double>(variances, k).asDiagonal());
  check_kind([&](S const& mean, std::size_t k) { return gaussian{mean, S(variances.row(index_t(k)))}; }, c);
}

TEST_CASE("a mixture of full Gaussians agrees with brute force at any signal-to-noise ratio") {
  std::vector<matrix<double>> c;
  for (std::uint64_t k = 0; k < 3; ++k) c.push_back(random_covariance(4, 20, key{8}.fold(k)));
  check_kind([&](S const& mean, std::size_t k) { return gaussian_full(mean, c[k]); }, c);
}

TEST_CASE("a mixture of one component is that component") {
  S const mean = normals(1, 5, key{1}), variance = normals(1, 5, key{2}).square() + 0.1, x = normals(3, 5, key{3});
  gaussian const one{mean, variance};
  mixture const d({2.5}, std::vector{one});
  CHECK((d(x, {0.7, 0.4}) == one(x, {0.7, 0.4})).all());
  CHECK(distance(linearize(d, x, level{0.7, 0.4}).vjp(x), linearize(one, x, level{0.7, 0.4}).vjp(x)) <= 1e-15);
}

TEST_CASE("mixtures stay finite, and pick the nearest component, when sigma goes to zero") {
  S const means = (S(2, 3) << 1, 2, 3, -4, 5, -6).finished(), like(1, 1);
  std::vector<double> const tiny{1e-8, 1e-8};
  auto const d = isotropic_mixture(like, {0.999, 0.001}, std::span<double const>(means.data(), 6), tiny);
  for (double const sigma : {1.0, 1e-4, 1e-8, 1e-100, 0.0}) {
    S const x = means + 1e-5;  // both modes, a tenth of a standard deviation away
    auto const at = linearize(d, x, level{1, sigma});
    CAPTURE(sigma);
    REQUIRE(at.value().allFinite());
    REQUIRE(at.vjp(x).allFinite());
    if (sigma < 0.1) CHECK((at.value() - means).abs().maxCoeff() <= 1.1e-5);
  }
  CHECK(distance(d(means, {1, 0}), means) == 0);
}

TEST_CASE("the Jacobian of a mixture is the derivative of its value") {
  S const means = normals(3, 4, key{1}), like(1, 1), x = normals(5, 4, key{2}), v = normals(5, 4, key{3});
  std::vector<double> const variances{0.2, 0.1, 0.4};
  auto const d = isotropic_mixture(like, weights, std::span<double const>(means.data(), 12), variances);
  for (level const l : {level{1, 0.3}, level{0.6, 0.8}, level{1, 3}}) {
    double const h = 1e-5;
    S const numeric = (d(S(x + h * v), l) - d(S(x - h * v), l)) / (2 * h);
    CHECK(distance(linearize(d, x, l).jvp(v), numeric) <= 1e-8);
  }
}

TEST_CASE("log_density is the density of x_t") {
  S const means = normals(2, 3, key{1}), like(1, 1), x = normals(4, 3, key{2});
  std::vector<double> const variances{0.2, 1.5};
  auto const d = isotropic_mixture(like, {0.25, 0.75}, std::span<double const>(means.data(), 6), variances);
  level const l{0.8, 0.6};
  S const logs = linearize(d, x, l).log_density;
  for (index_t r = 0; r < 4; ++r) {
    double density = 0;
    for (index_t k = 0; k < 2; ++k) {
      double const v = l.alpha * l.alpha * variances[std::size_t(k)] + l.sigma * l.sigma;
      normal_law<> const law{l.alpha * row_of<double>(means, k), v * matrix<double>::Identity(3, 3)};
      density += (k == 0 ? 0.25 : 0.75) * std::exp(log_density(law, row_of<double>(x, r)));
    }
    CHECK(logs(r, 0) == Approx(std::log(density)).epsilon(1e-12));
  }
}

TEST_CASE("mixtures that are none are refused with their numbers") {
  S const like(1, 1), mean = S::Zero(1, 2);
  std::vector<double> const six{1, 2, 3, 4, 5, 6};
  std::vector<gaussian<S>> const one{{mean, mean}};
  CHECK_THROWS_AS((mixture<gaussian<S>>({}, {})), error);
  CHECK_THROWS_AS((mixture<gaussian<S>>({1, 2}, one)), error);
  CHECK_THROWS_WITH((mixture<gaussian<S>>({-3}, one)), Catch::Contains("-3"));
  CHECK_THROWS_AS(isotropic_mixture(like, {1, 1}, std::span<double const>(six).first(5), std::vector<double>{1, 1}), error);
  CHECK_THROWS_WITH(isotropic_mixture(like, {1, 1}, six, std::vector<double>{1, -2}), Catch::Contains("-2"));
}
