// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/linearize.hpp>
#include <sda/core/error.hpp>

#include <cmath>
#include <vector>

namespace sda {

/// A sparse matrix of `corners` entries a row: entry k of point i is weights[k][i] at column columns[k][i].
struct stencil {
  std::vector<std::vector<std::int64_t>> columns;
  std::vector<std::vector<double>> weights;

  index_t points() const { return columns.empty() ? 0 : index_t(columns.front().size()); }
};

namespace detail {
// A position on an axis of n nodes 0, 1, ..., as the node before it, the node after it, and how far it is on the way.
struct between {
  std::int64_t before, after;
  double fraction;
};
inline between locate(double position, index_t n, bool periodic, std::size_t point) {
  require(n > 0, "interpolating: an axis of ", n, " nodes");
  require(std::isfinite(position) && (periodic || (position >= 0 && position <= double(n - 1))), "interpolating: point ", point, " at ", position,
          " is outside an axis of ", n, " nodes");
  double const wrapped = periodic ? position - double(n) * std::floor(position / double(n)) : position;
  auto const before = std::min(std::int64_t(wrapped), std::int64_t(n - 1));  // rounding may wrap to n itself
  return {before, before + 1 < n ? before + 1 : periodic ? 0 : before, wrapped - double(before)};
}
}  // namespace detail

/// Linear interpolation on a line or ring of n nodes, positions in units of the spacing: 0 is the first node; a ring goes
/// on from n - 1 to n = 0. Positions off a line are errors.
inline stencil line_stencil(std::span<double const> positions, index_t n, bool periodic) {
  stencil s{std::vector<std::vector<std::int64_t>>(2), std::vector<std::vector<double>>(2)};
  for (std::size_t i = 0; i < positions.size(); ++i) {
    auto const at = detail::locate(positions[i], n, periodic, i);
    s.columns[0].push_back(at.before), s.weights[0].push_back(1 - at.fraction);
    s.columns[1].push_back(at.after), s.weights[1].push_back(at.fraction);
  }
  return s;
}

/// A point of a grid, in units of its spacings from the first node.
struct grid_point {
  double y, x;
};
/// Bilinear interpolation on a grid of ny x nx nodes, x running fastest, periodic in x if asked (longitude). Points off
/// the grid are errors.
inline stencil grid_stencil(std::span<grid_point const> points, index_t ny, index_t nx, bool periodic_x) {
  stencil s{std::vector<std::vector<std::int64_t>>(4), std::vector<std::vector<double>>(4)};
  for (std::size_t i = 0; i < points.size(); ++i) {
    auto const y = detail::locate(points[i].y, ny, false, i), x = detail::locate(points[i].x, nx, periodic_x, i);
    auto const corner = [&](std::size_t k, std::int64_t row, std::int64_t column, double weight) {
      s.columns[k].push_back(row * nx + column), s.weights[k].push_back(weight);
    };
    corner(0, y.before, x.before, (1 - y.fraction) * (1 - x.fraction));
    corner(1, y.before, x.after, (1 - y.fraction) * x.fraction);
    corner(2, y.after, x.before, y.fraction * (1 - x.fraction));
    corner(3, y.after, x.after, y.fraction * x.fraction);
  }
  return s;
}

/// Reads a state between its nodes: y_i = Σ_k weights[k][i] x[columns[k][i]], for states of `width` columns. With `first`,
/// the stencil's column 0 is column `first` of the state: the beginning of a variable, or of a step.
template <State S> class interpolating {
 public:
  interpolating(S const& like, stencil const& s, index_t width, index_t first = 0) : points_(s.points()), width_(width) {
    require(s.columns.size() == s.weights.size(), "interpolating: ", s.columns.size(), " corners of columns, ", s.weights.size(), " of weights");
    for (std::size_t k = 0; k < s.columns.size(); ++k) {
      require(index_t(s.columns[k].size()) == points_ && index_t(s.weights[k].size()) == points_, "interpolating: corner ", k, " has ",
              s.columns[k].size(), " columns and ", s.weights[k].size(), " weights for ", points_, " points");
      std::vector<std::int64_t> at;
      for (auto const c : s.columns[k]) {
        require(c >= 0 && first >= 0 && c + first < width, "interpolating: point ", at.size(), " reads column ", c + first, " of ", width);
        at.push_back(c + first);
      }
      std::vector<value_t<S>> const numbers(s.weights[k].begin(), s.weights[k].end());
      S weight = zeros(like, 1, points_);
      load(weight, std::span<value_t<S> const>(numbers));
      corners_.push_back({indices_like(like, std::span<std::int64_t const>(at)), std::move(weight)});
    }
  }

  S operator()(S const& x) const {
    require(columns(x) == width_, "interpolating: ", columns(x), " columns where ", width_, " are expected");
    S y = zeros(x, rows(x), points_), node = zeros_like(y);
    for (corner const& k : corners_) {
      lincomb(node, gathered{1.0, x, k.at});
      lincomb(y, term{1.0, y}, weighted{1.0, k.weight, node});
    }
    return y;
  }
  S adjoint(S const& u) const {
    require(columns(u) == points_, "interpolating, transposed: ", columns(u), " columns where ", points_, " are expected");
    S x = zeros(u, rows(u), width_), share = zeros_like(u);
    for (corner const& k : corners_) {
      lincomb(share, weighted{1.0, k.weight, u});
      scatter_add(x, share, k.at);
    }
    return x;
  }
  linear_view<interpolating, S> linearize(S const& x) const { return {*this, (*this)(x)}; }
  index_t seen() const { return points_; }
  index_t width() const { return width_; }

 private:
  struct corner {
    indices_t<S> at;
    S weight;
  };
  index_t points_, width_;
  std::vector<corner> corners_;
};

}  // namespace sda
