// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/linearize.hpp>
#include <sda/core/error.hpp>

#include <vector>

// What is seen of a trajectory, a row of T states of `width` columns, time-major. For masks that change with time a single
// masked of trajectory_columns() does it in one gather; here each step has an operator.

namespace sda {

/// An operator for each step, of varying and zero length; what they see stands one after the other.
template <class A> class steps {
 public:
  steps(std::vector<A> operators, index_t width) : operators_(std::move(operators)), width_(width) {
    require(!operators_.empty() && width > 0, "steps: ", operators_.size(), " operators for states of ", width, " columns");
  }

  template <State S> auto operator()(S const& x) const {
    std::vector<decltype(operators_.front()(x))> seen;
    for (std::size_t t = 0; t < operators_.size(); ++t) seen.push_back(operators_[t](step(x, t)));
    return joined(seen, [](auto const& y) -> auto const& { return y; });
  }

  template <State S> auto linearize(S const& x) const {
    using part = decltype(sda::linearize(operators_.front(), x));
    using Y = decltype(operators_.front()(x));
    std::vector<part> parts;
    for (std::size_t t = 0; t < operators_.size(); ++t) parts.push_back(sda::linearize(operators_[t], step(x, t)));
    Y value = joined(parts, [](part const& p) -> Y const& { return p.value(); });
    return at<part, S, Y>{std::move(parts), std::move(value), width_};
  }

 private:
  template <class Part, class S, class Y> struct at {
    std::vector<Part> parts;
    Y y;
    index_t width;

    Y const& value() const { return y; }
    Y jvp(S const& v) const {
      std::vector<Y> seen;
      for (std::size_t t = 0; t < parts.size(); ++t) seen.push_back(parts[t].jvp(block(v, index_t(t) * width, width)));
      return joined(seen, [](Y const& part) -> Y const& { return part; });
    }
    S vjp(Y const& u) const {
      index_t const n = index_t(parts.size());
      require(columns(u) == columns(y), "steps, transposed: ", columns(u), " columns where ", columns(y), " are expected");
      S x = zeros(u, rows(u), n * width);
      for (index_t t = 0, first = 0; t < n; ++t) {
        auto const& part = parts[std::size_t(t)];
        index_t const seen = columns(part.value());
        copy_block(x, 0, t * width, part.vjp(block(u, first, seen)), 0, 0, rows(u), width);
        first += seen;
      }
      return x;
    }
  };

  template <State S> static S block(S const& x, index_t first, index_t n) {
    S y = zeros(x, rows(x), n);
    copy_block(y, 0, 0, x, 0, first, rows(x), n);
    return y;
  }
  template <State S> S step(S const& x, std::size_t t) const {
    index_t const n = index_t(operators_.size());
    require(columns(x) == n * width_, "steps: ", columns(x), " columns where ", n, " steps of ", width_, " are expected");
    return block(x, index_t(t) * width_, width_);
  }
  static auto joined(auto const& parts, auto const& seen) {
    index_t width = 0;
    for (auto const& p : parts) width += columns(seen(p));
    auto const& first = seen(parts.front());
    auto out = zeros(first, rows(first), width);
    index_t c = 0;
    for (auto const& p : parts) {
      auto const& y = seen(p);
      copy_block(out, 0, c, y, 0, 0, rows(y), columns(y));
      c += columns(y);
    }
    return out;
  }
  std::vector<A> operators_;
  index_t width_;
};

/// The same operator at every step: steps become rows, and it sees them all at once.
template <class A> struct every_step {
  A op;
  index_t width;

  template <State S> auto operator()(S const& x) const { return side_by_side(op(one_below_another(x)), rows(x)); }
  template <State S> auto linearize(S const& x) const {
    auto inner = sda::linearize(op, one_below_another(x));
    auto value = side_by_side(clone(inner.value()), rows(x));
    return at<decltype(inner), S, decltype(value)>{std::move(inner), std::move(value), width};
  }

 private:
  template <class Inner, class S, class Y> struct at {
    Inner inner;
    Y y;
    index_t width;
    Y const& value() const { return y; }
    Y jvp(S const& v) const { return side_by_side(inner.jvp(reshape(clone(v), rows(v) * columns(v) / width, width)), rows(v)); }
    S vjp(Y const& u) const { return side_by_side(inner.vjp(reshape(clone(u), rows(inner.value()), columns(inner.value()))), rows(u)); }
  };
  template <State S> S one_below_another(S const& x) const {
    require(width > 0 && columns(x) % width == 0, "every_step: ", columns(x), " columns are no whole number of states of ", width);
    return reshape(clone(x), rows(x) * (columns(x) / width), width);
  }
  template <State S> static S side_by_side(S y, index_t n) {
    index_t const numbers = rows(y) * columns(y);
    return reshape(std::move(y), n, n > 0 ? numbers / n : 0);
  }
};
template <class A> every_step(A, index_t) -> every_step<A>;

}  // namespace sda
