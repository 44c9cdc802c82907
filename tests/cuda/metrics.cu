// SPDX-License-Identifier: Apache-2.0
#include <sda/cuda/metrics.cuh>

#include "device_test.hpp"

#include <limits>

using namespace sda;
using sda_test::normals;
using sda_test::to_device;

TEMPLATE_TEST_CASE("the CRPS of a device ensemble is the host's", "[cuda]", float, double) {
  for (index_t const members : {2, 8, 9, 40, 64, 70})  // each size of registers, and past them
    for (auto const kind : {crps_kind::fair, crps_kind::standard}) {
      host_array<TestType> const e = normals<TestType>(members, 37, key{1}), y = normals<TestType>(1, 37, key{2});
      std::vector<double> const truth(y.data(), y.data() + y.size());
      auto const ours = crps_terms_of(to_device<TestType>(e), to_device<TestType>(y), kind), host = crps_terms_of(sda::to_host(e), truth, kind);
      for (std::size_t c = 0; c < truth.size(); ++c) {
        REQUIRE(std::abs(ours.skill[c] - host.skill[c]) < 1e-13 * double(members));
        REQUIRE(std::abs(ours.spread[c] - host.spread[c]) < 1e-13 * double(members));
      }
      CHECK(crps(to_device<TestType>(e), to_device<TestType>(y), kind).size() == truth.size());
    }
  CHECK_THROWS_AS(crps(to_device<TestType>(normals(1, 3, key{1})), to_device<TestType>(normals(1, 3, key{1}))), error);
}

TEST_CASE("a device counts the ranks that the host counts, ties and gaps included", "[cuda]") {
  host_array<double> e = normals(9, 500, key{1}), y = normals(1, 500, key{2});
  for (index_t c = 0; c < 500; c += 5) e(c % 9, c) = y(0, c), e((c + 1) % 9, c) = y(0, c);
  y(0, 7) = std::numeric_limits<double>::quiet_NaN();
  rank_histogram host(9), ours(9);
  host.add(sda::to_host(e), std::span<double const>(y.data(), 500), key{3});
  auto const counted = rank_counts(to_device<double>(e), to_device<double>(y), key{3});
  ours.add_counts(counted);
  CHECK(std::vector<index_t>(host.counts().begin(), host.counts().end()) == std::vector<index_t>(ours.counts().begin(), ours.counts().end()));
  CHECK(ours.total() == 499);

  host_array<double> const many = normals(1300, 20, key{5}), seen = normals(1, 20, key{6});  // more ranks than a block counts by itself
  rank_histogram wide(1300);
  wide.add(sda::to_host(many), std::span<double const>(seen.data(), 20), key{7});
  CHECK(rank_counts(to_device<double>(many), to_device<double>(seen), key{7}) == std::vector<index_t>(wide.counts().begin(), wide.counts().end()));

  e(2, 11) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(rank_counts(to_device<double>(e), to_device<double>(y), key{3}), error);
}
