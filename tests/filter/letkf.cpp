// SPDX-License-Identifier: Apache-2.0
#include <sda/filter/ensemble_kalman.hpp>
#include <sda/filter/letkf.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/masked.hpp>
#include <sda_test.hpp>

using namespace sda;
using S = host_array<double>;

namespace {

struct problem {
  index_t n = 21, members = 6;
  S forecast = sda_test::normals(members, n, key{1});
  observation<masked<S>, S, diagonal_error<S>> seen{{forecast, std::vector<std::int64_t>{0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20}, n},
                                                    sda_test::normals(1, 11, key{2}),
                                                    diagonal_error<S>(sda_test::normals(1, 11, key{3}).square() + 0.1)};
  localisation everywhere(double taper = 1) const {
    localisation near;
    for (index_t c = 0; c < n; ++c) {
      for (std::int64_t o = 0; o < 11; ++o) near.observation.push_back(o), near.taper.push_back(taper);
      near.first.push_back(std::int64_t(near.observation.size()));
    }
    return near;
  }
};

}  // namespace

TEST_CASE("the taper of gaspari and cohn is 1 at 0, 5/24 at c, 0 from 2c on, and smooth in between") {
  CHECK(gaspari_cohn(0, 3) == 1);
  CHECK(std::abs(gaspari_cohn(3, 3) - 5.0 / 24) <= 1e-15);
  CHECK(gaspari_cohn(6, 3) == 0);
  CHECK(gaspari_cohn(5.999999, 3) < 1e-15);
  for (double r = 0; r < 2; r += 0.01) CHECK(gaspari_cohn(r, 1) >= gaspari_cohn(r + 0.01, 1));
  double const h = 1e-4;  // curvature at 0 equals that of exp(-r²/2L²), c = √(10/3) L
  CHECK(std::abs((gaspari_cohn(h, from_loc_rad(1)) - 1) * 2 / (h * h) + 1) <= 1e-3);
}

TEST_CASE("a ring's localisation wraps around and counts both sides") {
  std::vector<std::int64_t> const seen{0, 2, 4, 6, 8};
  auto const near = localise_ring(10, seen, 1.5);
  REQUIRE(near.columns_covered() == 10);
  auto const of = [&](std::size_t c) {
    return std::vector<std::int64_t>(near.observation.begin() + near.first[c], near.observation.begin() + near.first[c + 1]);
  };
  CHECK(of(0) == std::vector<std::int64_t>{0, 1, 4});
  CHECK(of(9) == std::vector<std::int64_t>{0, 4});
}

TEST_CASE("with every observation everywhere the letkf is the etkf") {
  problem const t;
  for (bool const rotate : {false, true}) {
    S local = t.forecast, global = t.forecast;
    letkf{.near = t.everywhere(), .inflate = {.factor = 1.1}, .rotate = rotate}.analyse(local, t.seen, key{4});
    etkf{.inflate = {.factor = 1.1}, .rotate = rotate}.analyse(global, t.seen, key{4});
    CHECK((local - global).abs().maxCoeff() <= 1e-13);
  }
}

TEST_CASE("a taper divides the error variance, and columns out of reach keep their forecast") {
  problem const t;
  S tapered = t.forecast, inflated = t.forecast;
  auto coarse = t.seen;
  coarse.error = diagonal_error<S>(S(4 * t.seen.error.variance()));
  letkf{.near = t.everywhere(0.25)}.analyse(tapered, t.seen, key{});
  etkf{}.analyse(inflated, coarse, key{});
  CHECK((tapered - inflated).abs().maxCoeff() <= 1e-13);
  localisation nowhere;
  nowhere.first.assign(std::size_t(t.n + 1), 0);
  S kept = t.forecast;
  letkf{.near = nowhere}.analyse(kept, t.seen, key{});
  CHECK((kept - t.forecast).abs().maxCoeff() <= 1e-14);
}

TEST_CASE("the letkf says what does not fit") {
  problem const t;
  S e = t.forecast;
  auto near = t.everywhere();
  near.observation[3] = 11;
  CHECK_THROWS_WITH((letkf{.near = near}.analyse(e, t.seen, key{})), Catch::Contains("observation 11 of 11"));
  CHECK_THROWS_WITH((letkf{.near = localise_ring(20, std::vector<std::int64_t>{0}, 2)}.analyse(e, t.seen, key{})),
                    Catch::Contains("covers 20 columns, the state has 21"));
}
