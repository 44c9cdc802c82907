// SPDX-License-Identifier: Apache-2.0
#include "benchmark.hpp"

#include "analysis.hpp"
#include "../interrupt.hpp"
#include "picture.hpp"

#include <sda/core/progress.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace lorenz96 {

namespace {

// --- methods that see one window after the other ---

/// Which observations an estimate of a step rests on.
enum class rests_on { that_step, whole_window };

trajectory thinned(trajectory const& x, index_t every) {
  trajectory y(x.rows() / every, x.cols());
  for (index_t i = 0; i < y.rows(); ++i) y.row(i) = x.row(i * every);
  return y;
}
template <class Estimate>
benchmark_outcome by_windows(benchmark_task const& task, scene const& s, index_t size, rests_on what, Estimate const& estimate) {
  // an estimate from one time alone is scored at times of observation
  index_t const length = task.where.length, windows = s.steps() / length, every = what == rests_on::that_step ? task.net.every : 1, scored = length / every;
  scores all("", "", scored, size);
  index_t lost = 0;
  double const climate_error = std::sqrt((s.truth - s.truth.mean()).square().mean());
  benchmark_outcome o;
  double seconds = 0;
  for (index_t w = 0; w < windows; ++w) {
    auto const begun = std::chrono::steady_clock::now();
    auto const x = estimate(w, thinned(s.seen.middleRows(w * length, length), every), o.spent);
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    all.add(thinned(s.truth.middleRows(w * length, length), every), x);
    lost += all.rmse_latest() > climate_error;
  }
  bool const smooths = what == rests_on::whole_window;   // then only the last step rests on the past and present alone
  o.rmse_analysis = smooths ? all.rmse_last() : all.rmse();
  if (smooths) o.rmse_smoothed = all.rmse_middle(), o.rmse_by_position = all.by_position();
  o.crps = all.crps(), o.spread = all.spread(), o.spread_skill = all.spread_skill(), o.rank_chi2 = all.rank_chi2();
  o.diverged = double(lost) / double(windows);
  o.seconds = seconds / double(windows * (length / task.net.every));
  return o;
}

estimator climatology_alone(parameters&, benchmark_task const& task, smoother_settings const& how) {
  return [task, size = how.members](scene const& s, sda::key) {
    climatology const climate = climate_of(s, 1);
    return by_windows(task, s, size, rests_on::that_step, [&](index_t, trajectory const& seen, effort&) {
      return gaussian_estimate{trajectory::Constant(seen.rows(), seen.cols(), climate.mean()),
                               trajectory::Constant(seen.rows(), seen.cols(), climate.deviation())};
    });
  };
}
template <rests_on What> estimator interpolation(parameters&, benchmark_task const& task, smoother_settings const& how) {
  return [task, size = how.members](scene const& s, sda::key) {
    bool const whole = What == rests_on::whole_window;
    climatology const climate = climate_of(s, whole ? task.where.length : 1);
    optimal_interpolation oi(climate, s.error, whole);
    return by_windows(task, s, size, What, [&](index_t, trajectory const& seen, effort&) { return oi(seen); });
  };
}
/// ... with what was found for sparse observations and a stride that tiles the windows of 50 steps. Members of the network that the
/// observations contradict are drawn anew; what is left is in the right basin, so that the finish need not look for it.
template <index_t Finish> estimator score_smoother(parameters& p, benchmark_task const& task, smoother_settings how) {
  if (task.name == "quarter") how.steps = std::max<index_t>(how.steps, 96), how.corrections = std::max<index_t>(how.corrections, 2);
  how.prior = p.get("prior", how.prior), how.weights = p.get("weights", how.weights);
  how.members = p.get("members", how.members);
  how.guidance = p.get("guidance", how.guidance), how.solver = p.get("solver", how.solver), how.iterations = p.get("iterations", how.iterations);
  how.gamma = p.get("gamma", how.gamma), how.zeta = p.get("zeta", how.zeta);
  how.sampler = p.get("sampler", how.sampler), how.schedule = p.get("schedule", how.schedule), how.steps = p.get("steps", how.steps);
  how.sigma_min = p.get("sigma-min", how.sigma_min), how.sigma_max = p.get("sigma-max", how.sigma_max);
  how.corrections = p.get("corrections", how.corrections), how.corrector = p.get("corrector", how.corrector), how.tau = p.get("tau", how.tau), how.limit = p.get("limit", how.limit);
  how.stride = p.get("stride", how.stride == 1 && task.where.length == 50 ? index_t{11} : how.stride);
  how.redraws = p.get("redraws", how.redraws > 0 || how.prior != "network" ? how.redraws : 8), how.redraw_noise = p.get("redraw-noise", how.redraw_noise);
  how.finish = p.get("finish", how.finish > 0 ? how.finish : Finish), how.model_error = p.get("model-error", how.model_error);
  how.finish_from = p.get("finish-from", how.redraws > 0 ? how.model_error : how.finish_from);
  return [=](scene const& s, sda::key k) {
    smoother const draw = make_smoother(how, s, task.where.length);
    sda::progress shown(task.name + ": score smoother", long(s.steps() / task.where.length * how.steps));
    return by_windows(task, s, how.members, rests_on::whole_window, [&](index_t w, trajectory const& seen, effort& spent) {
      auto const told = [&](index_t step) {
        examples::heed_interrupts();
        shown.at(long(w * how.steps + step));
      };
      return draw({seen, s.through, s.error, k.fold(std::uint64_t(w)), told, &spent});
    });
  };
}

// --- the world of a task ---

/// The truth of the released filter's test (Bao et al., 2023): after a step of 0.01 all sites may be multiplied by noise about 1,
/// of size 0.05, 0.2, 0.5 with probability 0.02, 0.01, 0.005.
trajectory shocked(trajectory truth, world const& w, sda::key k) {
  int const inner = std::max(1, int(std::lround(w.step / 0.01)));
  sda::flow const model{sda::lorenz96{w.forcing}, w.step / inner, 1};
  trajectory x = truth.row(0);
  for (index_t t = 1; t < truth.rows(); ++t) {
    for (int i = 0; i < inner; ++i) {
      x = model(x);
      double const u = sda::uniform(k, t, i), size = u < 0.005 ? 0.5 : u < 0.015 ? 0.2 : u < 0.035 ? 0.05 : 0;
      if (size == 0) continue;
      trajectory noise(1, w.ring);
      sda::lincomb(noise, sda::noise{size, k.fold(std::uint64_t(t * inner + i))});
      x *= 1 + noise;
    }
    truth.row(t) = x;
  }
  return truth;
}
scene scene_of(benchmark_task const& task) {
  scene s = simulate(task.where, task.net);
  if (!task.shocks) return s;
  sda::key const k{task.where.seed};
  s.truth = shocked(std::move(s.truth), task.where, k.fold(3));
  s.seen = with_instrument(task.net.through, [&](auto const& read) { return observe(task.net, s.truth, task.where.length, read, k.fold(1)); });
  return s;
}
benchmark_task configured(benchmark_task task, parameters& p, index_t cycles) {
  task.cycles = cycles > 0 ? cycles : task.cycles;
  task.where.ring = p.get("ring", task.where.ring), task.where.forcing = p.get("forcing", task.where.forcing);
  task.net.every = p.get("every", task.net.every), task.net.error = p.get("error", task.net.error), task.net.sites = p.get("sites", task.net.sites), task.net.through = p.get("operator", task.net.through);
  task.start = p.get("start", task.start), task.settling = p.get("settling", task.settling), task.shocks = p.get("shocks", int(task.shocks)) != 0;
  task.where.length = p.get("length", task.where.length);
  sda::require(task.start == "beside" || task.start == "climate" || task.start == "normal", task.name, ": start=", task.start, ": beside, climate or normal");
  sda::require(task.where.length % task.net.every == 0, task.name, ": windows of ", task.where.length, " steps, observed every ", task.net.every);
  p.all_taken();
  index_t const steps = task.cycles * task.net.every;
  task.where.windows = (steps + task.where.length - 1) / task.where.length;
  return task;
}

// --- records ---

/// Most memory this process held since it was last asked, in MB; NaN where the system does not tell.
double peak_memory() {
  double kilobytes = no_number;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) kilobytes = std::stod(line.substr(6));
  std::ofstream("/proc/self/clear_refs") << 5;
  return kilobytes / 1024;
}

