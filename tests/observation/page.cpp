// SPDX-License-Identifier: Apache-2.0
// The code of docs/observations.md.
#include <sda/calculus/check.hpp>
#include <sda/observation/interpolating.hpp>
#include <sda/observation/pointwise.hpp>
#include <sda/observation/values.hpp>
#include <sda/state/matrix.hpp>
#include <sda_test.hpp>

using namespace sda;

/// A weighted mean of each state: a linear operator is two functions.
template <State S> struct average {
  S weights;  // width x 1
  S operator()(S const& x) const { return product(x, weights); }
  S adjoint(S const& u) const { return product(u, transpose(weights)); }
};

/// A radiometer's count: a function of one number is two functions.
struct exponential {
  template <class T> SDA_HD T operator()(T const& x) const {
    using std::exp;
    return exp(x);
  }
  template <class T> SDA_HD T slope(T const& x) const { return (*this)(x); }
};

using S = host_array<double>;
static_assert(ObservationOperator<average<S>, S>);
static_assert(ObservationOperator<composed<pointwise<exponential>, average<S>>, S>);

TEST_CASE("the operators of the page are right") {
  S const x = sda_test::normals(3, 40, key{1}), weights = S::Constant(40, 1, 1.0 / 40);
  CHECK(check_adjoint(average<S>{weights}, x, key{2}) <= 1e-12);
  CHECK(check_derivative(composed{pointwise{exponential{}}, average<S>{weights}}, x, key{3}) <= 1e-6);
  CHECK(sda_test::distance(average<S>{weights}(x), x.rowwise().mean()) <= 1e-14);
}

TEST_CASE("the observations of the page are made") {
  S const like(1, 1), x = sda_test::normals(2, 40, key{1}), weights = S::Constant(40, 1, 1.0 / 40), y = S::Constant(1, 1, 1.1);
  double const silent = std::numeric_limits<double>::quiet_NaN();
  std::vector<std::int64_t> const stations{3, 17, 21};
  std::vector<double> const values{0.4, silent, -1.2}, variances{0.01, 0.01, 0.04};

  auto const seen = observed(like, 40, {stations, values, variances}, missing::is_dropped);
  observation const count{composed{pointwise{exponential{}}, average<S>{weights}}, y, scalar_error(0.04)};

  CHECK(columns(seen.y) == 2);
  CHECK(columns(count.op(x)) == 1);
}
