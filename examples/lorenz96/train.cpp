// SPDX-License-Identifier: Apache-2.0
#include "train.hpp"

#include "../training.hpp"
#include "network.hpp"

#include <sda/calculus/ode.hpp>
#include <sda/calculus/schedule.hpp>
#include <sda/eigen.hpp>
#include <sda/model/lorenz96.hpp>
#include <sda/model/simulate.hpp>

namespace lorenz96 {
namespace {

// Standardised runs of the model on the training device, [runs * length, ring]: window w begins at row w.
struct dataset {
  at::Tensor states;
  std::int64_t length;
  double mean, deviation;

  std::int64_t windows_per_run(std::int64_t window) const { return length - window + 1; }
  // The windows that begin at these rows, [n, window, ring].
  at::Tensor windows(at::Tensor const& begin, std::int64_t window) const {
    return states.index({begin.unsqueeze(1) + at::arange(window, begin.options())});
  }
};

// Runs on the attractor, [runs, length, ring].
at::Tensor simulate(train_options const& o, std::int64_t runs, sda::key k) {
  int const inner = std::max(1, int(std::ceil(o.spacing / 0.05 - 1e-9)));  // Runge-Kutta steps of 0.05 at most
  sda::flow const model{sda::lorenz96{o.forcing}, o.spacing / inner, inner};
  sda::host_array<double> x(runs, o.ring);
  sda::lincomb(x, sda::noise{1.0, k});
  x += o.forcing;
  for (double spin_up = 0; spin_up < 20; spin_up += o.spacing) x = model(x);
  auto all = sda::simulate(model, std::move(x), o.length, k);
  return at::from_blob(all.data(), {runs, o.length, o.ring}, at::kDouble).to(at::kFloat);
}

dataset standardised(at::Tensor const& states, double mean, double deviation, at::Device device) {
  auto const flat = ((states - mean) / deviation).reshape({-1, states.size(2)});
  return {flat.to(device), states.size(1), mean, deviation};
}

// Batches and noise are functions of the step's key alone.
at::Tensor draw_windows(dataset const& data, std::int64_t n, std::int64_t window, sda::key k) {
  std::int64_t const runs = data.states.size(0) / data.length, starts = data.windows_per_run(window);
  auto begin = at::empty({n}, at::kLong);
  auto* const at = begin.data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < n; ++i)
    at[i] = std::int64_t(sda::uniform(k, i, 0) * double(runs)) * data.length + std::int64_t(sda::uniform(k, i, 1) * double(starts));
  return data.windows(begin.to(data.states.device()), window);
}

sda::log_logit levels_of(train_options const& o) { return {o.sigma_min, o.sigma_max, o.rho}; }

template <class Weight>
at::Tensor loss_of(window_network& net, examples::denoising_batch const& b, Weight const& weight) {
  return sda::denoising_loss([&](at::Tensor const& x, at::Tensor const& c) { return net.forward(x, c); }, sda::preconditioning{}, weight, b.x0, b.eps, b.levels);
}

// Root mean square errors of x̂ at fixed levels, in units of the level, on windows never trained on.
nlohmann::json validate(window_network& net, dataset const& data, std::uint64_t seed) {
  torch::NoGradGuard const off;
  auto const k = sda::key{seed}.fold(9);
  auto const x0 = draw_windows(data, 256, net.shape.window, k), eps = examples::draw_noise(x0, k.fold(0));
  nlohmann::json out;
  for (double const sigma : {0.01, 0.03, 0.1, 0.3, 1.0, 3.0}) {
    std::vector<sda::level> const levels(std::size_t(x0.size(0)), sda::level{1, sigma});
    auto const error = loss_of(net, {x0, eps, levels}, sda::weight_of_eps{});
    std::ostringstream name;
    name << sigma;
    out[name.str()] = std::sqrt(error.item<double>());
  }
  return out;
}

nlohmann::json configuration(train_options const& o, network_shape const& shape, dataset const& data) {
  return {{"network", shape},
          {"mean", data.mean},
          {"deviation", data.deviation},
          {"spacing", o.spacing},
          {"forcing", o.forcing},
          {"sigma_data", 1.0},
          {"noise_scale", 0.25},
          {"training",
           {{"ring", o.ring},
            {"runs", o.runs},
            {"length", o.length},
            {"steps", o.steps},
            {"batch", o.batch},
            {"warmup", o.warmup},
            {"rate", o.rate},
            {"decay", o.decay},
            {"floor", o.floor},
            {"weight_decay", o.weight_decay},
            {"average", o.average},
            {"clip", o.clip},
            {"sigma_min", o.sigma_min},
            {"sigma_max", o.sigma_max},
            {"rho", o.rho},
            {"workers", o.workers},
            {"seed", o.seed},
            {"device", o.device}}}};
}

void check(train_options const& o) {
  sda::require(o.length >= o.window && o.runs >= 1 && o.ring >= 4, "train: ", o.runs, " runs of ", o.length, " states on a ring of ", o.ring,
               " for windows of ", o.window);
  sda::require(o.workers >= 1 && o.batch >= 1 && o.batch % o.workers == 0, "train: ", o.workers, " workers for a batch of ", o.batch);
  sda::require(o.average >= 0 && o.average < 1 && o.clip > 0, "train: average ", o.average, ", clip ", o.clip);
  sda::require(o.spacing > 0 && o.spacing <= 1, "train: ", o.spacing, " model time units between states");
  sda::require(o.device == "cpu" || o.device == "cuda", "train: no device called ", o.device, "; cpu or cuda");
  sda::require(o.device == "cpu" || torch::cuda::is_available(), "train: this LibTorch finds no CUDA device");
}

}  // namespace

