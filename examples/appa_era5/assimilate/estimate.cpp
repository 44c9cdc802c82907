// SPDX-License-Identifier: Apache-2.0
#include "assimilate/estimate.hpp"

#include "assimilate/guidance.hpp"

#include <sda/calculus/schedule.hpp>
#include <sda/core/progress.hpp>
#include <sda/trajectory/alternating.hpp>
#include <sda/trajectory/window_plan.hpp>

#include <chrono>
#include <cmath>
#include <thread>

namespace appa {

namespace {

// What a guided evaluation of a window costs beside one denoised window and one decoded state.
struct guidance_cost {
  index_t denoised = 0, denoiser_vjps = 0, decoded = 0, decoder_vjps = 0, decoder_jvps = 0;
  index_t vectors = 0;  // of a solver, as long as there are observations
  index_t again = 0;    // products of a solver with what it begins at, but for the first evaluation
};
guidance_cost cost_of(guidance_options const& o) {
  index_t const n = o.solver == "bicgstab" ? 2 * o.iterations : o.iterations, basis = o.solver == "gmres" ? o.iterations : 4;
  auto const& g = o.name;
  if (g == "none" || g == "diffda") return {};
  index_t const again = o.warm;
  if (g == "mmps") return {0, n + 1, 0, n + 1, n, o.solve_in == "observations" ? basis + 3 + again : 1 + again, again};
  if (g == "sda" || g == "dps") return {0, 1, 0, 1, 0, 1};
  if (g == "w2c") return {0, 0, 0, 1, 0, 1};
  if (g == "pigdm") return {0, 1, 0, n + 1, n, basis + 3 + again, again};
  if (g == "tmpd") return {0, 2, 0, n + 1, n, basis + 3 + again, again};
  if (g == "jfps" || g == "diffpir") return {0, 0, 0, n + 1, n, o.solve_in == "observations" ? basis + 3 + again : 1 + again, again};
  if (g == "daps") return {4, 0, 0, o.iterations + 1, o.iterations, 6};
  index_t const inner = o.optimiser == "gauss_newton" ? 10 : o.optimiser == "gradient_descent" ? 1 : 0;  // products with the Hessian
  return {0, 0, o.iterations, o.iterations * (1 + inner), o.iterations * inner, 3};
}

// Evaluations of a run of the sampler, of windows that are drawn together.
index_t evaluations_of(sampler_options const& o) {
  auto const levels = levels_of(o, sda::rectified{});
  index_t steps = 0;
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) steps += levels[i + 1].sigma < levels[i].sigma;
  if (o.name == "pc") return steps * (1 + o.corrections);
  if (o.name == "heun") return 2 * steps;
  bool const starts_up = o.name == "adams_bashforth" || o.name == "velocity" || o.name.find("exponential") == 0 || o.name == "rotation";
  return steps + (starts_up ? o.order == 4 ? 5 : o.order - 1 : 0);
}

// Windows with the states of each that are seen: first state, and which of its states count.
struct seen_window {
  index_t first;
  std::vector<index_t> states;  // of the trajectory, not held
};
std::vector<seen_window> windows_of(planned_run const& run) {
  std::vector<seen_window> out;
  index_t const size = run.net->length();
  auto const add = [&](index_t first, index_t length, auto const& counts) {
    seen_window w{first, {}};
    for (index_t s = first; s < first + length; ++s)
      if (counts(s)) w.states.push_back(s);
    out.push_back(std::move(w));
  };
  if (run.how.windows.join == "alternating") {
    index_t const held = run.how.windows.held < 0 ? std::max<index_t>(1, size / 4) : run.how.windows.held;
    sda::alternating_plan const plan{std::max(run.states, size), size, held};
    auto const drawn = [&](auto const& windows) {
      for (auto const& w : windows) add(w.first, size, [&](index_t s) { return !w.holds(s); });
    };
    for (index_t p = 1; p <= run.how.windows.passes; ++p) drawn(plan.pass(p));
    if (run.how.windows.start == "forward") return drawn(plan.forward()), out;
  }
  index_t const stride = size - (run.how.windows.overlap < 0 ? size / 2 : run.how.windows.overlap);
  index_t const steps = sda::window_plan::tiling_steps(run.states, size, stride), n = (steps - size) / stride + 1;
  for (index_t w = 0; w < n; ++w) add(w * stride, size, [](index_t) { return true; });
  return out;
}

}  // namespace

