// SPDX-License-Identifier: Apache-2.0
#include "train.hpp"

#include "model.hpp"
#include "network.hpp"

#include <sda/calculus/schedule.hpp>
#include <sda/core/progress.hpp>
#include <sda/torch/denoising.hpp>
#include <sda/torch/trainer.hpp>

#include <fstream>

namespace lorenz63 {
namespace {

// Standardised runs, [runs, 3 length + shared].
at::Tensor simulated(train_options const& o, std::int64_t runs, sda::key k) {
  states x = trajectories(runs, o.length, o.unknown_rho, 1024, k);
  standardise(x);
  return at::from_blob(x.data(), {x.rows(), x.cols()}, at::kDouble).to(at::kFloat);
}

// n windows from anywhere, [n, 3 window + shared]; a function of the key alone.
at::Tensor draw_windows(at::Tensor const& runs, train_options const& o, std::int64_t n, sda::key k) {
  auto const columns = 3 * o.window, shared = std::int64_t(o.unknown_rho);
  auto out = at::empty({n, columns + shared});
  float const* const from = runs.data_ptr<float>();
  float* to = out.data_ptr<float>();
  for (std::int64_t i = 0; i < n; ++i) {
    auto const* const row = from + std::int64_t(sda::uniform(k, i, 0) * double(runs.size(0))) * runs.size(1);
    auto const begin = 3 * std::int64_t(sda::uniform(k, i, 1) * double(o.length - o.window + 1));
    to = std::copy_n(row + begin, columns, to);
    to = std::copy_n(row + 3 * o.length, shared, to);
  }
  return out;
}

// The form that preconditioned{} gives a network of unit data variance.
sda::network_form form(sda::level l) {
  double const r = l.sigma / l.alpha, size = std::hypot(r, 1.0);
  return {1 / (size * size * l.alpha), r / size, 1 / (size * l.alpha), 0.25 * std::log(r)};
}

template <class Weight>
at::Tensor loss_of(window_network& net, at::Tensor const& x0, std::vector<sda::level> const& levels, Weight const& weight, sda::key k) {
  auto const eps = at::randn(x0.sizes(), sda::generator(k, x0.device()), x0.options());
  return sda::denoising_loss([&](at::Tensor const& x, at::Tensor const& c) { return net.forward(x, c); }, form, weight, x0, eps, levels);
}

// Root mean square errors of x̂ at fixed levels, in units of the level, on windows never trained on.
nlohmann::json validated(window_network& net, at::Tensor const& unseen, train_options const& o, sda::key k) {
  torch::NoGradGuard const off;
  auto const x0 = draw_windows(unseen, o, 2048, k);
  nlohmann::json out;
  for (char const* sigma : {"0.003", "0.01", "0.03", "0.1", "0.3", "1"}) {
    std::vector<sda::level> const levels(std::size_t(x0.size(0)), sda::level{1, std::stod(sigma)});
    out[sigma] = std::sqrt(loss_of(net, x0, levels, sda::weight_of_eps{}, k).item<double>());
  }
  return out;
}

nlohmann::json configuration(train_options const& o, network_shape const& shape) {
  return {{"network", shape},
          {"training",
           {{"runs", o.runs},
            {"length", o.length},
            {"steps", o.steps},
            {"batch", o.batch},
            {"warmup", o.warmup},
            {"rate", o.rate},
            {"average", o.average},
            {"sigma_min", o.sigma_min},
            {"sigma_max", o.sigma_max},
            {"seed", o.seed}}}};
}

}  // namespace

void train(train_options const& o) {
  sda::require(o.length >= o.window && o.runs >= 1 && o.steps >= 1 && o.batch >= 1 && o.every >= 1, "train: ", o.runs, " runs of ", o.length,
               " states for windows of ", o.window, ", ", o.steps, " steps of ", o.batch, ", a report every ", o.every);
  sda::key const k{o.seed};
  auto const runs = simulated(o, o.runs, k.fold(0)), unseen = simulated(o, 64, k.fold(1));
  torch::manual_seed(o.seed);
  network_shape const shape{o.window, o.unknown_rho, o.hidden, o.blocks, o.embedding};
  window_network net(shape);
  if (!o.start.empty()) sda::read_tensors(sda::safetensors::archive(o.start), sda::state_of(net));
  sda::trainer run({&net}, o.average);
  run.optimiser.weight_decay = 1e-4;
  std::ofstream log(o.out + ".jsonl");
  sda::require(log.good(), "train: ", o.out, ".jsonl cannot be written");
  sda::learning_rate const rate{o.rate, 0, o.warmup, o.steps};
  auto const started = std::chrono::steady_clock::now();
  sda::progress shown("train", long(o.steps));
  double smoothed = 0, weight = 0;
  while (run.steps() < o.steps) {
    auto const at_step = k.fold(2).fold(std::uint64_t(run.steps()));
    auto const x0 = draw_windows(runs, o, o.batch, at_step.fold(0));
    auto const levels = sda::draw_levels(sda::log_logit{o.sigma_min, o.sigma_max, 1}, o.batch, at_step.fold(1));
    auto const outcome = run.step([&](std::size_t) { return loss_of(net, x0, levels, sda::weight_of_f{}, at_step.fold(2)); }, rate(run.steps()));
    if (std::isfinite(outcome.loss)) smoothed = 0.99 * smoothed + 0.01 * outcome.loss, weight = 0.99 * weight + 0.01;
    shown.at(long(run.steps()), "loss " + std::to_string(smoothed / weight));
    if (run.steps() % o.every != 0 && run.steps() != o.steps) continue;
    auto shipped = configuration(o, shape);
    double const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    auto const errors = run.with_average([&] { return validated(net, unseen, o, k.fold(3)); });
    log << nlohmann::json{{"step", run.steps()},
                          {"loss", smoothed / weight},
                          {"skipped", run.skipped()},
                          {"seconds", seconds},
                          {"validation", errors}}
               .dump()
        << std::endl;
    shipped["training"]["step"] = run.steps(), shipped["training"]["validation"] = errors;
    sda::write_tensors(o.out, run.average(), {{"config", shipped.dump()}});
  }
}

}  // namespace lorenz63
