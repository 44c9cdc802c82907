// SPDX-License-Identifier: Apache-2.0
#include <exact.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/values.hpp>

using namespace sda;
using namespace sda_test;
using exact::matrix;
using S = host_array<double>;
using list = std::vector<std::int64_t>;
using numbers = std::vector<double>;

static_assert(ErrorCovariance<scalar_error, S> && ErrorCovariance<diagonal_error<S>, S> && ErrorCovariance<full_error<S>, S>);
static_assert(ErrorCovariance<full_error<host_array<float>>, host_array<float>>);

namespace {

S const like(1, 1);
double const silent = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();

// The covariance of n draws has relative errors of √(2/n): 4 standard errors of the largest element.
template <class R> void check_covariance(R const& r, matrix<double> const& c) {
  S const v = normals(3, c.cols(), key{1});
  CHECK(distance(r.apply(v), (v.matrix() * c).array()) <= 1e-14);
  CHECK(distance(r.apply(r.solve(v)), v) <= 1e-12);
  CHECK(distance(r.solve(r.apply(v)), v) <= 1e-12);

  index_t const n = 100000;
  S const drawn = r.draw(key{2}, S(S::Zero(n, c.cols())));
  CHECK((drawn.matrix().transpose() * drawn.matrix() / double(n) - c).cwiseAbs().maxCoeff() <= 4 * std::sqrt(2.0 / n) * c.cwiseAbs().maxCoeff());
  S const batch = r.draw(key{2}.from_row(5), S(S::Zero(2, c.cols())));
  CHECK((batch == drawn.middleRows(5, 2)).all());
}

}  // namespace

TEST_CASE("scalar, diagonal and full error covariances multiply, solve and draw") {
  check_covariance(scalar_error(0.3), 0.3 * matrix<double>::Identity(4, 4));
  numbers const variances{0.5, 2, 1e-3, 7};
  check_covariance(diagonal_error(like, variances), Eigen::Map<Eigen::VectorXd const>(variances.data(), 4).asDiagonal());
  matrix<double> const c = exact::random_covariance(5, 50, key{3});
  check_covariance(full_error(like, c), c);
}

TEST_CASE("one variance per variable is a diagonal covariance") {
  check_covariance(error_by_group(like, list{1, 0, 0, 1, 2}, numbers{0.1, 3, 0.7}),
                   (Eigen::VectorXd(5) << 3, 0.1, 0.1, 3, 0.7).finished().asDiagonal());
}

TEST_CASE("inflated adds a variance to each observation") {
  S const added = (S(1, 3) << 1, 0, 2).finished();
  CHECK((scalar_error(0.5).inflated(added).variance() == added + 0.5).all());
  numbers const variances{1, 2, 3};
  CHECK((diagonal_error(like, variances).inflated(added).variance() == (S(1, 3) << 2, 2, 5).finished()).all());
}

TEST_CASE("error covariances of zero observations are legal") {
  S const none(3, 0);
  auto const check = [&](auto const& r) {
    CHECK(r.apply(none).cols() == 0);
    CHECK(r.solve(none).cols() == 0);
    CHECK((r.draw(key{1}, none).rows() == 3 && r.draw(key{1}, none).cols() == 0));
  };
  check(scalar_error(1));
  check(diagonal_error(like, numbers{}));
  check(full_error(like, small_matrix(0, 0)));
  check(error_by_group(like, list{}, numbers{1}));
}

TEST_CASE("variances that are none are refused with their numbers") {
  CHECK_THROWS_WITH(scalar_error(-0.5), Catch::Contains("-0.5"));
  CHECK_THROWS_AS(scalar_error(0), error);
  CHECK_THROWS_AS(scalar_error(silent), error);
  CHECK_THROWS_WITH(diagonal_error(like, numbers{1, 0}), Catch::Contains("observation 1 is 0"));
  CHECK_THROWS_AS(diagonal_error(like, numbers{infinity}), error);
  CHECK_THROWS_AS(diagonal_error(S(S::Ones(2, 3))), error);
  CHECK_THROWS_WITH(error_by_group(like, list{0, 2}, numbers{1, 1}), Catch::Contains("observation 1 is of group 2 of 2"));
  matrix<double> skew(2, 2), negative(2, 2);
  skew << 1, 0.5, 0.4, 1;
  negative << 1, 2, 2, 1;
  CHECK_THROWS_WITH(full_error(like, skew), Catch::Contains("not symmetric"));
  CHECK_THROWS_WITH(full_error(like, negative), Catch::Contains("not positive definite"));
  CHECK_THROWS_AS(full_error(like, matrix<double>::Ones(2, 3)), error);
  CHECK_THROWS_WITH(full_error(like, matrix<double>::Identity(2, 2)).apply(S::Ones(1, 3)), Catch::Contains("3 observations where 2"));
}

