// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>
#include <sda/state/state.hpp>

#include <cmath>
#include <deque>
#include <limits>
#include <vector>

namespace sda {

/// A cost and its gradient at a state: cost(x, gradient) fills the gradient and gives one number a row; rows are independent.
template <class J, class S> concept Objective = State<S> && requires(J const& cost, S const& x, S& gradient) {
  { cost(x, gradient) } -> std::same_as<scalars_t<S>>;
};

/// Limited-memory BFGS (Nocedal, 1980), every row a problem of its own, with the bracketing line search for the weak Wolfe
/// conditions (Lewis & Overton, 2013). The search is steered from the host: it waits for one number a row at every evaluation.
struct lbfgs {
  int iterations = 50;
  double tolerance = 1e-10;  // of a row's |gradient|, relative to the first: a row below it stays where it is
  int memory = 10;           // pairs kept
  int trials = 30;           // evaluations a line search may take

  template <State S, Objective<S> J> S operator()(J const& cost, S const& start) const {
    search<S, J> run{*this, cost, clone(start), zeros_like(start), zeros_like(start)};
    run.begin();
    for (int i = 0; i < iterations && run.unsolved(); ++i) run.advance();
    return std::move(run.x);
  }

 private:
  template <class S, class J> struct search {
    using numbers = std::vector<double>;
    struct pair {
      S moved, turned;              // s = x' - x, y = g' - g
      scalars_t<S> inverse, scale;  // 1 / s·y and s·y / y·y; 0 and 1 for rows that did not move
    };

    lbfgs const& of;
    J const& cost;
    S x, gradient, direction;
    numbers value{}, enough{};  // costs, and the |gradient|² at which a row stops
    std::deque<pair> pairs{};

    static numbers read(scalars_t<S> const& c) {
      numbers out(static_cast<std::size_t>(rows(c)));
      algebra<scalars_t<S>>::store(c, std::span<double>(out));
      return out;
    }
    static scalars_t<S> device(scalars_t<S> const& like, numbers const& c) {
      scalars_t<S> out = zeros(like, index_t(c.size()), 1);
      algebra<scalars_t<S>>::load(out, std::span<double const>(c));
      return out;
    }
    void begin() {
      value = read(cost(x, gradient));
      enough = read(dot(gradient, gradient));
      for (double& e : enough) e *= of.tolerance * of.tolerance;
    }
    bool unsolved() const {
      numbers const now = read(dot(gradient, gradient));
      for (std::size_t r = 0; r < now.size(); ++r)
        if (now[r] > enough[r]) return true;
      return false;
    }

    /// -H g by the two loops over the pairs kept; before there is one, a step of length 1.
    void choose_direction() {
      lincomb(direction, term{-1.0, gradient});
      if (pairs.empty()) {
        numbers length = read(dot(gradient, gradient));
        for (double& l : length) l = l > 0 ? 1 / std::sqrt(l) : 0;
        auto const unit = device(dot(gradient, gradient), length);
        return lincomb(direction, term{each{unit}, direction});
      }
      std::vector<scalars_t<S>> weights;
      for (std::size_t i = pairs.size(); i-- > 0;) {
        auto weight = dot(pairs[i].moved, direction);
        lincomb(weight, weighted{1.0, pairs[i].inverse, weight});
        lincomb(direction, term{1.0, direction}, term{-each{weight}, pairs[i].turned});
        weights.push_back(std::move(weight));
      }
      lincomb(direction, term{each{pairs.back().scale}, direction});
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        auto weight = dot(pairs[i].turned, direction);
        auto const& before = weights[pairs.size() - 1 - i];
        lincomb(weight, term{1.0, before}, weighted{-1.0, pairs[i].inverse, weight});
        lincomb(direction, term{1.0, direction}, term{each{weight}, pairs[i].moved});
      }
    }

    /// Bisection, doubling while there is no upper end; a row is done once it descends enough and has turned enough.
    void advance() {
      choose_direction();
      numbers const slope = read(dot(direction, gradient)), now = read(dot(gradient, gradient));
      numbers low(slope.size()), high(slope.size(), std::numeric_limits<double>::infinity()), step(slope.size(), 1.0);
      std::vector<bool> done(slope.size());
      for (std::size_t r = 0; r < done.size(); ++r)
        if (now[r] <= enough[r] || !(slope[r] < 0)) done[r] = true, step[r] = 0;
      S trial = clone(x), turned = clone(gradient);
      numbers reached = value;
      auto const like = dot(x, x);
      for (int i = 0; i <= of.trials; ++i) {
        auto const t = device(like, step);
        lincomb(trial, term{1.0, x}, term{each{t}, direction});
        reached = read(cost(trial, turned));
        numbers const steepness = read(dot(direction, turned));
        bool all = true;
        for (std::size_t r = 0; r < done.size(); ++r) {
          if (done[r]) continue;
          if (!(reached[r] <= value[r] + 1e-4 * step[r] * slope[r])) high[r] = step[r];
          else if (steepness[r] < 0.9 * slope[r]) low[r] = step[r];
          else done[r] = true;
          if (done[r]) continue;
          all = false;
          step[r] = std::isinf(high[r]) ? 2 * low[r] : (low[r] + high[r]) / 2;
          if (i + 1 >= of.trials) step[r] = 0, enough[r] = std::numeric_limits<double>::infinity();  // nothing to gain: stay for good
        }
        if (all) break;
      }
      remember(trial, turned);
      x = std::move(trial), gradient = std::move(turned), value = std::move(reached);
    }

    void remember(S const& trial, S const& turned) {
      pair p{zeros_like(x), zeros_like(x), dot(x, x), dot(x, x)};
      lincomb(p.moved, term{1.0, trial}, term{-1.0, x});
      lincomb(p.turned, term{1.0, turned}, term{-1.0, gradient});
      numbers inverse = read(dot(p.moved, p.turned)), scale = inverse, length = read(dot(p.turned, p.turned));
      for (std::size_t r = 0; r < inverse.size(); ++r) {
        scale[r] = length[r] > 0 ? inverse[r] / length[r] : 1;
        inverse[r] = inverse[r] > 0 ? 1 / inverse[r] : 0;
      }
      p.inverse = device(p.inverse, inverse), p.scale = device(p.scale, scale);
      pairs.push_back(std::move(p));
      if (index_t(pairs.size()) > of.memory) pairs.pop_front();
    }
  };
};

}  // namespace sda
