// SPDX-License-Identifier: Apache-2.0
#include "train.hpp"

#include "../training.hpp"
#include "network.hpp"
#include "runs.hpp"

#include <sda/calculus/schedule.hpp>

namespace kolmogorov {
namespace {

// Runs on the attractor, [runs, length, points, points].
at::Tensor simulated(train_options const& o, std::int64_t runs, sda::key k) {
  auto all = trajectories(o.points, runs, o.length, k);
  return at::from_blob(all.data(), {runs, o.length, o.points, o.points}, at::kDouble).to(at::kFloat);
}

// The Gaussian of windows spread over the standardised runs.
void estimate(window_gaussian& g, at::Tensor const& runs) {
  auto const all = runs.flatten(2).flatten(1).to(at::kDouble);
  index_t const length = runs.size(1), stride = std::max<index_t>(1, runs.size(0) * (length - g.frames() + 1) / 512);
  states const x = Eigen::Map<states const>(all.data_ptr<double>(), all.size(0), all.size(1));
  g.estimate(pieces(x, length, g.frames(), stride));
}

// n windows from anywhere [n, window, points, points], moved to anywhere that the forcing sin 4 y does not tell from here; a function of the
// key alone.
at::Tensor draw_windows(at::Tensor const& runs, std::int64_t n, std::int64_t window, sda::key k) {
  std::vector<at::Tensor> out;
  std::int64_t const points = runs.size(3);
  for (std::int64_t i = 0; i < n; ++i) {
    auto const pick = [&](int which, std::int64_t of) { return std::int64_t(sda::uniform(k, i, which) * double(of)); };
    auto const x = runs[pick(0, runs.size(0))].narrow(0, pick(1, runs.size(1) - window + 1), window);
    bool const waves_fit = points % 4 == 0;
    out.push_back(x.roll({waves_fit ? pick(2, 4) * (points / 4) : 0, pick(3, points)}, {1, 2}));
  }
  return at::stack(out);
}

// As much as the Gaussian leaves open weighs as much at every level: its own loss is 1.
struct weight_of_gaussian {
  window_gaussian const* of;
  double operator()(sda::level l) const { return 1 / of->error(sda::noise_ratio(l)); }
};
at::Tensor loss_of(window_network& net, examples::denoising_batch const& b) {
  return sda::denoising_loss([&](at::Tensor const& x, at::Tensor const& c) { return net.forward(x, c); }, sda::preconditioning{},
                             weight_of_gaussian{net.gaussian.get()}, b.x0, b.eps, b.levels);
}

// Losses at fixed levels, of windows never trained on; 1 is the Gaussian's.
nlohmann::json validated(window_network& net, at::Tensor const& unseen, sda::key k) {
  torch::NoGradGuard const off;
  auto const x0 = draw_windows(unseen, 16, net.shape.window, k), eps = examples::draw_noise(x0, k.fold(0));
  nlohmann::json out;
  for (char const* sigma : {"0.003", "0.01", "0.03", "0.1", "0.3", "1", "3"})
    out[sigma] = loss_of(net, {x0, eps, std::vector(std::size_t(x0.size(0)), sda::level{1, std::stod(sigma)})}).item<double>();
  return out;
}

nlohmann::json configuration(train_options const& o, network_shape const& shape, double deviation) {
  return {{"network", shape},
          {"deviation", deviation},
          {"spacing", spacing},
          {"training",
           {{"runs", o.runs},
            {"length", o.length},
            {"steps", o.steps},
            {"batch", o.batch},
            {"warmup", o.warmup},
            {"rate", o.rate},
            {"decay", o.decay},
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

}  // namespace

void train(train_options const& o) {
  sda::require(o.length >= o.window && o.runs >= 1 && o.points >= 16, "train: ", o.runs, " runs of ", o.length, " states of ", o.points, " points for windows of ",
               o.window);
  sda::require(o.workers >= 1 && o.batch >= 1 && o.batch % o.workers == 0, "train: ", o.workers, " workers for a batch of ", o.batch);
  sda::require(o.average >= 0 && o.average < 1 && o.clip > 0, "train: average ", o.average, ", clip ", o.clip);
  sda::require(o.device == "cpu" || (o.device == "cuda" && torch::cuda::is_available()), "train: no device called ", o.device, " here; cpu or cuda");
  examples::course const course{o.out, o.resume, o.steps, o.every, o.warmup, o.rate, o.decay, 0, o.between_steps};
  course.check();
  at::Device const device(o.device);
  sda::key const k = sda::key{o.seed}.fold(3);   // the experiment draws truths from 1
  auto runs = simulated(o, o.runs, k.fold(0)), unseen = simulated(o, 4, k.fold(1));
  double const deviation = runs.std().item<double>();
  runs /= deviation, unseen /= deviation;

  torch::manual_seed(o.seed);
  network_shape const shape{o.points, o.window, o.patch, o.channels, o.blocks, o.kernel, o.embedding, o.forcing};
  auto const gaussian = std::make_shared<window_gaussian>(o.window, o.points);
  estimate(*gaussian, runs);
  std::vector<std::unique_ptr<window_network>> nets;
  std::vector<torch::nn::Module*> modules;
  for (int i = 0; i < o.workers; ++i) {
    modules.push_back(nets.emplace_back(std::make_unique<window_network>(shape, gaussian)).get());
    modules.back()->to(device);
  }
  runs = runs.to(device), unseen = unseen.to(device);
  sda::trainer run(modules, o.average);
  run.optimiser.weight_decay = o.weight_decay, run.clip = o.clip;
  auto const config = configuration(o, shape, deviation);
  examples::train(
      course, run,
      [&](std::int64_t step) {
        auto const at_step = k.fold(2).fold(std::uint64_t(step));
        auto const x0 = draw_windows(runs, o.batch, o.window, at_step);
        return examples::denoising_batch{x0, examples::draw_noise(x0, at_step.fold(0)),
                                         sda::draw_levels(sda::log_logit{o.sigma_min, o.sigma_max, o.rho}, o.batch, at_step.fold(1))};
      },
      [&](std::size_t i, examples::denoising_batch const& part) { return loss_of(*nets[i], part); },
      [&] { return validated(*nets.front(), unseen, k.fold(3)); },
      [&](nlohmann::json const& entry, sda::named_tensors const& parameters) {
        auto shipped = config;
        for (char const* what : {"step", "loss", "validation"}) shipped["training"][what] = entry.at(what);
        auto tensors = parameters;
        for (auto const& [name, t] : sda::state_of(*nets.front())) tensors.emplace(name, t);   // and the Gaussian
        return std::pair(std::move(tensors), std::move(shipped));
      });
}

}  // namespace kolmogorov
