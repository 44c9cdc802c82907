// SPDX-License-Identifier: Apache-2.0
// The code of docs/observations.md.
#include <sda/calculus/check.hpp>
#include <sda/observation/interpolating.hpp>
#include <sda/observation/pointwise.hpp>
#include <sda/observation/values.hpp>
#include <sda_test.hpp>

using namespace sda;

/// The mean of each state: a linear operator is two functions.
struct average {
  template <State S> S operator()(S const& x) const {
    S y = zeros(x, rows(x), 1);
    multiply(y, x, weights(x));
    return y;
  }
  template <State S> S adjoint(S const& u) const {
    S x = zeros(u, rows(u), width);
    multiply(x, u, reshape(weights(u), 1, width));
    return x;
  }
  index_t width;

 private:
  template <State S> S weights(S const& like) const {
    std::vector<value_t<S>> const w(std::size_t(width), value_t<S>(1.0 / double(width)));
    S column = zeros(like, width, 1);
    load(column, std::span<value_t<S> const>(w));
    return column;
  }
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
static_assert(ObservationOperator<average, S>);
static_assert(ObservationOperator<composed<pointwise<exponential>, average>, S>);

TEST_CASE("the operators of the page are right") {
  S const x = sda_test::normals(3, 40, key{1});
  CHECK(check_adjoint(average{40}, x, key{2}) <= 1e-12);
  CHECK(check_derivative(composed{pointwise{exponential{}}, average{40}}, x, key{3}) <= 1e-6);
  CHECK(sda_test::distance(average{40}(x), x.rowwise().mean()) <= 1e-14);
}

TEST_CASE("the observations of the page are made") {
  S const like(1, 1), x = sda_test::normals(2, 40, key{1});
  double const silent = std::numeric_limits<double>::quiet_NaN();
  std::vector<std::int64_t> const columns_seen{3, 17, 21};
  std::vector<double> const values{0.4, silent, -1.2}, variances{0.01, 0.01, 0.04};

  auto const stations = observed(like, 40, {columns_seen, values, variances}, missing::is_dropped);
  observation const counts{composed{pointwise{exponential{}}, average{40}}, S(S::Constant(1, 1, 1.1)), scalar_error(0.04)};

  CHECK(columns(stations.y) == 2);
  CHECK(columns(counts.op(x)) == 1);
}
