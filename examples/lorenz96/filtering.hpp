// SPDX-License-Identifier: Apache-2.0
#pragma once
// How estimators are taken through time, and scored.
#include "../interrupt.hpp"
#include "runs.hpp"

#include <sda/filter/cycle.hpp>

namespace lorenz96 {

/// Scores of a run, and of what it thinks of a forcing that is unknown.
class run_scores {
 public:
  run_scores(index_t size, scene const& s) : s_(s), now_(size, climate_error(s)), past_(size, climate_error(s)) {}

  template <class Run> void add(Run const& run, index_t t, index_t back) {
    auto const truth = [&](index_t at) { return std::span<double const>(s_.truth.data() + at * s_.ring(), std::size_t(s_.ring())); };
    if constexpr (requires { run.deviation; }) {
      now_.add({run.mean.data(), std::size_t(run.mean.cols())}, run.deviation, truth(t));
    } else {
      auto const& e = run.now();
      if (e.cols() == s_.ring()) {
        now_.add(e, truth(t));
      } else {
        now_.add(typename Run::state(e.leftCols(s_.ring())), truth(t));
        auto const f = e.col(s_.ring()).template cast<double>();
        forcing_error_ += (f.mean() - s_.forcing) * (f.mean() - s_.forcing);
        forcing_variance_ += (f - f.mean()).square().sum() / double(f.size() - 1);
      }
      if constexpr (requires { run.past(); }) past_.add(run.past(), truth(back));
    }
  }
  benchmark_outcome outcome(index_t size) const {
    benchmark_outcome o;
    o.rmse_analysis = now_.rmse(), o.crps = now_.crps(), o.spread = now_.spread(), o.spread_skill = now_.spread_skill(), o.diverged = now_.lost();
    if (now_.ranks().total() > 0) o.rank_chi2 = now_.ranks().chi_square() / double(size);
    if (past_.cycles() > 0) o.rmse_smoothed = past_.rmse();
    if (forcing_variance_ > 0) {
      o.rmse_parameter = std::sqrt(forcing_error_ / double(now_.cycles()));
      o.spread_parameter = std::sqrt(forcing_variance_ / double(now_.cycles()));
    }
    return o;
  }
  index_t cycles() const { return now_.cycles(); }

 private:
  static double climate_error(scene const& s) { return std::sqrt((s.truth - s.truth.mean()).square().mean()); }
  scene const& s_;
  sda::cycle_scores now_, past_;
  double forcing_error_ = 0, forcing_variance_ = 0;
};

/// Runs an estimator through all times of observation, `lag` of which its past estimate lies back; adapt(run, sites) tells it
/// which columns are seen, when they change.
template <class Run, class Adapt>
benchmark_outcome through_time(Run run, index_t size, index_t lag, benchmark_task const& task, scene const& s, key k, Adapt const& adapt) {
  using S = typename Run::state;
  auto const with_read = [&](auto const& f) {   // each function compiles every filter anew
    sda::require(s.through == "identity" || s.through == "arctan", task.name, ": the filters see identity or arctan, not ", s.through);
    return s.through == "identity" ? f(sda::identity_function{}) : f(sda::quick_arctan{});
  };
  return with_read([&](auto const& read) {
    int const inner = std::max(1, int(std::ceil(s.step / 0.05 - 1e-9)));
    index_t const width = s.ring() + task.unknown_forcing, unscored = index_t(std::lround(task.settling / (s.step * double(task.net.every))));
    sda::require(task.cycles > unscored, task.name, ": filters are scored after ", unscored, " analyses (settling=", task.settling, " of model time), of ",
                 task.cycles, "; ask for more --cycles, or for ", task.name, ":settling=0");
    run_scores scored(size, s);
    model_cost model;
    double seconds = 0;
    sites at;
    std::vector<index_t> times;
    for (index_t t = 0, last = 0; t < s.steps() && index_t(times.size()) < task.cycles; ++t) {
      examples::heed_interrupts();
      trajectory const now = s.seen.row(t);
      sites const where = columns_seen(now);
      if (where.empty()) continue;
      if (where != at) adapt(run, at = where);
      S y(1, index_t(at.size()));
      for (std::size_t i = 0; i < at.size(); ++i) y(0, index_t(i)) = typename S::Scalar(now(0, at[i]));
      stepped const forecast{s.forcing, s.ring(), s.step / double(inner), int(inner * (t - last)), &model};
      sda::observation const o{sda::composed{sda::pointwise{read}, sda::masked<S>(y, at, width)}, y, sda::scalar_error{s.error * s.error}};
      auto const begun = std::chrono::steady_clock::now();
      run.advance(forecast, o, k.fold(std::uint64_t(t) + 1));
      seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
      last = t;
      times.push_back(t);
      index_t const made = index_t(times.size());
      if (made > unscored) scored.add(run, t, times[std::size_t(std::max<index_t>(0, made - 1 - lag))]);
    }
    sda::require(scored.cycles() > 0, task.name, ": filters are scored after ", unscored, " analyses, ", times.size(), " times were observed");
    benchmark_outcome o = scored.outcome(size);
    o.spent.model = model.steps;
    o.seconds = seconds / double(times.size()), o.seconds_model = model.seconds / double(times.size());
    return o;
  });
}

}  // namespace lorenz96
