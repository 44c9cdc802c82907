// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>
#include <sda/core/parallel.hpp>

#include <cmath>
#include <limits>
#include <span>
#include <vector>

namespace sda {

/// The cheapest assignment of n rows to n columns of a row-major n x n cost: column_of[row], by shortest augmenting paths
/// (Jonker & Volgenant, 1987). Exact; n³ operations at the most.
inline std::vector<index_t> cheapest_assignment(std::span<double const> cost, index_t n) {
  require(index_t(cost.size()) == n * n, "cheapest_assignment: ", cost.size(), " costs for ", n, " rows");
  auto const at = [](index_t i) { return std::size_t(i); };
  double const far = std::numeric_limits<double>::infinity();
  std::vector<double> row_price(at(n + 1)), column_price(at(n + 1)), distance(at(n + 1));  // index 0 stands for "nothing"
  std::vector<index_t> row_of(at(n + 1)), from(at(n + 1));
  std::vector<char> done(at(n + 1));
  for (index_t row = 1; row <= n; ++row) {
    row_of[0] = row;
    std::fill(distance.begin(), distance.end(), far);
    std::fill(done.begin(), done.end(), char(0));
    index_t column = 0;
    do {  // Dijkstra over columns, until a free one is reached
      done[at(column)] = 1;
      index_t const r = row_of[at(column)];
      double const* const costs = cost.data() + (r - 1) * n - 1;
      double least = far;
      index_t next = 0;
      for (index_t c = 1; c <= n; ++c) {
        if (done[at(c)]) continue;
        double const d = costs[c] - row_price[at(r)] - column_price[at(c)];
        if (d < distance[at(c)]) distance[at(c)] = d, from[at(c)] = column;
        if (distance[at(c)] < least) least = distance[at(c)], next = c;
      }
      require(least < far, "cheapest_assignment: the costs of row ", r - 1, " are not finite");
      for (index_t c = 0; c <= n; ++c)
        if (done[at(c)]) row_price[at(row_of[at(c)])] += least, column_price[at(c)] -= least;
        else distance[at(c)] -= least;
      column = next;
    } while (row_of[at(column)] != 0);
    for (; column != 0; column = from[at(column)]) row_of[at(column)] = row_of[at(from[at(column)])];
  }
  std::vector<index_t> column_of(at(n));
  for (index_t c = 1; c <= n; ++c) column_of[at(row_of[at(c)] - 1)] = c - 1;
  return column_of;
}

/// The earth mover's distance of two samples of n points of d numbers each, row-major: the least mean Euclidean distance of
/// any pairing, which is Wasserstein's W1 of the two empirical laws. Two samples of one law are not at 0: it falls slowly with n.
inline double earth_movers_distance(std::span<double const> x, std::span<double const> y, index_t n) {
  require(n > 0 && x.size() == y.size() && index_t(x.size()) % n == 0, "earth_movers_distance: ", x.size(), " and ", y.size(), " numbers for ", n,
          " points");
  index_t const d = index_t(x.size()) / n;
  std::vector<double> cost(std::size_t(n * n));
  parallel_for(n, n * n * d, [&](index_t i) {
    for (index_t j = 0; j < n; ++j) {
      double square = 0;
      for (index_t c = 0; c < d; ++c)
        square += (x[std::size_t(i * d + c)] - y[std::size_t(j * d + c)]) * (x[std::size_t(i * d + c)] - y[std::size_t(j * d + c)]);
      cost[std::size_t(i * n + j)] = std::sqrt(square);
    }
  });
  auto const pair = cheapest_assignment(cost, n);
  double total = 0;
  for (index_t i = 0; i < n; ++i) total += cost[std::size_t(i * n + pair[std::size_t(i)])];
  return total / double(n);
}

}  // namespace sda
