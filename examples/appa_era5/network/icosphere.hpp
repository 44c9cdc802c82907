// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <numbers>
#include <unordered_map>
#include <utility>
#include <vector>

// Points on the unit sphere, icosahedra divided again and again, and who is near whom.

namespace appa {

using point = std::array<double, 3>;
using edge = std::array<std::int64_t, 2>;  // query, key

inline double distance(point const& a, point const& b) { return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]); }

/// Degrees of latitude and longitude.
inline point on_sphere(double latitude, double longitude) {
  double const phi = latitude * std::numbers::pi / 180, lambda = longitude * std::numbers::pi / 180;
  return {std::cos(phi) * std::cos(lambda), std::cos(phi) * std::sin(lambda), std::sin(phi)};
}
inline double longitude_of(point const& p) { return std::atan2(p[1], p[0]) * 180 / std::numbers::pi; }

/// An icosahedron whose faces are divided in four, `divisions` times: 10 4^divisions + 2 vertices, those of coarser ones first.
class icosphere {
 public:
  explicit icosphere(int divisions) {
    sda::require(divisions >= 0 && divisions <= 9, "icosphere: ", divisions, " divisions; 0 to 9 are possible");
    double const g = std::numbers::phi;  // vertices and faces in the usual order
    for (point p : {point{-1, g, 0},
                    {1, g, 0},
                    {-1, -g, 0},
                    {1, -g, 0},
                    {0, -1, g},
                    {0, 1, g},
                    {0, -1, -g},
                    {0, 1, -g},
                    {g, 0, -1},
                    {g, 0, 1},
                    {-g, 0, -1},
                    {-g, 0, 1}})
      add(p);
    faces_.push_back({{0, 11, 5}, {0, 5, 1}, {0, 1, 7}, {0, 7, 10}, {0, 10, 11}, {1, 5, 9}, {5, 11, 4}, {11, 10, 2}, {10, 7, 6}, {7, 1, 8},
                      {3, 9, 4},  {3, 4, 2}, {3, 2, 6}, {3, 6, 8},  {3, 8, 9},   {4, 9, 5}, {2, 4, 11}, {6, 2, 10},  {8, 6, 7},  {9, 8, 1}});
    while (std::ssize(faces_) <= divisions) divide();
  }

  std::vector<point> const& vertices() const { return vertices_; }

  /// The sides of the faces of all divisions, both ways, and every vertex with itself; by query, then key.
  std::vector<edge> multi_mesh() const {
    std::vector<edge> out;
    for (std::int64_t v = 0; v < std::ssize(vertices_); ++v) out.push_back({v, v});
    for (auto const& division : faces_)
      for (auto const& [a, b, c] : division)  // a side has two faces, which see it from either end
        for (edge const& e : {edge{a, b}, {b, c}, {c, a}}) out.push_back(e);
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

  /// The lists in published weights: a query p there stands for the p-th vertex met along the faces, and is used as vertex p.
  std::vector<edge> relabelled_multi_mesh() const {
    auto const order = first_visits();
    std::vector<std::int64_t> label(order.size());
    for (std::size_t p = 0; p < order.size(); ++p) label[std::size_t(order[p])] = std::int64_t(p);
    auto out = multi_mesh();
    for (auto& [query, key] : out) query = label[std::size_t(query)];
    std::sort(out.begin(), out.end());
    return out;
  }

  /// Vertices in the order in which the faces, division by division, show them.
  std::vector<std::int64_t> first_visits() const {
    std::vector<std::int64_t> order;
    std::vector<char> met(vertices_.size());
    for (auto const& division : faces_)
      for (auto const& [a, b, c] : division)
        for (auto const v : {a, c, b})
          if (!std::exchange(met[std::size_t(v)], char(1))) order.push_back(v);
    return order;
  }

 private:
  using face = std::array<std::int64_t, 3>;

  std::int64_t add(point p) {
    double const length = std::hypot(p[0], p[1], p[2]);
    vertices_.push_back({p[0] / length, p[1] / length, p[2] / length});
    return std::ssize(vertices_) - 1;
  }

  void divide() {
    std::map<edge, std::int64_t> known;
    auto const middle = [&](std::int64_t i, std::int64_t j) {
      auto const [at, fresh] = known.try_emplace({std::min(i, j), std::max(i, j)}, 0);
      point const &p = vertices_[std::size_t(i)], &q = vertices_[std::size_t(j)];
      if (fresh) at->second = add({p[0] + q[0], p[1] + q[1], p[2] + q[2]});
      return at->second;
    };
    std::vector<face> finer;
    for (auto const& [a, b, c] : faces_.back()) {
      auto const ab = middle(a, b), bc = middle(b, c), ca = middle(c, a);
      for (face const& f : {face{a, ab, ca}, {b, bc, ab}, {c, ca, bc}, {ab, bc, ca}}) finer.push_back(f);
    }
    faces_.push_back(std::move(finer));
  }

  std::vector<point> vertices_;
  std::vector<std::vector<face>> faces_;  // by division
};

/// Finds points near a place: they are sorted into cubes as wide as the reach of the search.
class sphere_search {
 public:
  sphere_search(std::vector<point> const& points, double reach) : points_(points), reach_(std::clamp(reach, 1e-3, 2.0)) {
    for (std::int64_t i = 0; i < std::ssize(points); ++i) cubes_[cube(points[std::size_t(i)], 0, 0, 0)].push_back(i);
  }

