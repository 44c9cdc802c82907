// SPDX-License-Identifier: Apache-2.0
#include <sda/metrics/emd.hpp>

#include <sda_test.hpp>

#include <algorithm>
#include <numeric>

using namespace sda;
using sda_test::normals;

namespace {

double cost_of(std::vector<double> const& cost, std::vector<index_t> const& to) {
  double total = 0;
  for (std::size_t i = 0; i < to.size(); ++i) total += cost[i * to.size() + std::size_t(to[i])];
  return total;
}

}  // namespace

TEST_CASE("no permutation is cheaper than the cheapest assignment") {
  for (std::uint64_t draw = 0; draw < 40; ++draw) {
    index_t const n = 1 + index_t(draw % 7);
    auto const numbers = normals(n, n, key{draw});
    std::vector<double> const cost(numbers.data(), numbers.data() + n * n);
    std::vector<index_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), index_t{0});
    double least = cost_of(cost, order);
    while (std::next_permutation(order.begin(), order.end())) least = std::min(least, cost_of(cost, order));
    auto found = cheapest_assignment(cost, n);
    CHECK(cost_of(cost, found) == Approx(least).margin(1e-12));
    std::sort(found.begin(), found.end());
    std::iota(order.begin(), order.end(), index_t{0});
    CHECK(found == order);
  }
}

TEST_CASE("on a line the earth mover's distance pairs points in order; a shift costs its length") {
  index_t const n = 60;
  auto x = normals(n, 1, key{1}), y = normals(n, 1, key{2});
  double const found = earth_movers_distance({x.data(), std::size_t(n)}, {y.data(), std::size_t(n)}, n);
  std::sort(x.data(), x.data() + n), std::sort(y.data(), y.data() + n);
  CHECK(found == Approx((x - y).abs().mean()).epsilon(1e-12));

  auto const p = normals(n, 3, key{3});
  auto q = p;
  for (index_t i = 0; i < n; ++i) q.row(i) = p.row((i + 7) % n);
  q.col(1) += 2;
  CHECK(earth_movers_distance({p.data(), std::size_t(3 * n)}, {q.data(), std::size_t(3 * n)}, n) == Approx(2).epsilon(1e-12));
}
