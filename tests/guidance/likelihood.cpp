// SPDX-License-Identifier: Apache-2.0
#include <sda/guidance/likelihood.hpp>

#include <dense.hpp>
#include <sda_test.hpp>

using namespace sda;
using namespace sda_test;

namespace {

/// An error covariance that cannot say what it is when variances are added.
struct plain_error {
  dense_error of;
  array apply(array const& v) const { return of.apply(v); }
  array solve(array const& v) const { return of.solve(v); }
  array draw(key k, array const& like) const { return of.draw(k, like); }
};

struct problem {
  atlas_problem p = sparse_accurate();
  array x = 2 * normals(3, 65, key{1});
  level l{.6, .9};
  observation<dense_operator, array, dense_error> seen{{p.h}, p.y_row(), {p.r()}};

  /// x̂ + c Hᵀ (R + diag(added))⁻¹ (y - H x̂)
  array expected(matrix const& c, vector const& added) const {
    array const start = p.prior(x, l);
    matrix const w = (p.r() + matrix(added.asDiagonal())).inverse();
    matrix const d = (-start.matrix() * p.h.transpose()).rowwise() + p.y.transpose();
    return start + (d * w * p.h * c).array();
  }
};

}  // namespace

TEST_CASE("the likelihood's gradient is the derivative of its logarithm") {
  problem const q;
  double const gamma = .03, v = q.l.sigma * q.l.sigma / (q.l.alpha * q.l.alpha);
  auto const log_p = [&](array const& x) {
    array const d = (q.p.y_row().replicate(3, 1)) - (q.p.prior(x, q.l).matrix() * q.p.h.transpose()).array();
    return -.5 * (d.square() / (q.p.sigma * q.p.sigma + gamma * v)).sum();
  };
  array const away = normals(3, 65, key{2});
  double const h = 1e-4, slope = (log_p(q.x + h * away) - log_p(q.x - h * away)) / (2 * h);
  array const gradient = (gamma_likelihood{q.p.prior, q.seen, gamma}(q.x, q.l) - q.p.prior(q.x, q.l)) * q.l.alpha / (q.l.sigma * q.l.sigma);
  CHECK((gradient * away).sum() == Approx(slope).epsilon(1e-7));
}

TEST_CASE("with and without the network, SDA's and Appa's") {
  problem const q;
  double const s2 = q.l.sigma * q.l.sigma, flat = s2 / (q.l.alpha * q.l.alpha), unit = s2 / (q.l.alpha * q.l.alpha + s2);
  matrix const one = matrix::Identity(65, 65), v = s2 / q.l.alpha * q.p.prior.jacobian(q.l);
  vector const ones = vector::Ones(9);
  CHECK(distance(gamma_likelihood{q.p.prior, q.seen, .02}(q.x, q.l), q.expected(v, .02 * flat * ones)) <= 1e-12);
  CHECK(distance(gamma_likelihood{q.p.prior, q.seen, .02, flat_prior{}}(q.x, q.l), q.expected(flat * one, .02 * flat * ones)) <= 1e-12);
  CHECK(distance(gamma_likelihood{q.p.prior, q.seen, .02, tweedie{}, unit_prior{}}(q.x, q.l), q.expected(v, .02 * unit * ones)) <= 1e-12);
  CHECK(distance(gamma_likelihood{q.p.prior, q.seen, .02, unit_prior{}, unit_prior{}}(q.x, q.l), q.expected(unit * one, .02 * unit * ones)) <= 1e-12);
}

TEST_CASE("gamma may differ from observation to observation") {
  problem const q;
  array const gamma = normals(1, 9, key{3}).square();
  double const flat = q.l.sigma * q.l.sigma / (q.l.alpha * q.l.alpha);
  matrix const v = q.l.sigma * q.l.sigma / q.l.alpha * q.p.prior.jacobian(q.l);
  array const want = q.expected(v, flat * gamma.row(0).matrix().transpose());
  CHECK(distance(gamma_likelihood{q.p.prior, q.seen, gamma}(q.x, q.l), want) <= 1e-12);
  observation const plain{dense_operator{q.p.h}, q.p.y_row(), plain_error{{q.p.r()}}};
  CHECK(distance(gamma_likelihood{q.p.prior, plain, gamma}(q.x, q.l), want) <= 1e-9);
}

TEST_CASE("without a Jacobian the denoiser is never asked for a vjp, and need not have one") {
  problem q;
  index_t vjps = 0;
  q.p.prior.vjps = &vjps;
  gamma_likelihood{q.p.prior, q.seen, .02, flat_prior{}}(q.x, q.l);
  CHECK(vjps == 0);
  struct shrink {
    array operator()(array const& x, level) const { return x / 2; }
  };
  gamma_likelihood const g{shrink{}, q.seen, .02, flat_prior{}};
  static_assert(Denoiser<decltype(g), array> && !DifferentiableDenoiser<decltype(g), array>);
  CHECK(g(q.x, q.l).isFinite().all());
}

TEST_CASE("for a linear problem the linearisation is exact") {
  problem const q;
  gamma_likelihood const g{q.p.prior, q.seen, .02};
  auto const at = linearize(g, q.x, q.l);
  matrix const m = probe(g, 65, q.l).m;
  CHECK((at.value() == g(q.x, q.l)).all());
  CHECK(distance(at.jvp(q.x), (q.x.matrix() * m.transpose()).array()) <= 1e-10);
  CHECK(distance(at.vjp(q.x), (q.x.matrix() * m).array()) <= 1e-10);
}
