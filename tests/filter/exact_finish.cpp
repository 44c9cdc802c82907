// SPDX-License-Identifier: Apache-2.0
#include <dense.hpp>
#include <linear_chain.hpp>
#include <sda/calculus/ode.hpp>
#include <sda/filter/exact_finish.hpp>
#include <sda/model/lorenz96.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/linear.hpp>
#include <sda/observation/masked.hpp>
#include <sda/observation/pointwise.hpp>
#include <sda/sampler/corrector.hpp>

using namespace sda;
using S = host_array<double>;
using sda_test::to_eigen;
using sda_test::exact::random_covariance;

namespace {

// x' = x m + N(0, q), first and last of three numbers seen at times 0, 1 and 3.
struct chain {
  index_t n = 3, length = 5;
  Eigen::MatrixXd m = 0.6 * sda_test::normals(n, n, key{1}).matrix(), b = random_covariance(n, 4, key{2}), q = random_covariance(n, 6, key{3});
  S start = sda_test::normals(1, n, key{4}), y = sda_test::normals(1, 6, key{5});
  std::vector<std::int64_t> at = trajectory_columns({{0, 2}, {0, 2}, {}, {0, 2}, {}}, n);

  auto problem() const {
    return dynamics{linear<S>(S(m.array())), start, full_error(start, small_matrix(b)), full_error(start, small_matrix(q)),
                    observation{masked<S>(start, at, n * length), y, scalar_error{0.3}}};
  }
  smoothed_chain exact() const {
    std::vector<linear_transition> const steps(std::size_t(length - 1), {small_matrix(m), small_matrix(q)});
    small_matrix h(2, n);
    h[0][0] = h[1][2] = 1;
    std::vector<linear_sight> seen(std::size_t(length), linear_sight{small_matrix(0, n), {}, small_matrix(0, 0)});
    for (int i = 0; auto const t : {0, 1, 3}) {
      seen[std::size_t(t)] = {h, {y(0, 2 * i), y(0, 2 * i + 1)}, identity_matrix(2, 0.3)};
      ++i;
    }
    return rts_smoother({{start.data(), start.data() + n}, small_matrix(b)}, steps, seen);
  }
};

}  // namespace

TEST_CASE("a block tridiagonal system is solved as the whole matrix is") {
  block_tridiagonal a;
  index_t const n = 3, t = 4;
  Eigen::MatrixXd whole = Eigen::MatrixXd::Zero(n * t, n * t);
  for (index_t i = 0; i < t; ++i) {
    Eigen::MatrixXd const d = 4 * Eigen::MatrixXd::Identity(n, n) + random_covariance(n, 3, key{6}.fold(std::uint64_t(i)));
    whole.block(i * n, i * n, n, n) = d;
    a.diagonal.push_back(small_matrix(d));
    if (i + 1 == t) break;
    Eigen::MatrixXd const u = 0.5 * sda_test::normals(n, n, key{7}.fold(std::uint64_t(i))).matrix();
    whole.block(i * n, (i + 1) * n, n, n) = u;
    whole.block((i + 1) * n, i * n, n, n) = u.transpose();
    a.upper.push_back(small_matrix(u));
  }
  S const b = sda_test::normals(1, n * t, key{8});
  Eigen::VectorXd const expected = whole.ldlt().solve(b.matrix().transpose());
  CHECK((to_eigen(a.solve({b.data(), b.data() + n * t})) - expected).norm() <= 1e-13);
}

TEST_CASE("on a linear chain one iteration reaches the smoother's mean from anywhere") {
  chain const c;
  S const x = exact_finish{.iterations = 1, .perturbed = false}(c.problem(), S(5 * sda_test::normals(3, c.n * c.length, key{9})), key{});
  auto const smoothed = c.exact();
  for (index_t t = 0; t < c.length; ++t)
    for (index_t r = 0; r < 3; ++r)
      CHECK((x.row(r).segment(t * c.n, c.n).matrix().transpose() - to_eigen(smoothed.laws[std::size_t(t)].mean)).norm() <= 1e-10);
}

