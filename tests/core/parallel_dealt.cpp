// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>

#include <sda/core/error.hpp>
#include <sda/core/parallel_dealt.hpp>

#include <vector>

TEST_CASE("every iteration that is dealt runs once, and what one throws comes out") {
  std::vector<int> runs(1000);
  auto const long_work = sda::index_t{1} << 30;
  sda::parallel_dealt(1000, long_work, [&](sda::index_t i) { runs[std::size_t(i)] += 1 + int(i); });
  for (std::size_t i = 0; i < runs.size(); ++i) CHECK(runs[i] == 1 + int(i));
  sda::parallel_dealt(0, long_work, [](sda::index_t) { throw sda::error("nothing is dealt"); });
  CHECK_THROWS_AS(sda::parallel_dealt(8, long_work, [](sda::index_t i) { sda::require(i != 5, "five"); }), sda::error);
}