int train(train_options const& o) {
  check(o);
  examples::course const course{o.out, o.resume, o.steps, o.every, o.warmup, o.rate, o.decay, o.floor, o.between_steps};
  course.check();
  at::Device const device(o.device);
  sda::key const k{o.seed};
  auto const runs = simulate(o, o.runs, k.fold(0)), unseen = simulate(o, 16, k.fold(1));
  double const mean = runs.mean(at::kDouble).item<double>(), deviation = runs.std().item<double>();
  auto const data = standardised(runs, mean, deviation, device), held_out = standardised(unseen, mean, deviation, device);

  torch::manual_seed(o.seed);
  network_shape const shape{o.window, o.hidden, o.blocks, o.kernel, o.embedding};
  std::vector<std::unique_ptr<window_network>> nets;
  std::vector<torch::nn::Module*> modules;
  for (int i = 0; i < o.workers; ++i) {
    modules.push_back(nets.emplace_back(std::make_unique<window_network>(shape)).get());
    modules.back()->to(device);
  }
  sda::trainer run(modules, o.average);
  run.optimiser.weight_decay = o.weight_decay, run.clip = o.clip;
  auto const config = configuration(o, shape, data);
  examples::train(
      course, run,
      [&](std::int64_t step) {
        auto const at_step = k.fold(2).fold(std::uint64_t(step));
        auto const x0 = draw_windows(data, o.batch, o.window, at_step);
        return examples::denoising_batch{x0, examples::draw_noise(x0, at_step.fold(0)), sda::draw_levels(levels_of(o), o.batch, at_step.fold(1))};
      },
      [&](std::size_t i, examples::denoising_batch const& part) { return loss_of(*nets[i], part, sda::weight_of_f{}); },
      [&] { return validate(*nets.front(), held_out, o.seed); },
      [&](nlohmann::json const& entry, sda::named_tensors const& parameters) {
        auto shipped = config;
        for (char const* what : {"step", "loss", "validation"}) shipped["training"][what] = entry.at(what);
        return std::pair(parameters, std::move(shipped));
      });
  return 0;
}

}  // namespace lorenz96
