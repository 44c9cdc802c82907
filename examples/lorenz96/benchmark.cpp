// SPDX-License-Identifier: Apache-2.0
#include "benchmark.hpp"

#include "analysis.hpp"
#include "interrupt.hpp"

#include <sda/core/progress.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>

namespace lorenz96 {

namespace {

double const no_number = std::numeric_limits<double>::quiet_NaN();

/// Which observations an estimate of a step rests on.
enum class rests_on { that_step, whole_window };

/// Scores of an estimator that sees one window after the other.
template <class Estimate>
benchmark_outcome by_windows(std::string parameters, benchmark_task const& task, scene const& s, index_t size, rests_on what, Estimate const& estimate) {
  index_t const length = task.where.length;
  scores all("", "", length, size);
  index_t lost = 0;
  double const climate_error = std::sqrt((s.truth - s.truth.mean()).square().mean());
  for (index_t w = 0; w < s.steps() / length; ++w) {
    all.add(s.truth.middleRows(w * length, length), estimate(w, s.seen.middleRows(w * length, length)));
    lost += all.rmse_latest() > climate_error;
  }
  bool const smooths = what == rests_on::whole_window;   // then only the last step rests on the past and present alone
  return {std::move(parameters), smooths ? all.rmse_last() : all.rmse(), smooths ? all.rmse_middle() : no_number, all.crps(), all.spread(),
          all.spread_skill(), all.rank_chi2(), double(lost * length) / double(s.steps())};
}

benchmark_outcome climatology_alone(benchmark_task const& task, scene const& s, smoother_settings const& how, sda::key) {
  climatology const climate = climate_of(s, 1);
  return by_windows("", task, s, how.members, rests_on::that_step, [&](index_t, trajectory const& seen) {
    return gaussian_estimate{trajectory::Constant(seen.rows(), seen.cols(), climate.mean()),
                             trajectory::Constant(seen.rows(), seen.cols(), climate.deviation())};
  });
}
benchmark_outcome interpolation(bool whole, benchmark_task const& task, scene const& s, smoother_settings const& how) {
  climatology const climate = climate_of(s, whole ? task.where.length : 1);
  optimal_interpolation oi(climate, s.error, whole);
  return by_windows("", task, s, how.members, whole ? rests_on::whole_window : rests_on::that_step,
                    [&](index_t, trajectory const& seen) { return oi(seen); });
}
benchmark_outcome score_smoother(benchmark_task const& task, scene const& s, smoother_settings const& how, sda::key k) {
  smoother const draw = make_smoother(how, s, task.where.length);
  sda::progress shown(task.name + ": score smoother", long(s.steps() / task.where.length * how.steps));
  auto const text = sda::detail::text(how.prior, ", ", how.members, " members, ", how.guidance, ' ', how.iterations, ", ", how.sampler, ' ',
                                      how.steps, " + ", how.corrections, ", ", how.schedule);
  return by_windows(text, task, s, how.members, rests_on::whole_window, [&](index_t w, trajectory const& seen) {
    return draw({seen, s.through, s.error, k.fold(std::uint64_t(w)), [&](index_t step) {
      heed_interrupts();
      shown.at(long(w * how.steps + step));
    }});
  });
}

template <class Named> Named const& named(std::vector<Named> const& all, std::string const& name, char const* what) {
  std::string known;
  for (Named const& n : all) {
    if (n.name == name) return n;
    known += " " + n.name;
  }
  throw sda::error(sda::detail::text("there is no ", what, " ", name, "; there are:", known));
}
template <class Named> void list(std::vector<Named> const& all) {
  for (Named const& n : all) std::printf("  %-16s %s\n", n.name.c_str(), n.about.c_str());
}

nlohmann::json record(benchmark_task const& task, benchmark_method const& method, benchmark_outcome const& o, std::uint64_t seed, index_t cycles,
                      double seconds) {
  int threads = 1;
#if defined(_OPENMP)
  threads = omp_get_max_threads();
#endif
  return {{"task", task.name}, {"method", method.name}, {"parameters", o.parameters}, {"seed", seed}, {"cycles", cycles},
          {"rmse_analysis", o.rmse_analysis}, {"rmse_smoothed", o.rmse_smoothed}, {"crps", o.crps}, {"spread", o.spread},
          {"spread_skill", o.spread_skill}, {"rank_chi2", o.rank_chi2}, {"diverged", o.diverged}, {"model_evaluations", o.model_evaluations},
          {"network_evaluations", o.network_evaluations}, {"seconds_per_analysis", seconds / double(cycles)}, {"threads", threads}};
}

/// Mean and standard error over seeds.
std::string averaged(std::vector<double> const& x) {
  double const n = double(x.size()), mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
  double square = 0;
  for (double const v : x) square += (v - mean) * (v - mean);
  char text[48];
  if (std::isnan(mean)) return "-";
  if (x.size() < 2) std::snprintf(text, sizeof text, "%.3f", mean);
  else std::snprintf(text, sizeof text, "%.3f ± %.3f", mean, std::sqrt(square / (n - 1) / n));
  return text;
}

void print_row(std::string const& method, std::vector<nlohmann::json> const& records) {
  std::printf("%-16s", method.c_str());
  for (char const* column : {"rmse_analysis", "rmse_smoothed", "crps", "spread_skill", "rank_chi2", "diverged"}) {
    std::vector<double> values;
    for (auto const& r : records) values.push_back(r[column].get<double>());
    std::string const text = averaged(values);
    int const shown_width = int(text.size()) - (text.find("±") != text.npos ? 1 : 0);   // ± takes two bytes
    std::printf("%*s%s", 17 - shown_width, "", text.c_str());
  }
  std::printf("%14.2f\n", 1e3 * records[0]["seconds_per_analysis"].get<double>());
}

}  // namespace

std::vector<benchmark_task> const& benchmark_tasks() {
  static world const standard{.length = 50};
  static std::vector<benchmark_task> const all{
      {"sakov2008", "every site, every 0.05, error 1 (Sakov & Oke, 2008)", standard, {}, 1000},
      {"half", "every 2nd site, every 0.05, error 1", standard, {.sites = "every:2"}, 1000},
      {"quarter", "every 4th site, every 0.05, error 1", standard, {.sites = "every:4"}, 1000},
      {"bocquet2010_m40", "every 2nd site, every 0.05, error 1.5 (Bocquet, 2010)", standard, {.sites = "every:2", .error = 1.5}, 1000},
      {"spantini2019", "every 2nd site, every 0.4, error √0.5 (Spantini et al., 2019); states 0.05 apart", standard,
       {.sites = "every:2", .every = 8, .error = std::sqrt(0.5)}, 1000},
      {"ensf", "arctan of every one of 100 sites, every 0.1, error 0.05 (Bao et al., 2023)", {.ring = 100, .step = 0.1, .length = 50},
       {.through = "arctan", .error = 0.05}, 600},
      {"arctan", "arctan of every 2nd site, every 0.05, error 0.05", standard, {.sites = "every:2", .through = "arctan", .error = 0.05}, 1000}};
  return all;
}

std::vector<benchmark_method> const& benchmark_methods() {
  static std::vector<benchmark_method> const all = [] {
    std::vector<benchmark_method> methods{
      {"climatology", "the climate's mean and spread, whatever is seen", climatology_alone},
      {"oi", "optimal interpolation of the observations of one time",
       [](auto const& task, auto const& s, auto const& how, sda::key) { return interpolation(false, task, s, how); }},
      {"oi-window", "optimal interpolation of all observations of a window: the Gaussian smoother",
       [](auto const& task, auto const& s, auto const& how, sda::key) { return interpolation(true, task, s, how); }},
      {"score", "the score smoother, by the options above", score_smoother}};
    for (auto& filter : classical_methods()) methods.push_back(std::move(filter));
    return methods;
  }();
  return all;
}

std::string task_names() {
  std::string names;
  for (auto const& t : benchmark_tasks()) names += (names.empty() ? "" : ", ") + t.name;
  return names;
}

void run_benchmark(benchmark_command const& c) {
  auto const asks = [](std::vector<std::string> const& names) { return std::find(names.begin(), names.end(), "help") != names.end(); };
  if (asks(c.tasks)) return list(benchmark_tasks());
  if (asks(c.methods)) return list(benchmark_methods());
  sda::require(c.seeds > 0, "--seeds ", c.seeds);
  sda::require(c.cycles >= 0, "--cycles ", c.cycles);
  nlohmann::json records = nlohmann::json::array();
  for (std::string const& task_name : c.tasks) {
    benchmark_task task = named(benchmark_tasks(), task_name, "task");
    index_t const cycles = c.cycles > 0 ? c.cycles : task.cycles;
    task.where.windows = (cycles + task.where.length - 1) / task.where.length;
    std::printf("%s: %s; %lld analyses, %d seeds\n%-16s%17s%17s%17s%17s%17s%17s%14s\n", task.name.c_str(), task.about.c_str(),
                static_cast<long long>(task.where.windows * task.where.length), c.seeds, "method", "rmse analysis", "rmse smoothed", "crps",
                "spread/skill", "rank chi2", "diverged", "ms/analysis");
    for (std::string const& method_name : c.methods) {
      benchmark_method const& method = named(benchmark_methods(), method_name, "method");
      std::vector<nlohmann::json> rows;
      for (int i = 0; i < c.seeds; ++i) {
        task.where.seed = c.first_seed + std::uint64_t(i);
        scene const s = simulate(task.where, task.net);
        auto const begun = std::chrono::steady_clock::now();
        benchmark_outcome const o = method.run(task, s, c.how, sda::key{task.where.seed}.fold(2));
        double const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
        rows.push_back(record(task, method, o, task.where.seed, s.steps(), seconds));
        records.push_back(rows.back());
      }
      print_row(method.name, rows);
      std::fflush(stdout);
    }
  }
  if (c.json.empty()) return;
  std::string const temporary = c.json + ".tmp";
  std::ofstream(temporary) << records.dump(2) << '\n';
  std::error_code failure;
  std::filesystem::rename(temporary, c.json, failure);
  sda::require(!failure, "cannot write ", c.json, ": ", failure.message());
}

}  // namespace lorenz96
