// SPDX-License-Identifier: Apache-2.0
#include <golden.hpp>
#include <scripted.hpp>
#include <sda_test.hpp>

#include <map>
#include <sda/calculus/schedule.hpp>
#include <sda/prior/gaussian_full.hpp>
#include <sda/prior/mixture.hpp>
#include <sda/sampler/corrector.hpp>
#include <sda/sampler/heun.hpp>
#include <sda/sampler/multistep.hpp>
#include <sda/sampler/observe.hpp>
#include <sda/sampler/rewind.hpp>
#include <sda/sampler/sample.hpp>
#include <sda/sampler/stochastic.hpp>

using namespace sda;
using sda_test::golden;
using sda_test::scripted;
using array = host_array<double>;

namespace {

// Stored noise: the n-th draw is rows [n r, (n + 1) r) of a tensor whose first index counts draws.
scripted from_stored(array const& start, array const& stored) {
  index_t const r = start.rows();
  return {start, [r, stored](array& xi, index_t n) {
            require((n + 1) * r <= stored.rows(), "draw ", n, " of ", stored.rows() / r);
            xi = stored.middleRows(n * r, r);
          }};
}

auto full_gaussian(golden const& file, std::string const& mean, std::string const& covariance) {
  return gaussian_full(file.array(mean), file.array(covariance).matrix());
}

// --- the samplers of Appa -------------------------------------------------------------------------------------------

std::vector<level> appa_grid(golden const& file, std::string const& schedule, index_t steps) {
  double const low = file.config["train"]["sigma_min"], high = file.config["train"]["sigma_max"];
  if (schedule == "rectified") return uniform_grid(rectified{low, high}, steps);
  if (schedule == "loglinear") return uniform_grid(log_linear{low, high}, steps);
  require(schedule == "loglogit", "an unknown schedule, ", schedule);
  return uniform_grid(log_logit{low, high}, steps);
}

// Every state of a run against the stored one of its step.
void compare_run(golden const& file, std::string const& name, auto const& sampler, std::vector<level> const& levels, std::string const& noise_name) {
  auto const d = full_gaussian(file, "inputs/gauss_mean", "inputs/gauss_cov");
  array const expected = file.array("outputs/gauss/" + name), first = file.array("inputs/noise1");
  index_t const r = first.rows();
  REQUIRE(expected.rows() == r * index_t(levels.size()));
  recorder<scripted> seen;
  scripted const start = from_stored(first * levels[0].sigma, file.array(noise_name));
  sample_from(sampler, sda_test::through{d}, levels, start, key{}, seen);
  for (index_t i = 0; i < index_t(levels.size()); ++i) {
    INFO(name << ", step " << i);
    CHECK(sda_test::distance(seen.states[std::size_t(i)].x, expected.middleRows(i * r, r)) <= file.tolerance());
  }
}

// --- the samplers of azula ------------------------------------------------------------------------------------------

std::vector<level> azula_grid(golden const& file, std::string const& schedule) {
  auto const& o = file.config["schedules"][schedule];
  index_t const steps = file.config["steps"];
  auto const of = [&](char const* option) { return o.at(option).get<double>(); };
  if (schedule == "ve") return uniform_grid(log_linear{of("sigma_min"), of("sigma_max")}, steps);
  double const alpha = of("alpha_min"), sigma = of("sigma_min");
  if (schedule == "vp") return uniform_grid(vp_exponential{alpha, sigma}, steps);
  if (schedule == "cosine") return uniform_grid(vp_cosine{alpha, sigma, 1}, steps);
  if (schedule == "rectified") return uniform_grid(rectified_flow{alpha, sigma}, steps);
  require(schedule == "decay", "an unknown schedule, ", schedule);
  return uniform_grid(decay{alpha, sigma, of("gamma")}, steps);
}

// The end of one run from the stored start.
template <class D>
void compare_end(golden const& file, std::string const& prior, D const& d, std::string const& schedule, std::string const& method,
                 auto const& sampler, std::string const& noise_name) {
  INFO(prior << ", " << method << ", " << schedule);
  scripted const start = from_stored(file.array("outputs/start/" + schedule), file.array(noise_name));
  scripted const end = sample_from(sampler, sda_test::through{d}, azula_grid(file, schedule), start, key{});
  CHECK(sda_test::distance(end.x, file.array("outputs/" + prior + "/" + method + "_" + schedule)) <= file.tolerance());
}

template <int N, class D> void compare_orders(golden const& file, std::string const& prior, D const& d, std::string const& schedule) {
  if (!file.contains("outputs/" + prior + "/zab" + std::to_string(N) + "_" + schedule)) return;
  auto const run = [&](char const* family, auto const& sampler) {
    compare_end(file, prior, d, schedule, family + std::to_string(N), sampler, "inputs/ddpm_noise");
  };
  run("zab", adams_bashforth<N>{startup::plain});
  run("vab", adams_bashforth_v<N>{startup::plain});
  run("zeab", exponential_eps<N>{startup::plain});
  run("xeab", exponential_x<N>{startup::plain});  // the stored "reab" has a slip: see tests/sampler/multistep.cpp
}

template <class D> void compare_azula(golden const& file, std::string const& prior, D const& d) {
  auto const& c = file.config;
  for (auto const& [schedule, options] : c["schedules"].items()) {
    auto const run = [&](char const* method, auto const& sampler, char const* noise_name = "inputs/ddpm_noise") {
      compare_end(file, prior, d, schedule, method, sampler, noise_name);
    };
    run("ddim", ddim{});
    run("ddim_eta", ddim{c["ddim_eta"]});
    run("ddpm", ddpm);
    run("euler", euler{});
    run("heun", heun{});
    run("ito", ito{c["ito"]["eta"], c["ito"]["temperature"]});
    run("pc", pc{ddim{}, renoising{c["pc"]["delta"]}, c["pc"]["corrections"].get<int>()}, "inputs/pc_noise");
    compare_orders<1>(file, prior, d, schedule);
    compare_orders<2>(file, prior, d, schedule);
    compare_orders<3>(file, prior, d, schedule);
    compare_orders<4>(file, prior, d, schedule);
  }
}

}  // namespace

