// SPDX-License-Identifier: Apache-2.0
#include <sda/filter/eakf.hpp>
#include <sda/filter/ensemble_kalman.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/masked.hpp>
#include <sample_moments.hpp>
#include <sda_test.hpp>

using namespace sda;
using S = host_array<double>;
using sda_test::covariance;

namespace {

localisation everywhere(index_t n, index_t p, double taper = 1) {
  localisation near;
  for (index_t c = 0; c < n; ++c) {
    for (std::int64_t o = 0; o < p; ++o) near.observation.push_back(o), near.taper.push_back(taper);
    near.first.push_back(std::int64_t(near.observation.size()));
  }
  return near;
}
struct problem {
  index_t n = 9;
  S forecast = sda_test::normals(6, n, key{1});
  observation<masked<S>, S, diagonal_error<S>> seen{{forecast, std::vector<std::int64_t>{0, 3, 4, 8}, n},
                                                    sda_test::normals(1, 4, key{2}),
                                                    diagonal_error<S>(sda_test::normals(1, 4, key{3}).square() + 0.1)};
};

}  // namespace

TEST_CASE("one observation after the other gives the mean and covariance of all at once") {
  problem const t;
  S serial = t.forecast, together = t.forecast;
  eakf{.near = everywhere(t.n, 4), .between = everywhere(4, 4), .inflate = {.factor = 1.2}}.analyse(serial, t.seen, key{});
  etkf{.inflate = {.factor = 1.2}}.analyse(together, t.seen, key{});
  CHECK((serial.colwise().mean() - together.colwise().mean()).abs().maxCoeff() <= 1e-13);
  CHECK((covariance(serial) - covariance(together)).cwiseAbs().maxCoeff() <= 1e-13);
}

TEST_CASE("columns beyond the reach of every observation keep their forecast, others are regressed by the taper") {
  problem t;
  t.seen = {{t.forecast, std::vector<std::int64_t>{2}, t.n}, S(S::Constant(1, 1, 0.7)), diagonal_error<S>(S(S::Constant(1, 1, 0.5)))};
  auto const near = localise_ring(t.n, std::vector<std::int64_t>{2}, 1);  // reaches the neighbours with 5/24
  S e = t.forecast, whole = t.forecast;
  eakf{.near = near, .between = everywhere(1, 1)}.analyse(e, t.seen, key{});
  eakf{.near = everywhere(t.n, 1), .between = everywhere(1, 1)}.analyse(whole, t.seen, key{});
  S const moved = e - t.forecast, fully = whole - t.forecast;
  for (index_t c = 0; c < t.n; ++c) {
    double const taper = c == 2 ? 1 : c == 1 || c == 3 ? 5.0 / 24 : 0;
    CHECK((moved.col(c) - taper * fully.col(c)).abs().maxCoeff() <= 1e-14);
  }
}

TEST_CASE("the eakf says what does not fit") {
  problem const t;
  S e = t.forecast;
  CHECK_THROWS_WITH((eakf{.near = everywhere(t.n, 4), .between = everywhere(3, 4)}.analyse(e, t.seen, key{})), Catch::Contains("there are 9 and 4"));
  CHECK_THROWS_WITH((eakf{.near = everywhere(t.n, 5), .between = everywhere(4, 4)}.analyse(e, t.seen, key{})), Catch::Contains("observation 4 of 4"));
}
