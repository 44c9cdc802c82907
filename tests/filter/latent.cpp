// SPDX-License-Identifier: Apache-2.0
#include <sda/filter/enff.hpp>
#include <sda/filter/ensemble_kalman.hpp>
#include <sda/filter/ensf.hpp>
#include <sda/filter/latent.hpp>
#include <sda/filter/paired.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/linear.hpp>
#include <sda/observation/masked.hpp>
#include <sample_moments.hpp>
#include <sda_test.hpp>

using namespace sda;
using S = host_array<double>;
using sda_test::covariance;
using sda_test::untapered;

namespace {

struct same {
  S encode(S const& x) const { return x; }
  pointwise<identity_function> decoder() const { return {}; }
};
static_assert(check_encoder<same, S>());

struct halves {
  S encode(S const& x) const { return 0.5 * x; }
  pointwise<scale> decoder() const { return {{2}}; }
};
static_assert(check_encoder<halves, S>());

/// x = B z, z = Bᵀ x: columns of B are orthonormal.
struct along {
  Eigen::MatrixXd basis;
  S encode(S const& x) const { return (x.matrix() * basis).array(); }
  linear<S> decoder() const { return linear<S>(S(basis.array())); }
};
along first_axes(index_t n, index_t kept) {
  Eigen::MatrixXd const m = sda_test::normals(n, n, key{20}).matrix();
  return {(Eigen::HouseholderQR<Eigen::MatrixXd>(m).householderQ() * Eigen::MatrixXd::Identity(n, kept))};
}

/// x = (z₀, z₁ + z₀²): a decoder whose Jacobian changes from place to place and mixes columns.
struct bent {
  struct at {
    S y, z;
    S const& value() const { return y; }
    S jvp(S const& v) const {
      S out = v;
      out.col(1) += 2 * z.col(0) * v.col(0);
      return out;
    }
    S vjp(S const& u) const {
      S out = u;
      out.col(0) += 2 * z.col(0) * u.col(1);
      return out;
    }
  };
  S operator()(S const& z) const {
    S x = z;
    x.col(1) += z.col(0).square();
    return x;
  }
  at linearize(S const& z) const { return {(*this)(z), z}; }
};
struct unbend {
  S encode(S const& x) const {
    S z = x;
    z.col(1) -= x.col(0).square();
    return z;
  }
  bent decoder() const { return {}; }
};
static_assert(check_encoder<unbend, S>());


}  // namespace

TEST_CASE("with latents that are the state every filter gives the numbers it gives without") {
  S const forecast = sda_test::normals(8, 7, key{1}), before = sda_test::normals(8, 7, key{2});
  observation const seen{composed{pointwise{arctan{}}, masked<S>(forecast, std::vector<std::int64_t>{1, 2, 5}, 7)}, sda_test::normals(1, 3, key{3}),
                         scalar_error{0.5}};
  auto const check = [&](auto const& filter) {
    for (bool const keep : {false, true}) {
      S direct = forecast, through = forecast;
      filter.analyse(direct, seen, key{4});
      latent_filter{same{}, filter, keep}.analyse(through, seen, key{4});
      CHECK(sda_test::distance(through, direct) <= 1e-11);  // rounding: a decoder may be fused with what sees it, or stand apart
    }
  };
  check(etkf{.rotate = true});
  check(ensf{.steps = 60});
  check(ensf{.steps = 60, .from = ensf::scores::all_members});
  check(enff{.along = enff::path::noise_to_forecast});
  check(paired_flow_filter{untapered{}});
  S direct = forecast, through = forecast;
  enff{}.analyse(direct, before, seen, key{5});
  latent_filter{same{}, enff{}}.analyse(through, before, seen, key{5});
  CHECK(sda_test::distance(through, direct) <= 1e-11);
}

TEST_CASE("components seen one by one through a pointwise decoder are a walk of single scalars still") {
  S const forecast = sda_test::normals(4, 40, key{6});
  observation const seen{composed{pointwise{arctan{}}, masked<S>(forecast, std::vector<std::int64_t>{3, 4, 30}, 40)},
                         sda_test::normals(1, 3, key{7}), scalar_error{0.3}};
  using through_halves = composed<decltype(seen.op), pointwise<scale>>;
  STATIC_REQUIRE(detail::sees_components<through_halves>);
  STATIC_REQUIRE(!detail::sees_components<composed<decltype(seen.op), bent>>);
  ensf const filter{.steps = 60};
  S walked = forecast, z = 0.5 * forecast;
  latent_filter{halves{}, filter}.analyse(walked, seen, key{8});
  filter.analyse_by_composition(z, observation{through_halves{seen.op, {{2}}}, seen.y, seen.error}, key{8});
  CHECK(sda_test::distance(walked, S(2 * z)) <= 1e-11);  // rounding, 60 steps
}

TEST_CASE("in rotated coordinates a filter that knows no coordinates finds what it finds without") {
  index_t const n = 6;
  S const forecast = sda_test::normals(20, n, key{9});
  observation const seen{masked<S>(forecast, std::vector<std::int64_t>{0, 4}, n), sda_test::normals(1, 2, key{10}), scalar_error{0.4}};
  auto const check = [&](auto const& filter) {
    S direct = forecast, through = forecast;
    filter.analyse(direct, seen, key{11});
    latent_filter{first_axes(n, n), filter}.analyse(through, seen, key{11});
    CHECK(sda_test::distance(through, direct) <= 1e-10);
  };
  check(etkf{});
  check(paired_flow_filter<untapered>{.taper = {}, .solve = gmres{2}});  // as many as observations: solved exactly
}

