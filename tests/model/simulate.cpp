// SPDX-License-Identifier: Apache-2.0
#include <sda/calculus/ode.hpp>
#include <sda/model/ar1.hpp>
#include <sda/model/lorenz96.hpp>
#include <sda/model/simulate.hpp>
#include <sda_test.hpp>

using namespace sda;
using sda_test::normals;
using state = host_array<double>;

TEST_CASE("simulate lays one state behind the other, the first included") {
  flow const model{lorenz96{}, 0.05};
  state const x = normals(3, 5, key{1}), path = simulate(model, x, 4, key{});
  REQUIRE((path.rows() == 3 && path.cols() == 20));
  CHECK((path.leftCols(5) == x).all());
  CHECK((path.middleCols(5, 5) == model(x)).all());
  CHECK((path.rightCols(5) == model(model(model(x)))).all());
  CHECK((simulate(model, x, 1, key{}) == x).all());
  CHECK_THROWS_AS(simulate(model, x, 0, key{}), error);
}

TEST_CASE("random models draw anew every step, and the same numbers for the same rows") {
  perturbed const model{flow{lorenz96{}, 0.05}, 0.3};
  state const x = normals(4, 6, key{1}), path = simulate(model, x, 3, key{7});
  state const noise_1 = (path.middleCols(6, 6) - model.model(x)) / 0.3;
  state const noise_2 = (path.rightCols(6) - model.model(state(path.middleCols(6, 6)))) / 0.3;
  CHECK((noise_1 - noise_2).abs().maxCoeff() > 0.1);
  CHECK((noise_1 - normals(4, 6, key{7}.fold(1).fold(1))).abs().maxCoeff() < 1e-13);
  state const part = x.bottomRows(2);
  CHECK((simulate(model, part, 3, key{7}.from_row(2)) == path.bottomRows(2)).all());
}

TEST_CASE("ar1 keeps its stationary covariance") {
  ar1 const model{0.8, 2};
  index_t const samples = 40000, length = 4;
  state const path = simulate(model, model.draw(key{1}, state(state::Zero(samples, 1))), length, key{2});
  for (index_t i = 0; i < length; ++i)
    for (index_t j = 0; j < length; ++j) {
      double const c = (path.col(i) * path.col(j)).mean();
      // the standard deviation of such a mean is at most √(2 / samples) times the variance, 4: 0.028
      CHECK(c == Approx(model.covariance(i - j)).margin(0.1));
    }
  CHECK(model.covariance(2) == Approx(4 * 0.64));
  CHECK_THROWS_AS((ar1{1}(path, key{})), error);
}