nlohmann::ordered_json record(benchmark_task const& task, parameters const& of_task, benchmark_method const& method, parameters const& of_method,
                              benchmark_outcome const& o, double memory) {
  int threads = 1;
#if defined(_OPENMP)
  threads = omp_get_max_threads();
#endif
  known_score const known = of_task.untouched() && of_method.untouched() ? expected_score(task.name, method.name) : known_score{};
  return {{"task", task.name}, {"task_parameters", of_task.taken()}, {"method", method.name}, {"parameters", of_method.taken()}, {"seed", task.where.seed},
          {"cycles", task.cycles}, {"rmse_analysis", o.rmse_analysis}, {"rmse_smoothed", o.rmse_smoothed}, {"rmse_by_position", o.rmse_by_position},
          {"crps", o.crps}, {"spread", o.spread}, {"spread_skill", o.spread_skill}, {"rank_chi2", o.rank_chi2}, {"diverged", o.diverged},
          {"rmse_parameter", o.rmse_parameter}, {"spread_parameter", o.spread_parameter}, {"model_evaluations", o.spent.model},
          {"network_evaluations", o.spent.network}, {"network_vjps", o.spent.vjps}, {"seconds_per_analysis", o.seconds},
          {"seconds_per_forecast", o.seconds_model}, {"peak_memory_mb", memory}, {"threads", threads}, {"expected", known.here},
          {"published", known.published}};
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

constexpr std::array columns_shown{std::pair{"rmse_analysis", "rmse analysis"}, std::pair{"rmse_smoothed", "rmse smoothed"}, std::pair{"crps", "crps"},
                                   std::pair{"spread_skill", "spread/skill"}, std::pair{"rank_chi2", "rank chi2"}, std::pair{"diverged", "diverged"}};

void print_head(benchmark_task const& task, int seeds) {
  std::printf("%s: %s; %lld analyses, %d seeds, members start %s\n%-14s", task.name.c_str(), task.about.c_str(), static_cast<long long>(task.cycles), seeds,
              task.start.c_str(), "method");
  for (auto const& [name, title] : columns_shown) std::printf("%17s", title);
  std::printf("%13s%9s%10s%10s\n", "ms/analysis", "MB", "expected", "published");
}
void print_row(std::string const& method, std::vector<nlohmann::ordered_json> const& records) {
  auto const of = [&](char const* name) {
    std::vector<double> values;
    for (auto const& r : records) values.push_back(r[name].get<double>());
    return values;
  };
  std::printf("%-14s", method.c_str());
  for (auto const& [name, title] : columns_shown) {
    std::string const text = averaged(of(name));
    int const shown_width = int(text.size()) - (text.find("±") != text.npos ? 1 : 0);   // ± takes two bytes
    std::printf("%*s%s", 17 - shown_width, "", text.c_str());
  }
  auto const shown = [&](char const* name) { return averaged({records[0][name].get<double>()}); };
  auto const seconds = of("seconds_per_analysis"), memory = of("peak_memory_mb");
  std::printf("%13.3f%9.0f%10s%10s\n", 1e3 * *std::min_element(seconds.begin(), seconds.end()), *std::max_element(memory.begin(), memory.end()),
              shown("expected").c_str(), shown("published").c_str());
  auto const forcing = of("rmse_parameter"), spread = of("spread_parameter");
  if (!std::isnan(forcing[0])) std::printf("%-14s  forcing: rmse %s, spread %s\n", "", averaged(forcing).c_str(), averaged(spread).c_str());
  std::fflush(stdout);
}

// --- help ---

template <class Named> Named const& named(std::vector<Named> const& all, std::string const& name, char const* what) {
  std::string known;
  for (Named const& n : all) {
    if (n.name == name) return n;
    known += " " + n.name;
  }
  throw sda::error(sda::detail::text("there is no ", what, " ", name, "; there are:", known));
}
void help_tasks() {
  for (benchmark_task const& t : benchmark_tasks()) {
    parameters p{{t.name, {}}};
    configured(t, p, 0);
    std::printf("%s: %s\n    %lld analyses; %s\n", t.name.c_str(), t.about.c_str(), static_cast<long long>(t.cycles), p.text().c_str());
  }
}
/// Methods with the parameters that are tuned for a task, and what they score there.
void help_methods(benchmark_task const& task, smoother_settings const& how) {
  std::printf("with their parameters for the task %s, and the analysis rmse that is expected [and published]:\n", task.name.c_str());
  for (benchmark_method const& m : benchmark_methods()) {
    parameters p{{m.name, {}}};
    m.configure(p, task, how);
    known_score const known = expected_score(task.name, m.name);
    std::printf("%-12s %s", m.name.c_str(), m.about.c_str());
    if (!std::isnan(known.here)) std::printf("; %.3f", known.here);
    if (!std::isnan(known.published)) std::printf(" [%.3f]", known.published);
    std::printf("\n%-12s   %s\n", "", p.taken().empty() ? "no parameters" : p.text().c_str());
  }
}

void write(nlohmann::ordered_json const& records, std::string const& path) {
  std::string const temporary = path + ".tmp";
  std::ofstream(temporary) << records.dump(2) << '\n';
  std::error_code failure;
  std::filesystem::rename(temporary, path, failure);
  sda::require(!failure, "cannot write ", path, ": ", failure.message());
}

}  // namespace

