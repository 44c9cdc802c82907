// SPDX-License-Identifier: Apache-2.0
#include "golden_torch.hpp"

#include <scripted.hpp>
#include <sda/calculus/schedule.hpp>
#include <sda/guidance/likelihood.hpp>
#include <sda/guidance/mmps.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/linear.hpp>
#include <sda/observation/masked.hpp>
#include <sda/observation/steps.hpp>
#include <sda/sampler/corrector.hpp>
#include <sda/sampler/multistep.hpp>
#include <sda/sampler/observe.hpp>
#include <sda/sampler/sample.hpp>
#include <sda/sampler/stochastic.hpp>
#include <sda/trajectory/window.hpp>

#include "network/cae.hpp"
#include "network/latent_prior.hpp"
#include "network/latent_space.hpp"
#include "network/vidit.hpp"

using namespace sda_test;
using array = sda::host_array<double>;
using appa::cae;
using appa::latent_prior;
using appa::vidit;

namespace {

latent_prior<vidit> prior_of(golden const& file, std::string const& prefix = "weights/") {
  auto options = file.config["backbone"].get<appa::vidit_options>();
  file.config["latent_shape"].get_to(options.state);
  auto const net = std::make_shared<vidit>(options);
  load_weights(*net, file, at::kDouble, prefix);
  return {net, at::kCPU, at::kDouble};
}

void compare(golden const& file, std::string const& name, array const& found) {
  INFO(file.path().filename().string() << ", " << name);
  CHECK(distance(found, file.array("outputs/" + name)) <= file.tolerance());
}

/// What is seen through the columns `at` of states of `width` numbers, with the variances that go with them.
auto seen_in(golden const& file, std::string const& at, std::string const& y, std::string const& variances, index_t width) {
  auto const columns = file[at].as<std::int64_t>();
  array const values = file.array(y).reshaped<Eigen::RowMajor>(1, index_t(columns.size()));  // there may be none
  auto const variance = file[variances].as<double>();
  array each = array::Constant(1, values.cols(), variance.empty() ? 1 : variance.front());
  if (variance.size() > 1) std::copy(variance.begin(), variance.end(), each.data());
  return sda::observation{sda::masked(values, columns, width), values, sda::diagonal_error(each)};
}

// --- guidance ---------------------------------------------------------------------------------------------------------

/// MMPS that weighs innovations as if the prior's covariance were sigma^2 / (1 + sigma^2), and yet goes back through its Jacobian.
template <class D, class O> struct isotropic_mmps {
  D denoiser;
  O seen;
  sda::gmres solve;

  array operator()(array const& x, sda::level l) const { return sda::guided(*this, x, l); }
  auto gain(auto const& prior, auto const& sight, sda::level l) const {
    return sda::kalman_gain{sight, sda::tweedie{}.at(prior, l), sda::innovation_weight{solve, seen.error, sight, sda::unit_prior{}.at(prior, l)}};
  }
};
template <class D, class O> isotropic_mmps(D, O, sda::gmres) -> isotropic_mmps<D, O>;

/// One operator's stored means by every kind of guidance, at every level.
template <class D, class O> void compare_guidance(golden const& file, std::string const& name, D const& prior, O const& seen) {
  auto const sigma = file["inputs/sigma"].as<double>();
  double const gamma = file.number("inputs/gamma");
  for (std::size_t k = 0; k < sigma.size(); ++k) {
    auto const number = std::to_string(k);
    sda::level const l{1, sigma[k]};
    array const x = file.array("inputs/x") + sigma[k] * file.array("inputs/noise");
    compare(file, name + "/y_hat_" + number, seen.op(prior(x, l)));
    for (int const n : file.config["mmps_iters"]) {
      auto const end = "_" + number + "_it" + std::to_string(n);
      compare(file, name + "/posterior" + end, sda::mmps{prior, seen, sda::gmres{n}}(x, l));
      if (file.contains("outputs/" + name + "/isotropic_posterior" + end))
        compare(file, name + "/isotropic_posterior" + end, isotropic_mmps{prior, seen, sda::gmres{n}}(x, l));
    }
    compare(file, name + "/sda_" + number, sda::gamma_likelihood{prior, seen, gamma, sda::tweedie{}, sda::unit_prior{}}(x, l));
    compare(file, name + "/w2c_" + number, sda::gamma_likelihood{prior, seen, gamma, sda::unit_prior{}, sda::unit_prior{}}(x, l));
  }
}

/// The columns of a decoded state, pixels of all variables, that stations and then the satellite see at a step.
std::vector<std::int64_t> seen_columns(golden const& file, index_t step, index_t variables) {
  std::vector<std::int64_t> out;
  auto const add = [&](std::string const& mask, std::string const& which) {
    auto const chosen = file["inputs/" + which].as<std::int64_t>();
    for (auto const pixel : file["inputs/" + mask].as<std::int64_t>())
      for (index_t v = 0; v < index_t(chosen.size()); ++v)
        if (chosen[std::size_t(v)]) out.push_back(pixel * variables + v);
  };
  add("stations_mask", "stations_variables");
  add("satellite_mask_" + std::to_string(step), "satellite_variables");
  return out;
}

auto through_decoder(golden const& file) {
  auto const net = std::make_shared<cae>(file.config["ae"].get<appa::cae_options>());
  load_weights(*net, file, at::kDouble, "weights/ae/");
  appa::latent_space<cae> const space{net, at::kCPU, at::kDouble, stored(file, "inputs/latent_mean"), stored(file, "inputs/latent_std")};
  index_t const pixels = net->options.shape[0] * net->options.shape[1], variables = net->channels();
  auto const observed = file.config["observed_steps"].get<std::array<index_t, 2>>();
  using at_a_step = sda::composed<sda::masked<array>, decltype(space.decoder())>;
  std::vector<at_a_step> all;
  for (index_t t = observed[0]; t < observed[1]; ++t)
    all.push_back({sda::masked(array(1, 1), seen_columns(file, t, variables), pixels * variables), space.decoder()});
  return sda::steps(all, net->latents() * net->cells()[0] * net->cells()[1]);
}

}  // namespace

