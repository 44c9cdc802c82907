// SPDX-License-Identifier: Apache-2.0
#include "analysis.hpp"
#include "commands.hpp"
#include "../interrupt.hpp"
#include "picture.hpp"

#include <sda/core/progress.hpp>

#include <filesystem>
#include <iostream>
#include <optional>

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace lorenz96 {

void use_threads(int n) {
  sda::require(n >= 0, "--threads ", n);
#if defined(_OPENMP)
  if (n > 0) omp_set_num_threads(n);
#endif
}

void run_simulate(simulate_command const& c) {
  sda::netcdf::writer out(c.out);
  scene const s = simulate(c.where, c.net);
  define_scene(out, s, "Simulated observations of Lorenz-96", c.command);
  write_scene(out, s);
  out.commit();
  std::cout << c.out << ": " << s.steps() << " steps of " << s.ring() << " sites, " << s.seen.isFinite().count() << " observations\n";
}

namespace {

/// Everything that estimates the state, window by window, and its scores.
struct contest {
  index_t length;
  std::optional<climatology> climate;
  std::optional<optimal_interpolation> now, whole;
  std::vector<scores> table;   // the members first, then the samples they were finished from
  std::vector<std::vector<double>> middles{};   // RMSE in the middle of every window, of those two

  contest(index_t steps, index_t size, scene const& s, bool finishes, bool baselines) : length(steps) {
    if (finishes) table.emplace_back("score, finished", "rmse_finished", length, size);
    table.emplace_back("score smoother", "rmse_score", length, size);
    if (!baselines) return;
    climate.emplace(climate_of(s, length));
    table.emplace_back("climatology", "rmse_climatology", length, size);
    index_t most_at_once = 0, most_in_window = 0;
    for (index_t t = 0; t < s.steps(); ++t) most_at_once = std::max(most_at_once, index_t(s.seen.row(t).isFinite().count()));
    for (index_t t = 0; t < s.steps(); t += length)
      most_in_window = std::max(most_in_window, index_t(s.seen.middleRows(t, length).isFinite().count()));
    if (most_at_once <= optimal_interpolation::most) now.emplace(*climate, s.error, false), table.emplace_back("OI, one time", "rmse_oi", length, size);
    if (most_in_window <= optimal_interpolation::most) whole.emplace(*climate, s.error, true), table.emplace_back("OI, whole window", "rmse_oi_window", length, size);
    if (!whole)
      std::cout << "OI of a whole window is left out: " << most_in_window << " observations, at most " << optimal_interpolation::most << '\n';
  }

  void add(trajectory const& truth, trajectory const& seen, std::vector<members> const& ensembles) {
    std::size_t row = 0;
    middles.resize(ensembles.size());
    for (members const& x : ensembles) {
      scores alone("", "", length, x.rows());
      alone.add(truth, x);
      middles[row].push_back(alone.rmse_middle());
      table[row++].add(truth, x);
    }
    if (climate)
      table[row++].add(truth, gaussian_estimate{trajectory::Constant(truth.rows(), truth.cols(), climate->mean()),
                                                trajectory::Constant(truth.rows(), truth.cols(), climate->deviation())});
    if (now) table[row++].add(truth, (*now)(seen));
    if (whole) table[row++].add(truth, (*whole)(seen));
  }

  void print() const {
    print_table(std::cout, table);
    if (middles.empty() || middles[0].size() < 2) return;
    for (std::size_t row = 0; row < middles.size(); ++row) {
      std::printf("%s, middle of every window:", table[row].name().c_str());
      for (double const error : middles[row]) std::printf(" %.3f", error);
      std::printf("\n");
    }
  }
};

scene scene_of(assimilate_command const& c) {
  scene s = c.input.empty() ? simulate(c.where, c.net) : read_scene(c.input);
  sda::require(s.steps() > 0 && s.steps() % c.where.length == 0, "windows of ", c.where.length, " steps do not tile ", s.steps(), " steps",
               c.input.empty() ? "" : " of " + c.input, "; choose a --length that divides them");
  return s;
}

}  // namespace

void run_assimilate(assimilate_command const& c) {
  sda::require(c.plot.empty() || !c.out.empty(), "--plot draws what --out holds: give both");
  sda::require(c.how.members > 0, "--members ", c.how.members, ": an ensemble has at least one");
  index_t const length = c.where.length;
  sda::require(length > 0, "--length ", length);
  std::optional<sda::netcdf::writer> out;   // made first: a place that cannot be written is best known before the work
  if (!c.out.empty()) out.emplace(c.out);
  scene const s = scene_of(c);

  index_t const windows = s.steps() / length;
  bool const known = s.truth.rows() > 0;
  contest all(length, c.how.members, s, c.how.finish > 0, known && !c.no_baselines);
  smoother_settings unfinished = c.how;
  unfinished.finish = 0;
  smoother const draw_members = make_smoother(unfinished, s, length);
  finisher const finish = c.how.finish > 0 ? make_finisher(c.how, s) : finisher();
  if (out) define_analysis(*out, s, c, windows);
  sda::progress shown("sampling", windows * c.how.steps);
  for (index_t w = 0; w < windows; ++w) {
    trajectory const seen = s.seen.middleRows(w * length, length);
    if (columns_seen(seen).empty()) std::cout << "window " << w << " has no observations: its posterior is the prior\n";
    auto const told = [&](index_t step) {
      examples::heed_interrupts();
      shown.at(long(w * c.how.steps + step), "window " + std::to_string(w + 1) + "/" + std::to_string(windows));
    };
    window_task const task{seen, s.through, s.error, sda::key{c.where.seed}.fold(2).fold(std::uint64_t(w)), told};
    std::vector<members> found{draw_members(task)};
    if (finish) found.insert(found.begin(), finish(task, found[0]));
    if (known) all.add(s.truth.middleRows(w * length, length), seen, found);
    if (out) append_window(*out, found[0], length);
  }
  if (known) all.print();
  if (!out) return;
  write_analysis(*out, s, all.table);
  out->commit();
  std::cout << c.out << ": " << windows << " windows of " << length << " steps, " << c.how.members << " members\n";
  if (!c.plot.empty()) draw_picture(LORENZ96_PLOT, {c.out, c.plot});
}

}  // namespace lorenz96