TEST_CASE("on a linear chain finished samples have the smoother's covariances, of every time and of neighbours") {
  chain const c;
  index_t const draws = 20000, n = c.n;
  S const x = exact_finish{.iterations = 1}(c.problem(), S(S::Zero(draws, n * c.length)), key{10});
  auto const smoothed = c.exact();
  for (index_t t = 0; t < c.length; ++t) {
    auto const& law = smoothed.laws[std::size_t(t)];
    auto const off = [&](index_t time) {
      return Eigen::MatrixXd(x.middleCols(time * n, n).matrix().rowwise() - to_eigen(smoothed.laws[std::size_t(time)].mean).transpose());
    };
    Eigen::MatrixXd const here = off(t), covariance = here.transpose() * here / double(draws);
    // 4 standard errors of the largest element of a sample covariance; a correlation's is no larger
    double const error = 4 * std::sqrt(2.0 / double(draws));
    CHECK((covariance - to_eigen(law.covariance)).cwiseAbs().maxCoeff() <= error * to_eigen(law.covariance).diagonal().maxCoeff());
    CHECK(here.colwise().mean().cwiseAbs().maxCoeff() <= 4 * std::sqrt(to_eigen(law.covariance).diagonal().maxCoeff() / double(draws)));
    if (t + 1 == c.length) continue;
    double const largest =
        std::max(to_eigen(law.covariance).diagonal().maxCoeff(), to_eigen(smoothed.laws[std::size_t(t + 1)].covariance).diagonal().maxCoeff());
    CHECK((here.transpose() * off(t + 1) / double(draws) - to_eigen(smoothed.covariance_with_next[std::size_t(t)])).cwiseAbs().maxCoeff() <=
          error * largest);
  }
}

TEST_CASE("as a corrector it draws what is noisy from the posterior seen through that noise, at the last levels alone") {
  struct unscaled {
    S operator()(S const& x, level l) const { return x / l.alpha; }
  };
  chain const c;
  index_t const draws = 10000, n = c.n;
  finishing const last{c.problem(), exact_finish{.iterations = 1}, 0.5};
  static_assert(Corrector<decltype(last), unscaled, S>);
  S const anywhere = 5 * sda_test::normals(draws, n * c.length, key{16});
  S x = anywhere;
  last.correct(unscaled{}, x, {0.6, 0.4}, key{17});
  CHECK((x == anywhere).all());
  level const l{0.8, 0.4};
  last.correct(unscaled{}, x, l, key{17});
  auto const smoothed = c.exact();
  for (index_t t = 0; t < c.length; ++t) {
    auto const& law = smoothed.laws[std::size_t(t)];
    Eigen::MatrixXd const expected = l.alpha * l.alpha * to_eigen(law.covariance) + l.sigma * l.sigma * Eigen::MatrixXd::Identity(n, n);
    Eigen::MatrixXd const off = x.middleCols(t * n, n).matrix().rowwise() - l.alpha * to_eigen(law.mean).transpose();
    double const largest = expected.diagonal().maxCoeff();  // 4 standard errors
    CHECK((off.transpose() * off / double(draws) - expected).cwiseAbs().maxCoeff() <= 4 * std::sqrt(2.0 / double(draws)) * largest);
    CHECK(off.colwise().mean().cwiseAbs().maxCoeff() <= 4 * std::sqrt(largest / double(draws)));
  }
}

TEST_CASE("the descent is minus the derivative of the cost, and a newton step solves the hessian it claims") {
  index_t const n = 5, length = 3;
  flow const step{lorenz96{}, 0.05};
  S const x = 3 * sda_test::normals(2, n * length, key{11}), v = sda_test::normals(2, n * length, key{12});
  dynamics const d{step, S(S::Zero(1, n)), scalar_error{9}, scalar_error{0.1},
                   observation{pointwise{arctan{}}, S(S::Zero(1, n * length)), scalar_error{0.04}}};
  auto const aim = d.aim_for(2, length, true, key{13});
  double const h = 1e-5;
  S const slope = (d.cost(aim, S(x + h * v), 2) - d.cost(aim, S(x - h * v), 2)) / (2 * h);
  CHECK(sda_test::distance(slope, S(-(d.descent(aim, x, 2) * v).rowwise().sum())) <= 1e-7);
}

TEST_CASE("chaotic trajectories with errors of one are brought to the truth's within what was seen, widened model error or not") {
  index_t const n = 20, length = 16;
  flow const step{lorenz96{}, 0.05};
  S truth(1, n * length), now = flow{lorenz96{}, 0.05, 200}(S(8 + sda_test::normals(1, n, key{14})));
  for (index_t t = 0; t < length; ++t, now = step(now)) truth.middleCols(t * n, n) = now;
  std::vector<std::int64_t> at;
  for (index_t c = 0; c < n * length; c += 2) at.push_back(c);
  masked<S> const op(truth, at, n * length);
  dynamics const d{step, S(S::Constant(1, n, 2.5)), scalar_error{13}, scalar_error{1e-6}, observation{op, op(truth), scalar_error{1e-4}}};
  S const guess = truth.replicate(2, 1) + sda_test::normals(2, n * length, key{15});
  for (double const widen : {1.0, 1e4}) {
    S const x = exact_finish{.iterations = 12, .widen = widen, .perturbed = false}(d, guess, key{});
    CHECK((x - truth.replicate(2, 1)).abs().maxCoeff() <= 0.05);  // errors seen are 0.01, of the unseen half a few times that
    CHECK((exact_finish::cost(d, x) <= exact_finish::cost(d, guess) * 1e-3).all());
  }
}
