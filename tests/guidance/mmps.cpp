// SPDX-License-Identifier: Apache-2.0
#include <sda/calculus/schedule.hpp>
#include <sda/guidance/mmps.hpp>
#include <sda/sampler/corrector.hpp>
#include <sda/sampler/sample.hpp>
#include <sda/trajectory/window.hpp>

#include <dense.hpp>
#include <sda_test.hpp>

using namespace sda;
using namespace sda_test;

namespace {

constexpr level levels_of_interest[] = {{1, .01}, {1, 1}, {1, 100}, {.3, .95}};

auto seen(atlas_problem const& p) { return observation{dense_operator{p.h}, p.y_row(), dense_error{p.r()}}; }

array noisy_states(atlas_problem const& p, index_t m, level l, std::uint64_t seed) {
  matrix const half = p.prior.covariance.llt().matrixL();
  return l.alpha * (normals(m, p.n, key{seed}).matrix() * half.transpose()).array() + l.sigma * normals(m, p.n, key{seed}.fold(1));
}

/// The relative error of the guidance term, in the mean square over 200 draws of truth, observations and noise.
double solver_error(atlas_problem const& p, level l, int iterations) {
  index_t const m = 200;
  matrix const half = p.prior.covariance.llt().matrixL();
  array const truth = (normals(m, p.n, key{5}).matrix() * half.transpose()).array();
  array const y = (truth.matrix() * p.h.transpose()).array() + p.sigma * normals(m, p.h.rows(), key{6});
  array const x = l.alpha * truth + l.sigma * normals(m, p.n, key{7});
  observation const o{dense_operator{p.h}, y, dense_error{p.r()}};
  array const start = p.prior(x, l), exact = mmps{p.prior, o, dense_solver{}}(x, l) - start;
  return (mmps{p.prior, o, gmres{iterations}}(x, l) - start - exact).matrix().norm() / exact.matrix().norm();
}

}  // namespace

TEST_CASE("with a full solve, guidance is the closed-form posterior denoiser") {
  for (auto const& p : {sparse_accurate(), dense_noisy()})
    for (level const l : levels_of_interest) {
      array const x = noisy_states(p, 3, l, 1), exact = p.posterior()(x, l);
      CHECK(distance(mmps{p.prior, seen(p), dense_solver{}}(x, l), exact) <= 1e-12);
      CHECK(distance(mmps{p.prior, seen(p), dense_solver{}, solve_in::states}(x, l), exact) <= 1e-12);
    }
}

TEST_CASE("as many iterations as observations are a full solve, in observations and in states") {
  auto const p = sparse_accurate();
  for (level const l : levels_of_interest) {
    array const x = noisy_states(p, 3, l, 2), exact = p.posterior()(x, l);
    CHECK(distance(mmps{p.prior, seen(p), gmres{9}}(x, l), exact) <= 1e-12);
    CHECK(distance(mmps{p.prior, seen(p), gmres{10}, solve_in::states}(x, l), exact) <= 1e-9);
  }
}

TEST_CASE("the error after a few iterations has the size that was worked out for the two problems") {
  struct row {
    bool sparse;
    double sigma;
    int iterations;
    double measured, published;  // published: one draw, with a generator of its own
  };
  row const table[] = {
      {true, .3, 1, .11, .12},  {true, .3, 2, 6.2e-5, 4.5e-5}, {true, 1, 1, .18, .14},     {true, 1, 2, .024, .017},  {true, 1, 3, 1.6e-3, 9e-4},
      {true, 10, 1, .41, .42},  {true, 10, 2, .23, .26},       {true, 10, 3, .12, .13},    {true, 10, 5, .015, .008}, {false, 1, 1, .43, .32},
      {false, 1, 2, .27, .23},  {false, 1, 3, .17, .13},       {false, 1, 5, .051, .033},  {false, 10, 1, .51, .53},  {false, 10, 2, .36, .43},
      {false, 10, 3, .27, .36}, {false, 10, 5, .16, .19},      {false, 10, 8, .062, .072},
  };
  for (auto const& r : table) {
    double const got = solver_error(r.sparse ? sparse_accurate() : dense_noisy(), {1, r.sigma}, r.iterations);
    INFO("sparse " << r.sparse << " sigma " << r.sigma << " iterations " << r.iterations << " gives " << got);
    CHECK(got == Approx(r.measured).epsilon(.08));
    CHECK(got < 2 * r.published);
    CHECK(got > r.published / 2);
  }
}

TEST_CASE("without observations the denoiser is left alone") {
  auto const p = sparse_accurate();
  array const x = noisy_states(p, 2, {1, 1}, 3);
  mmps const d{p.prior, observation{dense_operator{matrix(0, p.n)}, array(1, 0), dense_error{matrix(0, 0)}}};
  CHECK((d(x, level{1, 1}) == p.prior(x, level{1, 1})).all());
  auto const at = linearize(d, x, level{1, 1});
  CHECK((at.value() == p.prior(x, level{1, 1})).all());
  CHECK((at.vjp(x) == linearize(p.prior, x, level{1, 1}).vjp(x)).all());
}

