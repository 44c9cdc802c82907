// SPDX-License-Identifier: Apache-2.0
// Blocked Gibbs sampling of long trajectories by a prior of short windows. Windows joined by `windowed` know nothing of each other
// where they do not overlap, so what changes slowly is averaged away. Here windows are drawn whole, given steps that are held:
//
//   forward:  x[first .. first + size) ~ p(· | its first `held` steps),   one window after the other
//   pass:     all between strips of `held` steps ~ p(· | strips), all windows at once;   the strips shift by half from pass to pass
//
// Where steps far from each other are independent given `held` steps in between (a Markov chain of that order), and windows are drawn
// from their exact conditional distributions, a pass leaves the joint distribution as it is, and the forward sweep draws from the
// prior exactly; observations of later windows reach earlier ones by passes.
#pragma once
#include <sda/core/random.hpp>
#include <sda/trajectory/communicator.hpp>

#include <algorithm>
#include <vector>

namespace sda {

/// A window of a trajectory: its first step, the steps [from, to) of the trajectory that are wanted of it, and how many right before and
/// after those are held. Others that it may have at its ends are neither: drawn along, and dropped.
struct held_window {
  index_t first, from, to, before, after;

  bool holds(index_t step) const { return (from - before <= step && step < from) || (to <= step && step < to + after); }
};

/// Which windows of `size` steps are drawn in a trajectory of `steps`, given strips of `held` steps.
struct alternating_plan {
  index_t steps, size, held;

  /// From one strip to the next.
  index_t stride() const { return size - held; }

  void check() const {
    require(0 < held && 3 * held <= size && size <= steps, "alternating windows: strips of ", held, " steps in windows of ", size,
            " in a trajectory of ", steps, "; a strip may be a third of a window, a window the trajectory at most");
  }

  /// One after the other; each finds its first steps drawn.
  std::vector<held_window> forward() const {
    check();
    std::vector<held_window> out{{0, 0, size, 0, 0}};
    while (out.back().to < steps) {
      index_t const from = out.back().to, to = std::min(from + stride(), steps);
      out.push_back({to - size, from, to, from - (to - size), 0});
    }
    return out;
  }

  /// All at once: what lies between strips, which stand half a stride further on in odd passes.
  std::vector<held_window> pass(index_t number) const {
    check();
    std::vector<held_window> out;
    index_t from = 0;
    for (index_t strip = number % 2 ? (stride() + 1) / 2 : stride(); from < steps; strip += stride()) {
      bool const last = strip + held >= steps;
      index_t const to = last ? steps : strip;
      out.push_back({std::clamp(from - held, index_t{0}, steps - size), from, to, from > 0 ? held : 0, last ? 0 : held});
      from = last ? steps : strip + held;
    }
    return out;
  }
};

/// Draws trajectories window by window. `redraw(w, x, k)` takes a window's steps x, rows of size * width columns, and returns such rows
/// drawn given the steps that w holds, and whatever was seen; of them [w.from, w.to) are taken. The windows of a pass are shared out
/// among the ranks of `comm`; the forward sweep is made on every one.
template <class Redraw, class Comm = solo> struct alternating {
  alternating_plan plan;
  index_t width;  // columns of a step
  Redraw redraw;
  [[no_unique_address]] Comm comm{};

  /// As many trajectories as `like` has rows: a forward sweep and so many passes.
  template <State S>
    requires Communicator<Comm, S>
  S operator()(S const& like, index_t passes, key k) const {
    S x = zeros(like, rows(like), plan.steps * width);
    index_t number = 0;
    for (auto const& w : plan.forward()) put(x, w, drawn(x, w, k.fold(0).fold(std::uint64_t(number++))), 0);
    for (index_t p = 1; p <= passes; ++p) pass(x, p, k);
    return x;
  }

  /// Draws x anew between the strips of pass `number`.
  template <State S>
    requires Communicator<Comm, S>
  void pass(S& x, index_t number, key k) const {
    auto const windows = plan.pass(number);
    index_t const n = std::ssize(windows), m = rows(x), columns_of_window = plan.size * width;
    S parts = zeros(x, n, m * columns_of_window);
    auto const [first, last] = share(n, comm.rank(), comm.size());
    for (index_t i = first; i < last; ++i) {
      S y = drawn(x, windows[std::size_t(i)], k.fold(std::uint64_t(number)).fold(std::uint64_t(i)));
      copy_block(parts, i, 0, reshape(std::move(y), 1, m * columns_of_window), 0, 0, 1, m * columns_of_window);
    }
    comm.all_gather(parts);
    parts = reshape(std::move(parts), n * m, columns_of_window);
    for (index_t i = 0; i < n; ++i) put(x, windows[std::size_t(i)], parts, i * m);
  }

 private:
  template <State S> S drawn(S const& x, held_window const& w, key k) const {
    S y = zeros(x, rows(x), plan.size * width);
    copy_block(y, 0, 0, x, 0, w.first * width, rows(x), columns(y));
    y = redraw(w, y, k);
    require(rows(y) == rows(x) && columns(y) == plan.size * width, "alternating: redraw made ", rows(y), " x ", columns(y), " of ", rows(x), " x ",
            plan.size * width);
    return y;
  }
  template <State S> void put(S& x, held_window const& w, S const& parts, index_t row) const {
    copy_block(x, 0, w.from * width, parts, row, (w.from - w.first) * width, rows(x), (w.to - w.from) * width);
  }
};
template <class R> alternating(alternating_plan, index_t, R) -> alternating<R>;
template <class R, class C> alternating(alternating_plan, index_t, R, C) -> alternating<R, C>;

}  // namespace sda
