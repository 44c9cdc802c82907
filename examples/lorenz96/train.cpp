// SPDX-License-Identifier: Apache-2.0
#include "train.hpp"

#include "network.hpp"

#include <sda/calculus/ode.hpp>
#include <sda/calculus/schedule.hpp>
#include <sda/core/progress.hpp>
#include <sda/eigen.hpp>
#include <sda/model/lorenz96.hpp>
#include <sda/model/simulate.hpp>
#include <sda/torch/denoising.hpp>
#include <sda/torch/trainer.hpp>

#include <fstream>
#include <iomanip>

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
at::Tensor draw_noise(at::Tensor const& like, sda::key k) { return at::randn(like.sizes(), sda::generator(k, like.device()), like.options()); }

sda::log_logit levels_of(train_options const& o) { return {o.sigma_min, o.sigma_max, o.rho}; }

template <class Weight>
at::Tensor loss_of(window_network& net, at::Tensor const& x0, at::Tensor const& eps, std::vector<sda::level> const& levels, Weight const& weight) {
  return sda::denoising_loss([&](at::Tensor const& x, at::Tensor const& c) { return net.forward(x, c); }, sda::preconditioning{}, weight, x0, eps, levels);
}

// Root mean square errors of x̂ at fixed levels, in units of the level, on windows never trained on.
nlohmann::json validate(window_network& net, dataset const& data, std::uint64_t seed) {
  torch::NoGradGuard const off;
  auto const k = sda::key{seed}.fold(9);
  auto const x0 = draw_windows(data, 256, net.shape.window, k), eps = draw_noise(x0, k.fold(0));
  nlohmann::json out;
  for (double const sigma : {0.01, 0.03, 0.1, 0.3, 1.0, 3.0}) {
    std::vector<sda::level> const levels(std::size_t(x0.size(0)), sda::level{1, sigma});
    auto const error = loss_of(net, x0, eps, levels, sda::weight_of_eps{});
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

// Warm-up, a long plateau, a cosine down to the floor: up to where the rate falls, a run does not depend on its length.
double rate_at(train_options const& o, std::int64_t step) {
  using rate = sda::learning_rate;
  auto const falls = std::max(o.warmup, std::int64_t((1 - o.decay) * double(o.steps)));
  return step < falls ? rate{o.rate, o.floor, o.warmup, falls, rate::shape::constant}(step) : rate{o.rate, o.floor, 0, o.steps - falls}(step - falls);
}

void check(train_options const& o) {
  sda::require(o.length >= o.window && o.runs >= 1 && o.ring >= 4, "train: ", o.runs, " runs of ", o.length, " states on a ring of ", o.ring,
               " for windows of ", o.window);
  sda::require(o.steps >= 1 && o.batch >= 1 && o.every >= 1 && o.warmup >= 0, "train: ", o.steps, " steps of ", o.batch, ", a checkpoint every ",
               o.every, ", ", o.warmup, " of warm-up");
  sda::require(o.workers >= 1 && o.batch % o.workers == 0, "train: ", o.workers, " workers for a batch of ", o.batch);
  sda::require(o.decay >= 0 && o.decay <= 1, "train: the rate falls over the last ", o.decay, " of the steps");
  sda::require(o.rate > 0 && o.average >= 0 && o.average < 1 && o.clip > 0, "train: learning rate ", o.rate, ", average ", o.average, ", clip ",
               o.clip);
  sda::require(o.spacing > 0 && o.spacing <= 1, "train: ", o.spacing, " model time units between states");
  sda::require(o.device == "cpu" || o.device == "cuda", "train: no device called ", o.device, "; cpu or cuda");
  sda::require(o.device == "cpu" || torch::cuda::is_available(), "train: this LibTorch finds no CUDA device");
}

}  // namespace

int train(train_options const& o) {
  check(o);
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
  std::string const checkpoint = o.out + ".checkpoint";
  if (o.resume && std::filesystem::exists(checkpoint)) run.resume(sda::safetensors::archive(checkpoint));

  std::ofstream log(o.out + ".jsonl", o.resume ? std::ios::app : std::ios::trunc);
  sda::require(log.good(), "train: ", o.out, ".jsonl cannot be written");
  auto const started = std::chrono::steady_clock::now();
  sda::progress shown("train", long(o.steps), long(run.steps()));
  double smoothed = 0, weight = 0;  // the mean loss of the last hundred steps or so
  while (run.steps() < o.steps) {
    auto const step = run.steps();
    auto const at_step = k.fold(2).fold(std::uint64_t(step));
    auto const x0 = draw_windows(data, o.batch, o.window, at_step), eps = draw_noise(x0, at_step.fold(0));
    auto const levels = sda::draw_levels(levels_of(o), o.batch, at_step.fold(1));
    auto const outcome = run.step(
        [&](std::size_t i) {  // every workers-th row, so that each part sees all levels
          auto const mine = at::indexing::Slice(std::int64_t(i), at::indexing::None, o.workers);
          std::vector<sda::level> seen;
          for (auto r = std::int64_t(i); r < o.batch; r += o.workers) seen.push_back(levels[std::size_t(r)]);
          return loss_of(*nets[i], x0.index({mine}), eps.index({mine}), seen, sda::weight_of_f{});
        },
        rate_at(o, step));
    if (std::isfinite(outcome.loss)) smoothed = 0.99 * smoothed + 0.01 * outcome.loss, weight = 0.99 * weight + 0.01;
    std::ostringstream detail;
    detail << "loss " << std::setprecision(4) << smoothed / weight << "  rate " << rate_at(o, step) << "  skipped " << run.skipped();
    shown.at(long(run.steps()), detail.str());
    if (run.steps() % o.every == 0 || run.steps() == o.steps) {
      auto const errors = run.with_average([&] { return validate(*nets.front(), held_out, o.seed); });
      double const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
      log << nlohmann::json{{"step", run.steps()},      {"loss", smoothed / weight}, {"gradient", outcome.gradient}, {"rate", rate_at(o, step)},
                            {"skipped", run.skipped()}, {"seconds", seconds},        {"validation", errors}}
                 .dump()
          << std::endl;
      auto shipped = config;
      shipped["training"]["step"] = run.steps(), shipped["training"]["loss"] = smoothed / weight, shipped["training"]["validation"] = errors;
      sda::write_tensors(o.out, run.average(), {{"config", shipped.dump()}});
      run.save(checkpoint, shipped);
    }
    if (o.between_steps) o.between_steps();
  }
  return 0;
}

}  // namespace lorenz96