TEST_CASE("every row is guided by its own observations, or all by the same") {
  auto const p = sparse_accurate();
  level const l{1, .7};
  array const x = noisy_states(p, 3, l, 4), y = normals(3, 9, key{9});
  auto const guide = [&](array const& seen_y) { return mmps{p.prior, observation{dense_operator{p.h}, seen_y, dense_error{p.r()}}}; };
  array const together = guide(y)(x, l);
  for (index_t r = 0; r < 3; ++r) {
    array const one = guide(take_rows(y, r, r + 1))(take_rows(x, r, r + 1), l);
    CHECK(distance(take_rows(together, r, r + 1), one) <= 1e-13);
    CHECK(distance(take_rows(guide(take_rows(y, r, r + 1))(x, l), r, r + 1), one) <= 1e-13);
  }
  CHECK_THROWS_AS(guide(normals(2, 9, key{9}))(x, l), error);
  CHECK_THROWS_AS(guide(normals(1, 8, key{9}))(x, l), error);
}

TEST_CASE("a nonlinear operator is linearised at the denoised state") {
  auto const p = sparse_accurate();
  level const l{1, .5};
  array const x = noisy_states(p, 2, l, 5), y = normals(2, 9, key{10}) / 2, start = p.prior(x, l);
  array const got = mmps{p.prior, observation{bent_operator{p.h}, y, dense_error{p.r()}}, gmres{9}}(x, l);
  matrix const v = l.sigma * l.sigma * p.prior.jacobian(l);
  for (index_t r = 0; r < 2; ++r) {
    vector const inside = p.h * start.row(r).matrix().transpose();
    matrix const a = (1 / (1 + inside.array().square())).matrix().asDiagonal() * p.h;
    vector const d = y.row(r).matrix().transpose() - inside.array().atan().matrix();
    vector const want = start.row(r).matrix().transpose() + v * a.transpose() * (p.r() + a * v * a.transpose()).ldlt().solve(d);
    CHECK((got.row(r).matrix().transpose() - want).norm() <= 1e-11 * want.norm());
  }
}

TEST_CASE("guidance nests: two sets of observations one after the other are both at once") {
  auto const p = sparse_accurate();
  observation const early{dense_operator{p.h.topRows(4)}, array(p.y_row().leftCols(4)), dense_error{p.r().topLeftCorner(4, 4)}};
  observation const late{dense_operator{p.h.bottomRows(5)}, array(p.y_row().rightCols(5)), dense_error{p.r().topLeftCorner(5, 5)}};
  for (level const l : levels_of_interest) {
    array const x = noisy_states(p, 3, l, 6);
    mmps const nested{mmps{p.prior, early, dense_solver{}}, late, dense_solver{}};
    CHECK(distance(nested(x, l), p.posterior()(x, l)) <= 1e-10);
    auto const at = linearize(nested, x, l);
    matrix const j = p.posterior().jacobian(l);
    CHECK(distance(at.vjp(x), (x.matrix() * j).array()) <= 1e-10);
    CHECK(distance(at.jvp(x), (x.matrix() * j.transpose()).array()) <= 1e-10);
  }
}

TEST_CASE("outside windows, the likelihood sees the whole; inside, every window its own observations") {
  auto const p = sparse_accurate();
  level const l{1, .8};
  array const x = noisy_states(p, 2, l, 7);
  auto const whole = windowed{pseudo_blankets(p.n, 1, 32), p.prior};
  CHECK(distance(mmps{whole, seen(p), gmres{9}}(x, l), p.posterior()(x, l)) <= 1e-12);

  index_t const size = 33;
  window_plan const plan{65, 1, size, 16};
  auto const local = [&](index_t w) {  // windows start at steps seen: 0, 16, 32
    matrix const h = every(8, size);
    array const y = p.y_row().middleCols(2 * w, h.rows());
    return mmps{centred(ar1(size, .95)), observation{dense_operator{h}, y, isotropic_error(h.rows(), p.sigma)}, gmres{5}};
  };
  array const got = windowed{plan, local}(x, l);
  for (index_t w = 0; w < plan.count(); ++w) {
    matrix const h = every(8, size);
    auto const exact = conditioned(centred(ar1(size, .95)), h, p.y.segment(2 * w, 5), isotropic_error(5, p.sigma).r);
    array const there = exact(array(x.middleCols(16 * w, size)), l);
    for (index_t s = 0; s < p.n; ++s)
      if (plan.owner(s) == w) CHECK((got.col(s) - there.col(s - 16 * w)).abs().maxCoeff() <= 1e-12);
  }
  auto const at = linearize(windowed{plan, local}, x, l);
  array const u = normals(2, p.n, key{11}), z = normals(2, p.n, key{12});
  CHECK((at.value() == got).all());
  CHECK((at.vjp(u) * z).sum() == Approx((u * at.jvp(z)).sum()).epsilon(1e-9));
}

TEST_CASE("32 predictor-corrector steps of 2 corrections, 2 iterations each, cost 96 evaluations and 288 vjps") {
  auto p = sparse_accurate();
  index_t evaluations = 0, vjps = 0;
  p.prior.evaluations = &evaluations;
  p.prior.vjps = &vjps;
  sample(pc{ddim{}, langevin{}, 2}, mmps{p.prior, seen(p)}, rectified{}, 32, array(array::Zero(1, p.n)), key{1});
  CHECK(evaluations == 96);
  CHECK(vjps == 288);
}