TEST_CASE("golden: guidance of the transformer's prior by a mask, a matrix, and a mask after the decoder") {
  auto const files = golden_files("mmps_");
  if (files.empty()) SDA_SKIP("no mmps_* reference values");
  for (auto const& path : files) {
    golden const file(path);
    auto const prior = prior_of(file, "weights/denoiser/").at(stored(file, "inputs/date"));
    auto const sigma = file["inputs/sigma"].as<double>();
    for (std::size_t k = 0; k < sigma.size(); ++k) {
      array const x = file.array("inputs/x") + sigma[k] * file.array("inputs/noise");
      auto const at_x = sda::linearize(prior, x, sda::level{1, sigma[k]});
      compare(file, "x_hat_" + std::to_string(k), at_x.value());
      compare(file, "tweedie_covariance_times_probe_" + std::to_string(k), array(sigma[k] * sigma[k] * at_x.vjp(file.array("inputs/probe_latent"))));
    }
    auto const width = file.array("inputs/x").cols();
    compare_guidance(file, "mask", prior, seen_in(file, "inputs/mask_indices", "inputs/y_mask", "inputs/var_y_mask", width));
    array const dense = file.array("inputs/dense_operator"), y = file.array("inputs/y_decoder");
    compare_guidance(file, "dense", prior,
                     sda::observation{sda::linear(dense), file.array("inputs/y_dense"), sda::scalar_error(file.number("inputs/var_y_dense"))});
    compare_guidance(file, "decoder", prior, sda::observation{through_decoder(file), y, sda::diagonal_error(file.array("inputs/var_y_decoder"))});
  }
}

// --- samplers ---------------------------------------------------------------------------------------------------------

namespace {

std::vector<sda::level> grid(golden const& file, std::string const& schedule, index_t steps) {
  double const low = file.config["train"]["sigma_min"], high = file.config["train"]["sigma_max"];
  if (schedule == "rectified") return sda::uniform_grid(sda::rectified{low, high}, steps);
  if (schedule == "loglinear") return sda::uniform_grid(sda::log_linear{low, high}, steps);
  return sda::uniform_grid(sda::log_logit{low, high}, steps);
}

/// Every state of a run of one row against the stored one of its step.
void compare_run(golden const& file, std::string const& name, auto const& sampler, auto const& d, std::vector<sda::level> const& levels,
                 std::string const& noise_name) {
  array const expected = file.array("outputs/vit/" + name), first = file.array("inputs/vit_noise1"), noise = file.array("inputs/" + noise_name);
  REQUIRE(expected.rows() == index_t(levels.size()));
  scripted const start(first * levels[0].sigma, [noise](array& xi, index_t n) { xi = noise.row(n); });
  sda::recorder<scripted> seen;
  sda::sample_from(sampler, through{d}, levels, start, sda::key{}, seen);
  for (index_t i = 0; i < index_t(levels.size()); ++i) {
    INFO(name << ", step " << i);
    CHECK(distance(seen.states[std::size_t(i)].x, expected.row(i)) <= file.tolerance());
  }
}

}  // namespace