std::vector<benchmark_task> const& benchmark_tasks() {
  static world const standard{.length = 50};
  static std::vector<benchmark_task> const all{
      {"sakov2008", "every site, every 0.05, error 1 (Sakov & Oke, 2008)", standard, {}, 1000},
      {"half", "every 2nd site, every 0.05, error 1", standard, {.sites = "every:2"}, 3000},
      {"quarter", "every 4th site, every 0.05, error 1", standard, {.sites = "every:4"}, 3000},
      {"bocquet2010_m40", "every 2nd site, every 0.05, error 1.5 (Bocquet, 2010)", standard, {.sites = "every:2", .error = 1.5}, 1300},
      {"spantini2019", "every 2nd site, every 0.4, error √0.5 (Spantini et al., 2019); states 0.05 apart", {.length = 48},
       {.sites = "every:2", .every = 8, .error = std::sqrt(0.5)}, 2000},
      {"ensf", "arctan of every one of 100 sites, every 0.1, error 0.05 (Bao et al., 2023)", {.ring = 100, .step = 0.1, .length = 50},
       {.through = "arctan", .error = 0.05}, 150, 5, "normal"},
      {"arctan", "arctan of every 2nd site, every 0.05, error 0.05", standard, {.sites = "every:2", .through = "arctan", .error = 0.05}, 1000, 20, "climate"},
      {.name = "parameter", .about = "every site, every 0.05, error 1, and the model's forcing of 8 unknown", .where = standard, .net = {}, .cycles = 1000,
       .unknown_forcing = true}};
  return all;
}

