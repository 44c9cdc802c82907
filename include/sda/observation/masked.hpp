// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/linearize.hpp>
#include <sda/core/error.hpp>

#include <vector>

namespace sda {

namespace detail {
inline void require_columns(char const* name, index_t found, index_t expected) {
  require(found == expected, name, ": ", found, " columns where ", expected, " are expected");
}
// Each of the columns in [0, width), none twice.
inline void require_distinct(std::span<std::int64_t const> at, index_t width) {
  std::vector<index_t> first(std::size_t(width > 0 ? width : 0), -1);
  for (std::size_t i = 0; i < at.size(); ++i) {
    require(at[i] >= 0 && at[i] < width, "masked: entry ", i, " is column ", at[i], " of ", width);
    index_t& before = first[std::size_t(at[i])];
    require(before < 0, "masked: column ", at[i], " is listed twice, as entries ", before, " and ", i);
    before = index_t(i);
  }
}
}  // namespace detail

/// Reads some columns of a state, in the order listed: stations, swaths, a first state. The list may be empty.
template <State S> class masked {
 public:
  /// Reads `at` of states of `width` columns; columns out of bounds or listed twice are errors.
  masked(S const& like, std::span<std::int64_t const> at, index_t width)
      : at_((detail::require_distinct(at, width), indices_like(like, at))), seen_(index_t(at.size())), width_(width) {}

  S operator()(S const& x) const {
    detail::require_columns("masked", columns(x), width_);
    S y = zeros(x, rows(x), seen_);
    lincomb(y, gathered{1.0, x, at_});
    return y;
  }
  S adjoint(S const& u) const {
    detail::require_columns("masked, transposed", columns(u), seen_);
    S x = zeros(u, rows(u), width_);
    scatter_add(x, u, at_);
    return x;
  }
  index_t seen() const { return seen_; }
  index_t width() const { return width_; }

 private:
  indices_t<S> at_;
  index_t seen_, width_;
};

/// The columns of a trajectory (time-major, states of `width`) that are seen at one step after the other: step i sees
/// columns[i] of its state, which may be none. masked of these is one gather for all steps.
inline std::vector<std::int64_t> trajectory_columns(std::vector<std::vector<std::int64_t>> const& seen, index_t width) {
  std::vector<std::int64_t> out;
  for (std::size_t step = 0; step < seen.size(); ++step)
    for (auto const c : seen[step]) {
      require(c >= 0 && c < width, "trajectory_columns: step ", step, " sees column ", c, " of ", width);
      out.push_back(index_t(step) * width + c);
    }
  return out;
}

}  // namespace sda
