// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "commands.hpp"

namespace lorenz96 {

/// Moments of the climate of a scene's model and of what its instrument reads, for windows of `length` steps. Rings longer
/// than 64 sites have the climate of one of 64.
inline climatology climate_of(scene const& s, index_t length) {
  world w;
  w.ring = std::min<index_t>(s.ring(), 64), w.forcing = s.forcing, w.step = s.step;
  auto const runs = model_runs(w, 8, std::max<index_t>(2000, 20 * length), sda::key{0x96});
  return with_instrument(s.through, [&](auto const& read) { return climatology(runs, length, read, s.ring()); });
}

/// Carries the samples of a window on with the model of the scene itself (sda::exact_finish).
using finisher = std::function<members(window_task const&, members const&)>;
finisher make_finisher(smoother_settings const& how, scene const& s);

/// The score smoother that settings name, with its finish if there is one.
inline smoother make_smoother(smoother_settings const& how, scene const& s, index_t length) {
  sda::require(how.prior == "network" || how.prior == "gaussian", "--prior ", how.prior, ": network or gaussian");
  smoother const draw =
      how.prior == "network" ? network_smoother(how, s.ring(), length) : gaussian_smoother(how, climate_of(s, length), s.ring(), length);
  if (how.finish == 0) return draw;
  return [draw, finish = make_finisher(how, s)](window_task const& task) { return finish(task, draw(task)); };
}

// The file of an analysis. Time comes first everywhere: tools for gridded data insist.

inline void define_analysis(sda::netcdf::writer& out, scene const& s, assimilate_command const& c, index_t windows) {
  smoother_settings const& how = c.how;
  define_scene(out, s, "Posterior of Lorenz-96 given observations", c.command);
  using sda::netcdf::attribute;
  for (attribute const& a : {attribute{"window_steps", int(c.where.length)},
                             {"windows", int(windows)},
                             {"members", int(how.members)},
                             {"seed", double(c.where.seed)},
                             {"prior", how.prior},
                             {"weights", how.weights},
                             {"schedule", how.schedule},
                             {"sampler", how.sampler},
                             {"steps", int(how.steps)},
                             {"corrections", int(how.corrections)},
                             {"guidance", how.guidance},
                             {"solver", how.solver},
                             {"iterations", int(how.iterations)},
                             {"gamma", how.gamma},
                             {"join", how.join},
                             {"passes", int(how.passes)},
                             {"held", int(how.held)},
                             {"held_error", how.held_error},
                             {"finish", int(how.finish)},
                             {"observation_count", double(s.seen.isFinite().count())}})
    out.describe(a);
  out.dimension("realization", how.members);
  out.dimension("position", c.where.length);
  out.dimension("rank", how.members + 1);
  std::vector<std::string> const field{"time", "site"};
  out.variable<int>("realization", {"realization"}, {{"standard_name", "realization"}, {"long_name", "member of the ensemble"}, {"units", "1"}});
  out.variable<float>("member", {"time", "realization", "site"}, {{"long_name", "samples of the posterior"}, {"units", "1"}});
  out.variable<float>("mean", field, {{"long_name", "posterior mean"}, {"units", "1"}, {"cell_methods", "realization: mean"}});
  out.variable<float>("spread", field,
                      {{"long_name", "posterior standard deviation"}, {"units", "1"}, {"cell_methods", "realization: standard_deviation"}});
  if (s.truth.rows() == 0) return;
  out.variable<int>("rank_count", {"rank"}, {{"long_name", "how often the truth had this rank among the members"}, {"units", "1"}});
  out.variable<double>("rmse_score", {"position"}, {{"long_name", "error of the mean by step of the window"}, {"units", "1"}});
  if (how.finish > 0) out.variable<double>("rmse_finished", {"position"}, {{"long_name", "the same of the finished members"}, {"units", "1"}});
  if (c.no_baselines) return;
  for (std::string const name : {"rmse_climatology", "rmse_oi", "rmse_oi_window"})
    out.variable<double>(name, {"position"}, {{"long_name", "the same of a baseline"}, {"units", "1"}});
}

/// Members, mean and spread of the next window.
inline void append_window(sda::netcdf::writer& out, members const& x, index_t length) {
  index_t const m = x.rows(), ring = x.cols() / length;
  std::vector<float> all(std::size_t(m * ring)), mean(std::size_t(ring), 0.f), spread(std::size_t(ring), 0.f);
  for (index_t t = 0; t < length; ++t) {
    auto const now = x.middleCols(t * ring, ring);
    members const average = now.colwise().mean();
    for (index_t r = 0; r < m; ++r)
      for (index_t i = 0; i < ring; ++i) all[std::size_t(r * ring + i)] = now(r, i);
    for (index_t i = 0; i < ring; ++i) {
      mean[std::size_t(i)] = average(0, i);
      spread[std::size_t(i)] = m > 1 ? std::sqrt((now.col(i) - average(0, i)).square().sum() / float(m - 1)) : 0.f;
    }
    out.append("member", all);
    out.append("mean", mean);
    out.append("spread", spread);
  }
}

inline void write_analysis(sda::netcdf::writer& out, scene const& s, std::vector<scores> const& table) {
  write_scene(out, s);
  std::vector<int> realization(table[0].ranks().size() - 1);
  std::iota(realization.begin(), realization.end(), 0);
  out.put("realization", realization);
  if (s.truth.rows() == 0) return;
  out.put("rank_count", table[0].ranks());
  for (scores const& method : table) out.put(method.variable(), method.by_position());
}

}  // namespace lorenz96
