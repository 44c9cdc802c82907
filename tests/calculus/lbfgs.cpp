// SPDX-License-Identifier: Apache-2.0
#include <exact.hpp>
#include <sda/calculus/lbfgs.hpp>

using namespace sda;
using S = host_array<double>;

namespace {

// ½ (x - c)ᵀ A (x - c), every row with a c of its own
struct quadratic {
  Eigen::MatrixXd a;
  S centre;
  S operator()(S const& x, S& gradient) const {
    S const moved = x - centre;
    gradient = (moved.matrix() * a).array();
    return 0.5 * (moved * gradient).rowwise().sum();
  }
};
// Σ 100 (x_(i+1) - x_i²)² + (1 - x_i)²
struct rosenbrock {
  S operator()(S const& x, S& gradient) const {
    S cost = S::Zero(x.rows(), 1);
    gradient = S::Zero(x.rows(), x.cols());
    for (index_t i = 0; i + 1 < x.cols(); ++i) {
      Eigen::ArrayXd const bent = x.col(i + 1) - x.col(i).square(), off = 1 - x.col(i);
      cost.col(0) += 100 * bent.square() + off.square();
      gradient.col(i) += -400 * x.col(i) * bent - 2 * off;
      gradient.col(i + 1) += 200 * bent;
    }
    return cost;
  }
};

}  // namespace

TEST_CASE("lbfgs minimises quadratics to rounding, every row its own") {
  S const centre = sda_test::normals(4, 12, key{1});
  quadratic const cost{sda_test::exact::random_covariance(12, 100, key{2}), centre};
  S const x = lbfgs{.iterations = 100, .tolerance = 1e-12}(cost, S(S::Zero(4, 12)));
  CHECK((x - centre).abs().maxCoeff() <= 1e-10);  // tolerance times the condition number
}

TEST_CASE("a row takes the same path beside others as alone") {
  S const start = sda_test::normals(3, 6, key{3});
  S const together = lbfgs{.iterations = 25}(rosenbrock{}, start);
  for (index_t r = 0; r < 3; ++r) CHECK((lbfgs{.iterations = 25}(rosenbrock{}, S(start.row(r))) == together.row(r)).all());
}

TEST_CASE("lbfgs follows rosenbrock's valley, and stays at a minimum") {
  S const x = lbfgs{.iterations = 200}(rosenbrock{}, S(S::Zero(2, 4)));
  CHECK((x - 1).abs().maxCoeff() <= 1e-8);
  CHECK((lbfgs{}(rosenbrock{}, S(S::Ones(1, 4))) == 1).all());
}