TEST_CASE("golden: every state of Appa's DDIM, DDPM, LMS and predictor-corrector runs on a Gaussian") {
  auto const files = sda_test::golden_files("samplers_");
  if (files.empty()) SDA_SKIP("no samplers_* reference values");
  for (auto const& path : files) {
    golden const file(path);
    index_t const steps = file.config["steps"];
    auto const& options = file.config["pc"];
    for (std::string const schedule : {"rectified", "loglinear", "loglogit"}) {
      auto const levels = appa_grid(file, schedule, steps);
      compare_run(file, "ddim_" + schedule, ddim{}, levels, "inputs/ddpm_noise");
      compare_run(file, "ddpm_" + schedule, ddpm, levels, "inputs/ddpm_noise");
      compare_run(file, "lms2_" + schedule, lms<2>, levels, "inputs/ddpm_noise");
      compare_run(file, "lms3_" + schedule, lms<3>, levels, "inputs/ddpm_noise");
      pc const correcting_run{ddim{}, langevin{options["delta"]}, options["corrections"].get<int>()};
      compare_run(file, "pc_" + schedule, correcting_run, appa_grid(file, schedule, options["steps"]), "inputs/pc_noise");
    }
  }
}

TEST_CASE("golden: Appa's rewind sampler ends where ours does along a rewinding path") {
  auto const files = sda_test::golden_files("samplers_");
  if (files.empty()) SDA_SKIP("no samplers_* reference values");
  for (auto const& path : files) {
    golden const file(path);
    auto const d = full_gaussian(file, "inputs/gauss_mean", "inputs/gauss_cov");
    index_t const steps = file.config["rewind"]["steps"], ahead = file.config["rewind"]["rewind_after"];
    std::map<std::string, leap> const kinds{{"jump", leap::one_jump}, {"small_steps", leap::small_steps}};
    for (auto const& [kind, how] : kinds)
      for (std::string const schedule : {"rectified", "loglinear", "loglogit"}) {
        std::string const name = "outputs/gauss/rewind_" + kind + "_" + schedule;
        if (!file.contains(name)) continue;
        INFO(name);
        auto const grid = appa_grid(file, schedule, steps);
        scripted const start = from_stored(file.array("inputs/noise1") * grid[0].sigma, file.array("inputs/rewind_noise"));
        scripted const end = sample_from(ddim{}, sda_test::through{d}, rewinding(grid, ahead, how), start, key{});
        CHECK(sda_test::distance(end.x, file.array(name)) <= file.tolerance());
      }
  }
}

TEST_CASE("golden: the coefficients of Adams-Bashforth steps") {
  auto const files = sda_test::golden_files("samplers_");
  if (files.empty()) SDA_SKIP("no samplers_* reference values");
  for (auto const& path : files) {
    golden const file(path);
    std::vector<double> newest_first;
    for (double const sigma : {1.0, 3.0, 6.0, 10.0}) {  // the step 1 -> 0.2 of the grid 10, 6, 3, 1, 0.2, 0.05
      newest_first.push_back(sigma);
      auto const c = multistep_weights<noise_form>(newest_first, 1, 0.2);
      auto const name = "outputs/adams_bashforth_order" + std::to_string(c.size()) + "_step4";
      if (!file.contains(name)) continue;
      array const expected = file.array(name).rowwise().reverse();
      CHECK(sda_test::distance(Eigen::Map<array const>(c.data(), 1, index_t(c.size())), expected) <= 1e-14);
    }
  }
}

TEST_CASE("golden: azula's samplers on a Gaussian") {
  auto const files = sda_test::golden_files("azula_");
  if (files.empty()) SDA_SKIP("no azula_* reference values");
  for (auto const& path : files) {
    golden const file(path);
    compare_azula(file, "gauss", full_gaussian(file, "inputs/gauss_mean", "outputs/gauss_covariance"));
  }
}

TEST_CASE("golden: azula's samplers on a mixture of Gaussians") {
  auto const files = sda_test::golden_files("azula_");
  if (files.empty()) SDA_SKIP("no azula_* reference values");
  for (auto const& path : files) {
    golden const file(path);
    array const means = file.array("inputs/mixture_means");
    auto const numbers = [&](char const* name) { return file["inputs/mixture_" + std::string(name)].as<double>(); };
    std::span<double const> const centres(means.data(), std::size_t(means.size()));
    compare_azula(file, "mixture", isotropic_mixture(means, numbers("weights"), centres, numbers("variances")));
  }
}
