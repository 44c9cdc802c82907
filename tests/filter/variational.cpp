// SPDX-License-Identifier: Apache-2.0
#include <dense.hpp>
#include <linear_chain.hpp>
#include <sda/calculus/check.hpp>
#include <sda/calculus/ode.hpp>
#include <sda/filter/four_d_var.hpp>
#include <sda/filter/variational.hpp>
#include <sda/model/lorenz96.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/linear.hpp>
#include <sda/observation/masked.hpp>
#include <sda/observation/pointwise.hpp>
#include <sda/observation/steps.hpp>

using namespace sda;
using S = host_array<double>;
using sda_test::to_eigen;
using sda_test::exact::random_covariance;

namespace {

// A 9-dimensional linear problem with full covariances, and its posterior.
struct blue {
  index_t n = 9, p = 5;
  Eigen::MatrixXd b = random_covariance(n, 20, key{1}), h = sda_test::normals(p, n, key{2}).matrix(), r = random_covariance(p, 5, key{3});
  S background = sda_test::normals(1, n, key{4}), y = sda_test::normals(1, p, key{5});
  auto problem() const {
    return variational_problem{background, full_error(y, small_matrix(b)), observation{linear<S>(S(h.array())), y, full_error(y, small_matrix(r))}};
  }
  auto posterior() const {
    return sda_test::exact::condition<double>({background.row(0).matrix().transpose(), b}, h, y.row(0).matrix().transpose(), r);
  }
};

}  // namespace

TEST_CASE("on a linear problem gauss-newton, l-bfgs and 3d-var find the posterior's mean") {
  blue const t;
  auto const problem = t.problem();
  Eigen::VectorXd const mean = t.posterior().mean;
  CHECK((gauss_newton{.outer = 1, .solve = {50, 1e-14}}(problem, t.background).matrix().transpose() - mean).norm() <= 1e-11);
  CHECK((lbfgs{.iterations = 200, .tolerance = 1e-13}(problem, t.background).matrix().transpose() - mean).norm() <=
        1e-7);  // a search on costs sees no step below √rounding
  S e = t.background;
  three_d_var{problem.error}.analyse(e, problem.seen, key{});
  CHECK((e.matrix().transpose() - mean).norm() <= 1e-6);  // cg's tolerance
  S elsewhere = e + 3;
  optimal_interpolation{t.background, problem.error}.analyse(elsewhere, problem.seen, key{});
  CHECK((elsewhere.matrix().transpose() - mean).norm() <= 1e-6);
}

TEST_CASE("minimisers of randomised problems have the posterior's law") {
  blue const t;
  index_t const draws = 20000;
  auto const problem = t.problem().randomised(draws, key{6});
  S const x = gauss_newton{.outer = 1, .solve = {30, 1e-10}}(problem, problem.background);
  auto const law = t.posterior();
  Eigen::MatrixXd const off = x.matrix().rowwise() - law.mean.transpose(), c = off.transpose() * off / double(draws);
  // 4 standard errors of the largest element of a sample covariance and of a mean
  double const largest = law.covariance.diagonal().maxCoeff();
  CHECK((c - law.covariance).cwiseAbs().maxCoeff() <= 4 * largest * std::sqrt(2.0 / double(draws)));
  CHECK(off.colwise().mean().cwiseAbs().maxCoeff() <= 4 * std::sqrt(largest / double(draws)));
}

TEST_CASE("4d-var's gradients are the derivatives of its trajectories") {
  index_t const n = 6, length = 4;
  flow const step{lorenz96{}, 0.05, 2};
  CHECK(check_derivative(trajectory_from{step, length}, S(3 * sda_test::normals(2, n, key{7})), key{8}) <= 1e-8);
  trajectory_from const weak{step, length, false};
  S const x = 3 * sda_test::normals(2, n * length, key{9});
  CHECK(check_derivative(weak, x, key{10}) <= 1e-8);
  CHECK((weak(weak.unknowns_of(x)) - x).abs().maxCoeff() <= 1e-13);

  // the cost's gradient, along a direction
  auto const everything = composed{every_step{pointwise{arctan{}}, n}, weak};
  variational_problem const problem{x, chain_error{scalar_error{2}, scalar_error{0.1}, length},
                                    observation{everything, S(0.3 * x), scalar_error{0.04}}};
  S const v = sda_test::normals(2, n * length, key{11}), at = x + 0.1;
  S gradient = x, unused = x;
  problem(at, gradient);
  double const h = 1e-5;
  S const slope = (problem(S(at + h * v), unused) - problem(S(at - h * v), unused)) / (2 * h);
  CHECK(sda_test::distance(slope, S((gradient * v).rowwise().sum())) <= 1e-7);
}

