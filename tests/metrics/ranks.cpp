// SPDX-License-Identifier: Apache-2.0
#include <sda/metrics/ranks.hpp>
#include <sda_test.hpp>

using namespace sda;
using sda_test::normals;
using state = host_array<double>;

namespace {

std::vector<double> numbers(state const& x) { return {x.data(), x.data() + x.size()}; }

}  // namespace

TEST_CASE("ranks count the members below the truth") {
  rank_histogram h(3);
  h.add({3, 4, {1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3}}, std::vector<double>{0.5, 1.5, 2.5, 3.5}, key{1});
  h.add({3, 1, {3, 1, 2}}, std::vector<double>{std::nan("")}, key{1});  // not observed
  CHECK(std::vector<index_t>(h.counts().begin(), h.counts().end()) == std::vector<index_t>{1, 1, 1, 1});
  CHECK(h.chi_square() == 0);
  CHECK(h.p_value() == 1);
}

TEST_CASE("ranks of calibrated ensembles are uniform, ties or not, and of others are not") {
  index_t const members = 9, cases = 10000;
  state const x = normals(members, cases, key{1}), y = normals(1, cases, key{2});
  auto const p_value = [&](state const& e, state const& truth) {
    rank_histogram h(members);
    h.add(to_host(e), numbers(truth), key{3});
    CHECK(h.total() == cases);
    return h.p_value();
  };
  CHECK(p_value(x, y) > 1e-3);
  CHECK(p_value(state((2 * x).round()), state((2 * y).round())) > 1e-3);  // nearly every case has ties
  CHECK(p_value(state::Zero(members, cases), state::Zero(1, cases)) > 1e-3);
  CHECK(p_value(state(0.8 * x), y) < 1e-6);
  CHECK(p_value(state(x + 0.2), y) < 1e-6);
}

TEST_CASE("chi_square_tail takes its known values") {
  CHECK(chi_square_tail(0, 3) == 1);
  for (double const x : {0.1, 1.0, 5.0, 40.0, 700.0}) {
    CHECK(chi_square_tail(x, 2) == Approx(std::exp(-x / 2)).epsilon(1e-12).margin(1e-15));
    CHECK(chi_square_tail(x, 1) == Approx(std::erfc(std::sqrt(x / 2))).epsilon(1e-12).margin(1e-15));
    CHECK(chi_square_tail(x, 6) == Approx(std::exp(-x / 2) * (1 + x / 2 + x * x / 8)).epsilon(1e-12).margin(1e-15));
  }
  CHECK(chi_square_tail(16.918977604620448, 9) == Approx(0.05).epsilon(1e-12));  // the 95 % quantile of the tables
}

TEST_CASE("ranks refuse ensembles of another size, members that are NaN, and to judge nothing") {
  rank_histogram h(2);
  CHECK_THROWS_AS(h.add({3, 1, {1, 2, 3}}, std::vector<double>{1}, key{}), error);
  CHECK_THROWS_AS(h.add({2, 1, {1, std::nan("")}}, std::vector<double>{1}, key{}), error);
  CHECK_THROWS_AS(h.p_value(), error);
}