TEST_CASE("with fewer latents than columns the analysis is the kalman filter's in their span") {
  index_t const n = 6, m = 3;
  S const forecast = sda_test::normals(20, n, key{12});
  observation const seen{masked<S>(forecast, std::vector<std::int64_t>{0, 4}, n), sda_test::normals(1, 2, key{13}), scalar_error{0.4}};
  auto const axes = first_axes(n, m);
  Eigen::MatrixXd const b = axes.basis, c = covariance(axes.encode(forecast));
  Eigen::MatrixXd h(2, m);
  h << b.row(0), b.row(4);
  Eigen::MatrixXd const gain = c * h.transpose() * (h * c * h.transpose() + 0.4 * Eigen::MatrixXd::Identity(2, 2)).inverse();
  Eigen::VectorXd const z = b.transpose() * forecast.colwise().mean().matrix().transpose();
  Eigen::VectorXd const mean = b * (z + gain * (seen.y.matrix().transpose() - h * z));
  Eigen::MatrixXd const spread = b * (c - gain * h * c) * b.transpose();

  S e = forecast;
  latent_filter{axes, etkf{}}.analyse(e, seen, key{});
  CHECK((e.colwise().mean().matrix().transpose() - mean).norm() <= 1e-12);
  CHECK((covariance(e) - spread).norm() <= 1e-12);

  e = forecast;
  paired_flow_filter<untapered> const paired{.taper = {}, .steps = 256, .sigma_min = 1e-3, .sigma_max = 1e4};
  latent_filter{axes, paired}.analyse(e, seen, key{});
  CHECK((e.colwise().mean().matrix().transpose() - mean).norm() <= 1e-3);  // what ten thousand forecast spreads leave of the means' difference
  CHECK((covariance(e) - spread).norm() <= 1e-2);                          // second order in its steps
}

TEST_CASE("keeping residuals the span has the analysis of the whole space and the rest its forecast") {
  index_t const n = 6;
  S const forecast = sda_test::normals(20, n, key{14});
  observation const seen{masked<S>(forecast, std::vector<std::int64_t>{0, 4}, n), sda_test::normals(1, 2, key{15}), scalar_error{0.4}};
  auto const axes = first_axes(n, 3);
  S whole = forecast, e = forecast;
  etkf{}.analyse(whole, seen, key{});
  latent_filter{axes, etkf{}, true}.analyse(e, seen, key{});
  Eigen::MatrixXd const onto = axes.basis * axes.basis.transpose();
  S const expected = forecast + ((whole - forecast).matrix() * onto).array();
  CHECK(sda_test::distance(e, expected) <= 1e-12);
}

TEST_CASE("through a bent decoder analyses lie where the posterior on a grid does") {
  // z ~ N((1, 0), 1/4), both columns of x = (z₀, z₁ + z₀²) seen with errors of 0.3
  S z = 0.5 * sda_test::normals(100, 2, key{16});
  z.col(0) += 1;
  S const forecast = bent{}(z);
  double const y[2] = {1.5, 2.0}, variance = 0.09;
  double total = 0, mean[2] = {}, square[2] = {};
  for (double u = -2; u <= 4; u += 0.02)
    for (double v = -3; v <= 3; v += 0.02) {
      double const x[2] = {u, v + u * u};
      double const w = std::exp(-2 * ((u - 1) * (u - 1) + v * v) - (std::pow(x[0] - y[0], 2) + std::pow(x[1] - y[1], 2)) / (2 * variance));
      total += w;
      for (int c = 0; c < 2; ++c) mean[c] += w * x[c], square[c] += w * x[c] * x[c];
    }
  double spread[2];
  for (int c = 0; c < 2; ++c) mean[c] /= total, spread[c] = std::sqrt(square[c] / total - mean[c] * mean[c]);
  observation const seen{masked<S>(forecast, std::vector<std::int64_t>{0, 1}, 2), S{{y[0], y[1]}}, scalar_error{variance}};
  auto const check = [&](auto const& analyse, double off, double wide) {
    S e = forecast;
    analyse(e);
    for (int c = 0; c < 2; ++c) {
      CHECK(std::abs(e.col(c).mean() - mean[c]) <= off * spread[c]);
      CHECK(std::abs(std::sqrt(covariance(e)(c, c)) / spread[c] - 1) <= wide);
    }
  };
  for (int c = 0; c < 2; ++c) CHECK(std::abs(forecast.col(c).mean() - mean[c]) >= 2 * spread[c]);
  // a sample of 100: 0.1 of the mean's, 0.07 of the spread's; the rest is what each filter takes for linear or does not weigh
  check([&](S& e) { latent_filter{unbend{}, paired_flow_filter{untapered{}}}.analyse(e, seen, key{17}); }, 0.25, 0.15);
  check([&](S& e) { latent_filter{unbend{}, etkf{}}.analyse(e, seen, key{17}); }, 0.25, 0.5);
  check([&](S& e) { latent_filter{unbend{}, ensf{}}.analyse(e, seen, key{17}); }, 1, 0.5);
  check([&](S& e) { latent_filter{unbend{}, enff{}}.analyse(e, forecast, seen, key{17}); }, 0.5, 1);  // known to be narrow
}