std::vector<benchmark_method> const& benchmark_methods() {
  static std::vector<benchmark_method> const all = [] {
    std::vector<benchmark_method> methods{
      {"climatology", "the climate's mean and spread, whatever is seen", climatology_alone},
      {"oi", "optimal interpolation of the observations of one time", interpolation<rests_on::that_step>},
      {"oi-window", "optimal interpolation of all observations of a window: the Gaussian smoother", interpolation<rests_on::whole_window>},
      {"score", "the score smoother", score_smoother<0>},
      {"finished", "the score smoother, its samples finished by the model itself", score_smoother<8>}};
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
  if (asks(c.tasks)) return help_tasks();
  sda::require(c.seeds > 0, "--seeds ", c.seeds);
  sda::require(c.cycles >= 0, "--cycles ", c.cycles);
  if (!c.plot.empty()) sda::require(!c.json.empty(), "--plot draws what --json holds: give both");
  nlohmann::ordered_json records = nlohmann::ordered_json::array();
  for (request const& asked_task : requests(c.tasks)) {
    parameters of_task(asked_task);
    benchmark_task task = configured(named(benchmark_tasks(), asked_task.name, "task"), of_task, c.cycles);
    if (asks(c.methods)) return help_methods(task, c.how);
    print_head(task, c.seeds);
    for (request const& asked : requests(c.methods)) {
      benchmark_method const& method = named(benchmark_methods(), asked.name, "method");
      parameters of_method(asked);
      estimator const estimate = method.configure(of_method, task, c.how);
      of_method.all_taken();
      std::vector<nlohmann::ordered_json> rows;
      for (int i = 0; i < c.seeds; ++i) {
        task.where.seed = c.first_seed + std::uint64_t(i);
        scene const s = scene_of(task);
        peak_memory();
        benchmark_outcome const o = estimate(s, sda::key{task.where.seed}.fold(2));
        rows.push_back(record(task, of_task, method, of_method, o, peak_memory()));
        records.push_back(rows.back());
        if (!c.json.empty()) write(records, c.json);   // what an interruption leaves
      }
      print_row(method.name, rows);
    }
  }
  if (!c.plot.empty()) draw_picture(LORENZ96_BENCHMARK_PLOT, {c.json, c.plot});
}

}  // namespace lorenz96
