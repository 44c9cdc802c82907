// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/linearize.hpp>

#include <algorithm>
#include <numeric>
#include <vector>

namespace sda {

/// Which window a step of the whole is taken from where windows overlap.
enum class window_mode {
  symmetric,  ///< the window it is most central to: the middle `stride` steps of each, the ends of the first and the last
  causal,     ///< the first window that reaches it: every later window adds its last `stride` steps
  average     ///< the mean over all windows that hold it
};

/// How a trajectory of `steps` steps of `width` columns is cut into windows of `size` steps, one every `stride` steps.
/// The last `shared` columns of the state belong to no step: every window sees them behind its own steps, and the whole
/// takes the mean of what the windows make of them (a parameter that does not change in time; Self-Organizing SDA).
struct window_plan {
  index_t steps, width, size, stride;
  window_mode mode = window_mode::symmetric;
  index_t shared = 0;

  index_t count() const { return (steps - size) / stride + 1; }
  index_t columns() const { return steps * width + shared; }
  index_t window_columns() const { return size * width + shared; }

  /// The window that supplies a step, where one alone does.
  index_t owner(index_t step) const {
    index_t const lead = mode == window_mode::causal ? size - stride : (size - stride) / 2;
    return std::clamp((step - lead) / stride, index_t{0}, count() - 1);
  }

  void check() const {
    require(steps > 0 && width > 0 && size > 0 && shared >= 0, "windows: ", steps, " steps of ", width, " columns and ", shared,
            " shared columns in windows of ", size);
    require(stride > 0 && stride <= size, "windows of ", size, " steps cannot follow every ", stride);
    require(steps >= size && (steps - size) % stride == 0, "windows of ", size, " steps every ", stride, " do not tile ", steps, " steps; ",
            tiling_steps(steps, size, stride), " steps would be tiled");
  }

  /// The fewest steps, at least `steps`, that windows of `size` every `stride` tile: sample that many, drop the tail.
  static constexpr index_t tiling_steps(index_t steps, index_t size, index_t stride) {
    return steps <= size ? size : size + (steps - size + stride - 1) / stride * stride;
  }
};

/// SDA's pseudo-blankets: every step is taken from the window of k steps either side of it, or from the first or the last
/// window near the ends (Rozet & Louppe, 2023).
inline window_plan pseudo_blankets(index_t steps, index_t width, index_t k, index_t shared = 0) {
  return {steps, width, 2 * k + 1, 1, window_mode::symmetric, shared};
}

namespace detail {

// Positions are counted in blocks, the longest run of columns that steps and shared columns both consist of.
struct window_blocks {
  window_plan plan;
  index_t size() const { return std::gcd(plan.width, plan.shared); }
  index_t step() const { return plan.width / size(); }
  index_t window() const { return plan.window_columns() / size(); }

  std::vector<std::int64_t> cut() const {
    std::vector<std::int64_t> at;
    at.reserve(std::size_t(plan.count() * window()));
    for (index_t w = 0; w < plan.count(); ++w) {
      run(at, w * plan.stride * step(), plan.size * step());
      run(at, plan.steps * step(), plan.shared / size());
    }
    return at;
  }

  bool averages() const { return plan.mode == window_mode::average || plan.shared > 0; }

  // Blocks of the windows, and the blocks of the whole they are added to.
  struct joints {
    std::vector<std::int64_t> from, to;
  };
  joints join() const {
    joints j;
    auto const add = [&](index_t w, index_t offset, index_t target, index_t n) {
      run(j.from, w * window() + offset, n);
      run(j.to, target, n);
    };
    if (plan.mode == window_mode::average)
      for (index_t w = 0; w < plan.count(); ++w) add(w, 0, w * plan.stride * step(), plan.size * step());
    else
      for (index_t s = 0; s < plan.steps; ++s) {
        index_t const w = plan.owner(s);
        add(w, (s - w * plan.stride) * step(), s * step(), step());
      }
    if (plan.shared > 0)
      for (index_t w = 0; w < plan.count(); ++w) add(w, plan.size * step(), plan.steps * step(), plan.shared / size());
    return j;
  }

