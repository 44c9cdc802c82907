// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/solve/krylov.hpp>

#include <optional>

namespace sda {

/// A solver for one system after another like it, as guidance meets them from level to level: begins at c times the solution of the
/// last, with the c of each row that leaves the least residual, and lets `inner` solve what is left. One product more than `inner`
/// after the first system. Its solutions depend on what it was asked before: one of these for each run, copies go their own ways.
template <State S, class Inner> class warm_start {
 public:
  explicit warm_start(Inner inner) : inner_(std::move(inner)) {}

  template <LinearOperator<S> A, Preconditioner<S> M = identity> S operator()(A const& a, S const& b, M const& precondition = {}) const {
    if (!last_ || rows(*last_) != rows(b) || columns(*last_) != columns(b)) {
      last_ = inner_(a, b, precondition);
    } else {
      S left = a(*last_);
      auto const c = krylov::map(krylov::ratio{}, dot(b, left), dot(left, left));
      lincomb(left, term{1.0, b}, term{-each{c}, left});
      S x = inner_(a, left, precondition);
      lincomb(x, term{1.0, x}, term{each{c}, *last_});
      last_ = std::move(x);
    }
    return clone(*last_);
  }

 private:
  Inner inner_;
  mutable std::optional<S> last_;
};

}  // namespace sda
