// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/prior/denoiser.hpp>
#include <sda/trajectory/communicator.hpp>
#include <sda/trajectory/window_plan.hpp>

#include <deque>

namespace sda {

/// Gives the denoiser of window w: each has its own dates, context or observations.
template <class F, class S> concept WindowDenoisers = requires(F const& f, index_t w) {
  { f(w) } -> Denoiser<S>;
};

namespace detail {

// Rows of windows that go through a denoiser together, and where they lie.
struct window_tile {
  index_t window, row, column, height;
};

// A window denoiser linearised on one tile. It lives in a deque and never moves: `local` may refer to `denoiser`.
template <State S, class D> struct window_piece {
  window_tile tile;
  D denoiser;
  decltype(linearize(std::declval<D const&>(), std::declval<S const&>(), level{})) local;

  template <class Of> window_piece(window_tile t, Of const& of, S const& x, level l)
      : tile(t), denoiser(of(t.window)), local(linearize(denoiser, x, l)) {}
  window_piece(window_piece const&) = delete;
};

// Maps tiles of rows of windows in place, then makes them common to all ranks. `by_window`: each window is on its own,
// so a tile is some trajectories of one window rather than neighbouring rows.
template <class Comm> struct window_tiling {
  window_plan plan;
  [[no_unique_address]] Comm comm;
  index_t batch;
  bool by_window;

  std::vector<window_tile> tiles(index_t trajectories) const {
    std::vector<window_tile> t;
    index_t const n = plan.count();
    auto const [first, last] = share(trajectories * n, comm.rank(), comm.size());
    index_t const most = batch > 0 ? batch : trajectories * n;
    if (!by_window)
      for (index_t r = first; r < last; r += most) t.push_back({0, r, 0, std::min(most, last - r)});
    else
      for (index_t w = 0; w < n; ++w) {  // trajectories m with first <= m n + w < last
        index_t const begin = (first - w + n - 1) / n, end = (last - w + n - 1) / n;
        for (index_t m = begin; m < end; m += most) t.push_back({w, m, w * plan.window_columns(), std::min(most, end - m)});
      }
    return t;
  }

  template <State S> S at(S const& parts, window_tile const& t) const {
    S x = zeros(parts, t.height, plan.window_columns());
    copy_block(x, 0, 0, parts, t.row, t.column, t.height, plan.window_columns());
    return x;
  }
  template <State S> void put(S& parts, window_tile const& t, S const& y) const {
    require(rows(y) == t.height && columns(y) == plan.window_columns(), "windowed: the denoiser of window ", t.window, " turned ", t.height, " x ",
            plan.window_columns(), " into ", rows(y), " x ", columns(y));
    copy_block(parts, t.row, t.column, y, 0, 0, t.height, plan.window_columns());
  }

  /// body(parts) works on tiles of the rows of windows `parts`.
  template <State S, class Body> S run(S parts, Body const& body) const {
    index_t const n = rows(parts), w = columns(parts);
    if (by_window) parts = reshape(std::move(parts), n / plan.count(), plan.count() * w);
    body(parts);
    parts = reshape(std::move(parts), n, w);
    comm.all_gather(parts);
    return parts;
  }
};

}  // namespace detail

/// The linearisation of `windowed`: join after every window's own after cut, distributed over ranks like the value.
template <State S, class D, class Comm> class linear_windows {
 public:
  template <class Of> linear_windows(detail::window_tiling<Comm> const& tiling, Of const& of, S const& x, level l)
      : tiling_(tiling), value_(evaluate(of, x, l)) {}
  S const& value() const { return value_; }
  S vjp(S const& u) const {
    return window_cut{tiling_.plan}.adjoint(tiling_.run(window_join{tiling_.plan}.adjoint(u), [&](S& parts) {
      for (auto const& p : pieces_) tiling_.put(parts, p.tile, p.local.vjp(tiling_.at(parts, p.tile)));
    }));
  }
  S jvp(S const& v) const
    requires requires(detail::window_piece<S, D> const& p) { p.local.jvp(v); }
  {
    return window_join{tiling_.plan}(tiling_.run(window_cut{tiling_.plan}(v), [&](S& parts) {
      for (auto const& p : pieces_) tiling_.put(parts, p.tile, p.local.jvp(tiling_.at(parts, p.tile)));
    }));
  }

 private:
  template <class Of> S evaluate(Of const& of, S const& x, level l) {
    return window_join{tiling_.plan}(tiling_.run(window_cut{tiling_.plan}(x), [&](S& parts) {
      for (auto const& t : tiling_.tiles(rows(x))) {
        pieces_.emplace_back(t, of, tiling_.at(parts, t), l);
        tiling_.put(parts, t, pieces_.back().local.value());
      }
    }));
  }

  detail::window_tiling<Comm> tiling_;
  std::deque<detail::window_piece<S, D>> pieces_;
  S value_;
};

/// A denoiser of long trajectories made of one of short windows (Rozet & Louppe, 2023; Appa, 2025): cuts, denoises the
/// windows as rows, joins their posterior means. `inner` is a Denoiser for all windows, or a callable that gives window w
/// its own. At most `batch` rows (0: all) go through it at once; every rank of `comm` computes its share of the rows. Neither
/// changes a bit of the result. Guidance goes inside (windowed(mmps): a window sees its own observations) or
/// outside (mmps(windowed): the likelihood sees the whole trajectory).
template <class Inner, class Comm = solo> struct windowed {
  window_plan plan;
  Inner inner;
  [[no_unique_address]] Comm comm{};
  index_t batch = 0;

  /// The denoiser of window w.
  template <State S> decltype(auto) of(index_t w) const {
    if constexpr (Denoiser<Inner, S>) return (inner);
    else return inner(w);
  }

  template <State S>
    requires(Denoiser<Inner, S> || WindowDenoisers<Inner, S>) && Communicator<Comm, S>
  S operator()(S const& x, level l) const {
    auto const spread = tiling<S>();
    return window_join{plan}(spread.run(window_cut{plan}(x), [&](S& parts) {
      for (auto const& t : spread.tiles(rows(x))) spread.put(parts, t, of<S>(t.window)(spread.at(parts, t), l));
    }));
  }

  template <State S>
    requires(Denoiser<Inner, S> || WindowDenoisers<Inner, S>) && Communicator<Comm, S> &&
            requires(windowed const& d, S const& x, level l) { sda::linearize(d.template of<S>(0), x, l); }
  auto linearize(S const& x, level l) const {
    return linear_windows<S, decltype(of<S>(0)), Comm>(tiling<S>(), [this](index_t w) -> decltype(auto) { return of<S>(w); }, x, l);
  }

 private:
  template <State S> detail::window_tiling<Comm> tiling() const {
    require(batch >= 0, "windowed: a batch of ", batch, " rows");
    return {plan, comm, batch, !Denoiser<Inner, S>};
  }
};
template <class Inner> windowed(window_plan, Inner) -> windowed<Inner>;
template <class Inner, class Comm> windowed(window_plan, Inner, Comm) -> windowed<Inner, Comm>;
template <class Inner, class Comm> windowed(window_plan, Inner, Comm, index_t) -> windowed<Inner, Comm>;

}  // namespace sda