 private:
  static void run(std::vector<std::int64_t>& at, index_t first, index_t n) {
    for (index_t i = 0; i < n; ++i) at.push_back(first + i);
  }
};

// One over the number of windows a column is averaged over, as a row beside `like`.
template <State S> S join_weights(window_blocks const& b, S const& like) {
  std::vector<double> count(std::size_t(b.plan.columns() / b.size()), 0.0);
  for (std::int64_t const t : b.join().to) ++count[std::size_t(t)];
  std::vector<value_t<S>> share;
  share.reserve(std::size_t(b.plan.columns()));
  for (double const c : count) share.insert(share.end(), std::size_t(b.size()), static_cast<value_t<S>>(1 / c));
  S w = zeros(like, 1, b.plan.columns());
  load(w, std::span<value_t<S> const>(share));
  return w;
}

}  // namespace detail

/// Lays the windows of every trajectory out as rows: m x plan.columns() becomes (m n) x plan.window_columns(), window w of
/// trajectory m in row m n + w. Linear.
struct window_cut {
  window_plan plan;

  template <State S> S operator()(S const& x) const {
    plan.check();
    require(columns(x) == plan.columns(), "windows: the state has ", columns(x), " columns, the plan ", plan.columns());
    detail::window_blocks const b{plan};
    S cut = zeros(x, rows(x), plan.count() * plan.window_columns());
    lincomb(cut, gathered{1.0, x, indices_like(x, b.cut()), b.size()});
    return reshape(std::move(cut), rows(x) * plan.count(), plan.window_columns());
  }
  template <State S> S adjoint(S u) const {
    index_t const m = rows(u) / plan.count();
    detail::window_blocks const b{plan};
    S const flat = reshape(std::move(u), m, plan.count() * plan.window_columns());
    S x = zeros(flat, m, plan.columns());
    scatter_add(x, flat, indices_like(flat, b.cut()), b.size());
    return x;
  }
};

/// Puts windows laid out by window_cut together again, each step from the windows the plan's mode says. Linear; undoes
/// window_cut, exactly but for the rounding of averages.
struct window_join {
  window_plan plan;

  template <State S> S operator()(S parts) const {
    plan.check();
    index_t const m = rows(parts) / plan.count();
    require(columns(parts) == plan.window_columns() && rows(parts) == m * plan.count(), "windows: ", rows(parts), " x ", columns(parts),
            " cannot be rows of ", plan.count(), " windows of ", plan.window_columns());
    detail::window_blocks const b{plan};
    auto const joints = b.join();
    S const flat = reshape(std::move(parts), m, plan.count() * plan.window_columns());
    S taken = zeros(flat, m, index_t(joints.from.size()) * b.size());
    lincomb(taken, gathered{1.0, flat, indices_like(flat, joints.from), b.size()});
    if (!b.averages()) return taken;
    S whole = zeros(flat, m, plan.columns());
    scatter_add(whole, taken, indices_like(flat, joints.to), b.size());
    lincomb(whole, weighted{1.0, detail::join_weights(b, whole), whole});
    return whole;
  }
  template <State S> S adjoint(S const& u) const {
    plan.check();
    require(columns(u) == plan.columns(), "windows: the state has ", columns(u), " columns, the plan ", plan.columns());
    detail::window_blocks const b{plan};
    auto const joints = b.join();
    S parts = zeros(u, rows(u), plan.count() * plan.window_columns());
    if (b.averages()) {
      S shares = zeros_like(u), taken = zeros(u, rows(u), index_t(joints.to.size()) * b.size());
      lincomb(shares, weighted{1.0, detail::join_weights(b, u), u});
      lincomb(taken, gathered{1.0, shares, indices_like(u, joints.to), b.size()});
      scatter_add(parts, taken, indices_like(u, joints.from), b.size());
    } else scatter_add(parts, u, indices_like(u, joints.from), b.size());
    return reshape(std::move(parts), rows(u) * plan.count(), plan.window_columns());
  }
};

}  // namespace sda