TEST_CASE("NaN values are dropped or refused, as asked") {
  list const at{4, 0, 2};
  numbers const values{1.5, silent, -2}, variances{0.1, silent, 0.3};
  auto const seen = observed(like, 5, {at, values, variances}, missing::is_dropped);
  CHECK((seen.y == (S(1, 2) << 1.5, -2).finished()).all());
  CHECK((seen.error.variance() == (S(1, 2) << 0.1, 0.3).finished()).all());
  S const x = normals(2, 5, key{1});
  CHECK((seen.op(x) == x(Eigen::all, list{4, 2})).all());
  CHECK_THROWS_WITH(observed(like, 5, {at, values, variances}, missing::is_error), Catch::Contains("value 1 (column 0) is nan"));
}

TEST_CASE("all values may be missing") {
  auto const seen = observed(like, 5, {list{1, 2}, numbers{silent, silent}, numbers{1, 1}}, missing::is_dropped);
  CHECK((seen.y.cols() == 0 && seen.op(normals(2, 5, key{1})).cols() == 0));
}

TEST_CASE("repeated columns are refused or averaged to the same posterior") {
  list const at{3, 1, 3, 3};
  numbers const values{1, 5, 2, 4}, variances{0.5, 1, 0.25, 1};
  CHECK_THROWS_WITH(observed(like, 5, {at, values, variances}, missing::is_error), Catch::Contains("value 2 is another of column 3"));
  auto const seen = observed(like, 5, {at, values, variances}, missing::is_error, repeated::is_averaged);

  exact::normal_law<> const prior{exact::vector<>::Zero(5), exact::random_covariance(5, 10, key{1})};
  auto const posterior = [&](list const& seen_at, numbers const& y, numbers const& v) {
    index_t const n = index_t(seen_at.size());
    matrix<double> h = matrix<double>::Zero(n, 5);
    for (index_t i = 0; i < n; ++i) h(i, seen_at[std::size_t(i)]) = 1;
    return exact::condition<double>(prior, h, Eigen::Map<Eigen::VectorXd const>(y.data(), n),
                                    matrix<double>(Eigen::Map<Eigen::VectorXd const>(v.data(), n).asDiagonal()));
  };
  auto const one_by_one = posterior(at, values, variances);
  auto const averaged = posterior({3, 1}, {seen.y(0, 0), seen.y(0, 1)}, {seen.error.variance()(0, 0), seen.error.variance()(0, 1)});
  CHECK((one_by_one.mean - averaged.mean).cwiseAbs().maxCoeff() <= 1e-14);
  CHECK((one_by_one.covariance - averaged.covariance).cwiseAbs().maxCoeff() <= 1e-14);
}

TEST_CASE("values that cannot be meant are refused with their numbers") {
  auto const observe = [](list const& at, numbers const& values, numbers const& variances) {
    return observed(like, 5, {at, values, variances}, missing::is_dropped);
  };
  CHECK_THROWS_WITH(observe({1, 2}, {1}, {1, 1}), Catch::Contains("2 columns, 1 values, 2 variances"));
  CHECK_THROWS_WITH(observe({1}, {infinity}, {1}), Catch::Contains("is inf"));
  CHECK_THROWS_WITH(observe({1}, {1}, {-2}), Catch::Contains("the variance of value 0 (column 1) is -2"));
  CHECK_THROWS_AS(observe({1}, {1}, {silent}), error);
  CHECK_THROWS_WITH(observe({5}, {1}, {1}), Catch::Contains("column 5 of 5"));
}