  /// Points within the reach, the rim included, in order.
  std::vector<std::int64_t> around(point const& p) const {
    std::vector<std::int64_t> out;
    visit(p, [&](std::int64_t i, double d) {
      if (d <= reach_) out.push_back(i);
    });
    std::sort(out.begin(), out.end());
    return out;
  }
  /// The nearest point if it is within the reach, else -1; of equals the first.
  std::int64_t nearest(point const& p) const {
    std::pair best{reach_, std::int64_t{-1}};
    visit(p, [&](std::int64_t i, double d) {
      if (d < best.first || (d == best.first && (best.second < 0 || i < best.second))) best = {d, i};
    });
    return best.second;
  }

 private:
  std::int64_t cube(point const& p, int dx, int dy, int dz) const {
    auto const at = [&](double x, int d) { return std::int64_t(std::floor((x + 2) / reach_)) + d + 1; };
    return (at(p[0], dx) * 8192 + at(p[1], dy)) * 8192 + at(p[2], dz);
  }
  template <class F> void visit(point const& p, F const& f) const {
    for (int x = -1; x <= 1; ++x)
      for (int y = -1; y <= 1; ++y)
        for (int z = -1; z <= 1; ++z)
          if (auto const found = cubes_.find(cube(p, x, y, z)); found != cubes_.end())
            for (auto const i : found->second) f(i, distance(p, points_[std::size_t(i)]));
  }

  std::vector<point> const& points_;
  double reach_;
  std::unordered_map<std::int64_t, std::vector<std::int64_t>> cubes_;
};

/// Radii coincide with distances of pairs: this much more decides in favour of a pair.
inline constexpr double rounding_slack = 1 + 1e-6;

/// Each query with the keys within a chord of it.
inline std::vector<edge> edges_within(std::vector<point> const& queries, std::vector<point> const& keys, double chord) {
  sphere_search const search(keys, chord * rounding_slack);
  std::vector<edge> out;
  for (std::int64_t q = 0; q < std::ssize(queries); ++q)
    for (auto const k : search.around(queries[std::size_t(q)])) out.push_back({q, k});
  return out;
}

/// The key nearest to each query.
inline std::vector<std::int64_t> nearest_keys(std::vector<point> const& queries, std::vector<point> const& keys) {
  double const typical = std::sqrt(4 * std::numbers::pi / double(keys.size()));
  std::vector<std::int64_t> out(queries.size(), -1);
  for (double reach = 2 * typical; std::count(out.begin(), out.end(), -1) > 0; reach *= 2) {
    sphere_search const search(keys, std::min(reach, 2.0));
    for (std::size_t q = 0; q < queries.size(); ++q)
      if (out[q] < 0) out[q] = search.nearest(queries[q]);
  }
  return out;
}

/// The chord that reaches n rings of neighbours from every vertex of an icosphere but the twelve with five neighbours.
inline double hop_radius(std::vector<point> const& vertices, int hops) {
  bool const smallest = vertices.size() == 12;
  auto const ring = std::size_t(1 + (smallest ? 5 : 6) * hops * (hops + 1) / 2);
  sda::require(hops > 0 && ring <= vertices.size(), "hop_radius: ", hops, " rings around a vertex of ", vertices.size());
  double const side = std::sqrt(4 * std::numbers::pi / double(vertices.size()));
  sphere_search const search(vertices, 1.6 * hops * side);
  double radius = 0;
  for (std::size_t v = smallest ? 0 : 12; v < vertices.size(); ++v) {
    std::vector<double> apart;
    for (auto const k : search.around(vertices[v])) apart.push_back(distance(vertices[v], vertices[std::size_t(k)]));
    sda::require(apart.size() >= ring, "hop_radius: too few neighbours of vertex ", v);
    std::nth_element(apart.begin(), apart.begin() + std::ptrdiff_t(ring - 1), apart.end());
    radius = std::max(radius, apart[ring - 1]);
  }
  return radius;
}

/// The chord around each of n points that evenly spread ones fill `area` times over in radius; above 2 / √3 they cover the sphere.
inline double area_radius(std::size_t n, double area) {
  sda::require(area > 2 / std::sqrt(3.), "area_radius: an area of ", area, " leaves holes; above 1.155 there are none");
  return 2 * std::sin(area * std::asin(std::sqrt(1 / double(n))));
}

}  // namespace appa