TEST_CASE("weak-constraint 4d-var of a linear chain is the smoother, at every time") {
  index_t const n = 3, length = 5;
  Eigen::MatrixXd const m = 0.6 * sda_test::normals(n, n, key{12}).matrix(), b = random_covariance(n, 4, key{13}),
                        q = random_covariance(n, 6, key{14});
  S const start = sda_test::normals(1, n, key{15}), y = sda_test::normals(1, n * length, key{16});
  struct affine {  // x m + 0.2
    linear<S> product;
    S operator()(S const& x) const { return product(x) + 0.2; }
    linear_view<linear<S>, S> linearize(S const& x) const { return {product, (*this)(x)}; }
  };
  std::vector<linear_transition> const steps(std::size_t(length - 1), {small_matrix(m), small_matrix(q), {0.2, 0.2, 0.2}});
  std::vector<linear_sight> seen;
  for (index_t i = 0; i < length; ++i) seen.push_back({identity_matrix(n), {y.data() + i * n, y.data() + (i + 1) * n}, identity_matrix(n, 0.3)});
  S background = S::Zero(1, n * length);
  background.leftCols(n) = start;
  affine const model{linear<S>(S(m.array()))};
  chain_error const error{full_error(start, small_matrix(b)), full_error(start, small_matrix(q)), length};
  trajectory_from const weak{model, length, false};
  S const analysed = weak(
      gauss_newton{.outer = 1, .solve = {60, 1e-14}}(variational_problem{background, error, observation{weak, y, scalar_error{0.3}}}, background));
  auto const smoothed = rts_smoother({{start.data(), start.data() + n}, small_matrix(b)}, steps, seen);
  for (index_t i = 0; i < length; ++i)
    CHECK((analysed.middleCols(i * n, n).matrix().transpose() - to_eigen(smoothed.laws[std::size_t(i)].mean)).norm() <= 1e-10);

  // and with a perfect model, strong-constraint 4d-var
  std::vector<linear_transition> perfect = steps;
  for (auto& step : perfect) step.noise = identity_matrix(n, 1e-12);
  trajectory_from const strong{model, length};
  S const first = gauss_newton{.outer = 1, .solve = {60, 1e-14}}(
      variational_problem{start, full_error(start, small_matrix(b)), observation{strong, y, scalar_error{0.3}}}, start);
  auto const exact = rts_smoother({{start.data(), start.data() + n}, small_matrix(b)}, perfect, seen);
  CHECK((first.matrix().transpose() - to_eigen(exact.laws[0].mean)).norm() <= 1e-9);  // the smoother's model is not quite perfect
}

TEST_CASE("strong-constraint 4d-var finds the start of a chaotic window that is seen exactly enough") {
  index_t const n = 20, length = 8;
  trajectory_from const strong{flow{lorenz96{}, 0.05}, length};
  S truth = 8 + sda_test::normals(1, n, key{17});
  truth = flow{lorenz96{}, 0.05, 100}(truth);
  std::vector<std::int64_t> at;
  for (index_t i = 0; i < n; i += 2) at.push_back(i);
  auto const op = composed{every_step{masked<S>(truth, at, n), n}, strong};
  S const y = op(truth), guess = truth + 0.5 * sda_test::normals(1, n, key{18});
  variational_problem const problem{guess, scalar_error{1e4}, observation{op, y, scalar_error{1e-4}}};
  S const x = gauss_newton{.outer = 8, .solve = {100, 1e-10}}(problem, guess);
  CHECK((x - truth).abs().maxCoeff() <= 1e-6);  // the background's pull, 1e-8 times its distance, is amplified a little
}