TEST_CASE("golden: every state of the samplers' runs with the transformer's prior, one of them guided") {
  auto const files = golden_files("samplers_");
  if (files.empty()) SDA_SKIP("no samplers_* reference values");
  for (auto const& path : files) {
    golden const file(path);
    auto const d = prior_of(file).at(stored(file, "inputs/date"));
    index_t const steps = file.config["vit_steps"];
    for (std::string const schedule : {"rectified", "loglinear", "loglogit"}) {
      compare_run(file, "ddim_" + schedule, sda::ddim{}, d, grid(file, schedule, steps), "vit_ddpm_noise");
      compare_run(file, "lms3_" + schedule, sda::lms<3>, d, grid(file, schedule, steps), "vit_ddpm_noise");
    }
    auto const corrected = [&](std::string const& option) {
      auto const& o = file.config[option];
      return sda::pc{sda::ddim{}, sda::langevin{o["delta"]}, o["corrections"].get<int>()};
    };
    compare_run(file, "ddpm_rectified", sda::ddpm, d, grid(file, "rectified", steps), "vit_ddpm_noise");
    compare_run(file, "pc_rectified", corrected("vit_pc"), d, grid(file, "rectified", file.config["vit_pc"]["steps"]), "vit_pc_noise");
    auto const seen = seen_in(file, "inputs/guided_indices", "inputs/guided_y", "inputs/guided_var_y", file.array("inputs/vit_noise1").cols());
    sda::mmps const guided{d, seen, sda::gmres{file.config["guided_pc"]["mmps_iters"].get<int>()}};
    compare_run(file, "guided_pc_rectified", corrected("guided_pc"), guided, grid(file, "rectified", file.config["guided_pc"]["steps"]),
                "guided_pc_noise");
  }
}

// --- trajectories -----------------------------------------------------------------------------------------------------

TEST_CASE("golden: windows with dates of their own joined to trajectories, with and without observations of their own") {
  auto const files = golden_files("trajectory_");
  if (files.empty()) SDA_SKIP("no trajectory_* reference values");
  std::map<std::string, sda::window_mode> const modes{
      {"symmetrical", sda::window_mode::symmetric}, {"causal", sda::window_mode::causal}, {"average", sda::window_mode::average}};
  for (auto const& path : files) {
    golden const file(path);
    auto const prior = prior_of(file);
    auto const dates = stored(file, "inputs/date");
    auto const sigma = file["inputs/sigma"].as<double>();
    auto const shape = file.config["latent_shape"].get<std::array<index_t, 3>>();
    index_t const width = shape[0] * shape[1] * shape[2], size = file.config["train"]["blanket_size"];
    auto const run = [&](std::string const& name, sda::window_plan const& plan, index_t trajectories, auto const& of) {
      for (std::size_t k = 0; k < sigma.size(); ++k) {
        array const x = (file.array("inputs/x") + sigma[k] * file.array("inputs/noise")).topLeftCorner(trajectories, plan.steps * width);
        compare(file, name + "_" + std::to_string(k), sda::windowed{plan, of}(x, sda::level{1, sigma[k]}));
      }
    };
    for (auto const& [mode, how] : modes) {
      for (auto const& c : file.config["combinations"]) {
        sda::window_plan const plan{c["length"], width, size, c["stride"], how};
        auto const name = "S" + std::to_string(plan.stride) + "_T" + std::to_string(plan.steps) + "/" + mode;
        run(name, plan, 2, [&](index_t w) { return prior.at(dates.narrow(1, w * plan.stride, size)); });
      }
      auto const& c = file.config["guided"];
      sda::window_plan const plan{c["length"], width, size, c["stride"], how};
      run("guided/" + mode, plan, 1, [&](index_t w) {
        auto const end = "_" + std::to_string(w);
        auto const seen = seen_in(file, "inputs/guided_indices" + end, "inputs/guided_y" + end, "inputs/guided_var_y" + end, size * width);
        return sda::mmps{prior.at(dates.narrow(0, 0, 1).narrow(1, w * plan.stride, size)), seen, sda::gmres{c["mmps_iters"].get<int>()}};
      });
    }
  }
}