estimate estimate_of(planned_run const& run) {
  index_t const size = run.net->length();
  check(run.how, size);
  auto const windows = windows_of(run);
  auto const each = cost_of(run.how.guidance);
  bool const looks = std::any_of(run.observations.begin(), run.observations.end(), [](index_t n) { return n > 0; });
  index_t const particles = looks ? run.how.guidance.particles : 1;
  index_t const runs = particles > 1 ? particles * (run.how.sampler.steps + 1) : evaluations_of(run.how.sampler),
                numbers = run.space->latents() * run.space->where().cells();
  auto const count = [&](index_t s) { return s < std::ssize(run.observations) ? run.observations[std::size_t(s)] : 0; };
  auto const share = [&](index_t s) { return s < std::ssize(run.shares) ? run.shares[std::size_t(s)] : 1.0; };
  bool const guided = run.how.guidance.name != "none" && run.how.guidance.name != "diffda", around = run.how.guidance.around == "trajectory";

  bool const anything = !run.known.empty() || looks, gaussian = run.how.guidance.covariance == "gaussian";
  index_t const again = (runs - 1) * each.again;
  double spreads = 0;
  estimate e;
  e.windows = std::ssize(windows);
  double weighted_states = 0, largest = 0;   // states decoded, by operations
  double most = 0, of_windows = 0, all = 0;  // observations of a window; of all of them, together; of the trajectory
  for (auto const& w : windows) {
    double seen = 0;
    for (auto const s : w.states) {
      bool const first_time = !around || &w == &windows.front() || s >= windows[std::size_t(&w - windows.data()) - 1].first + size;
      if (!guided || count(s) == 0 || !first_time) continue;
      seen += double(count(s)), weighted_states += share(s), largest = std::max(largest, share(s));
      e.decoded += runs * (1 + each.decoded), e.decoder_vjps += runs * each.decoder_vjps + again, e.decoder_jvps += runs * each.decoder_jvps + again;
    }
    for (auto const s : run.known) seen += w.first <= s && s < w.first + size ? double(numbers) : 0;
    e.denoised += runs * (1 + each.denoised + (particles > 1 && guided ? 1 : 0));  // particles are denoised without guidance, too
    index_t const products = seen > 0 || (around && anything) ? runs * each.denoiser_vjps + (run.how.guidance.name == "mmps" ? again : 0) : 0;
    if (gaussian) spreads += double(products);
    else e.denoiser_vjps += products;
    most = around ? most + seen : std::max(most, seen), of_windows += seen;
  }
  for (index_t s = 0; s < run.states; ++s) {
    all += double(count(s));
    if (particles > 1 && count(s) > 0) e.decoded += runs, weighted_states += share(s), largest = std::max(largest, share(s));  // to weigh them
  }

  auto const net = run.net->denoising(), space = run.space->decoding();
  auto const back = [](toll const& t) {
    return t.maps * (t.again ? 2 : 1) + t.attention * (t.again ? 4 : 3);
  };  // attention's tiles are made again in any case
  double const states = weighted_states * double(runs), once = space.maps + space.attention;
  e.operations = double(e.denoised) * (net.maps + net.attention) + double(e.denoiser_vjps) * back(net);
  e.operations += states * (once * double(1 + each.decoded + each.decoder_vjps + 2 * each.decoder_jvps + 3 * each.again) +
                            back(space) * double(each.decoder_vjps + each.again));
  if (spreads > 0) e.operations += spreads * gaussian_beneath(*run.net).spreading();
  e.whole_states = run.space->where().on_sphere() && e.decoded > 0;

  index_t const mine = (e.windows + run.ranks - 1) / run.ranks;
  e.weights = run.bytes * double(numbers_in(*run.space) + numbers_in(*run.net));
  e.denoiser = run.bytes * net.kept * (around ? double(mine) : 1);
  e.decoder = all > 0 && (guided || particles > 1) ? run.bytes * space.kept * largest + run.how.memory * 1e9 : 0;
  // What is predicted, the innovation, a direction and a product; values and variances as each window has them (alternating ones in turn)
  // and as each state has them, with 8 bytes that say where an observation lies
  double const part = double(mine) / double(e.windows);
  double const held = around || run.how.windows.join == "alternating" ? most : of_windows * part;
  e.vectors = run.bytes * most * double(4 + each.vectors) + 2 * run.bytes * held +
              (2 * run.bytes + 8) * (around ? all : std::min(all, of_windows * part)) +
              12 * run.bytes * double(run.states * numbers) * double(particles);
  return e;
}

double estimate::seconds(double rate, crew const& all) const {
  if (all.shares_windows()) {
    double const every = double(std::max<index_t>(windows, 1));
    return double(all.members) * operations / rate * std::ceil(every / double(all.ranks)) / every;
  }
  return std::ceil(double(all.each()) / double(all.at_once())) * double(all.at_once()) * operations / rate;
}

std::string text(estimate const& e, double rate, crew const& all) {
  auto const number = [](double x, char const* format) {
    char out[64];
    std::snprintf(out, sizeof out, format, x);
    return std::string(out);
  };
  auto const gigabytes = [&](double bytes) { return number(bytes * 1e-9, "%.1f GB"); };
  auto const counted = [](index_t n, std::string const& what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); };
  return "a member: " + std::to_string(e.windows) + (e.windows == 1 ? " window, " : " windows, ") + std::to_string(e.denoised) +
         " evaluations of the denoiser, " + std::to_string(e.denoiser_vjps) + " products back through it; " + std::to_string(e.decoded) +
         (e.whole_states ? " decoded states (whole ones: a graph has no tiles), " : " decoded states, ") + std::to_string(e.decoder_vjps) +
         " products back and " + std::to_string(e.decoder_jvps) + " forward; " + number(e.operations * 1e-12, "%.3g TFLOP") +
         "\nmemory of a rank: " + gigabytes(e.memory(all.at_once())) + " (weights " + gigabytes(e.weights) + "; " + counted(all.at_once(), "member") +
         " at a time, each: denoiser " + gigabytes(e.denoiser) + ", decoder " + gigabytes(e.decoder) + ", observations with a solver's vectors " +
         gigabytes(e.vectors) + "; on the host: observations as they are read " + gigabytes(e.host(all.at_once()) - e.residuals) +
         (e.residuals > 0 ? ", residuals " + gigabytes(e.residuals) : "") + ")\ntime: " + sda::progress::duration(e.seconds(rate, all)) + " for " +
         counted(all.members, "member") + " on " + counted(all.ranks, "rank") + (all.shares_windows() ? ", which share windows" : "") + ", at " +
         number(rate * 1e-9, "%.3g GFLOP/s") + " each\n";
}

double product_rate(at::Device device, index_t threads, index_t n) {
  auto const a = at::ones({n, n}, device);
  index_t const times = 4;
  auto const products = [&] {
    torch::NoGradGuard const off;
    auto c = at::mm(a, a);
    for (index_t i = 1; i < times; ++i) at::mm_out(c, a, a);
    (void)c[0][0].item<float>();  // there when the device is done
  };
  double best = 0;
  for (int i = 0; i < 3; ++i) {
    auto const begin = std::chrono::steady_clock::now();
    std::vector<std::thread> others;
    for (index_t t = 1; t < threads; ++t) others.emplace_back(products);
    products();
    for (auto& each : others) each.join();
    double const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    best = std::max(best, 2 * double(times * threads * n * n * n) / seconds);
  }
  return best;
}

}  // namespace appa
