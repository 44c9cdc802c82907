// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/progress.hpp>
#include <sda/torch/denoising.hpp>
#include <sda/torch/trainer.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iomanip>

// What the training runs of window networks have in common: the course of the rate, parts of a batch, log and checkpoints.

namespace examples {

/// A course of training and where it is written: `out` the weights, out + ".checkpoint" the run, out + ".jsonl" its log.
struct course {
  std::string out;
  bool resume = false;   // go on from the checkpoint, if there is one
  std::int64_t steps = 1000, every = 100, warmup = 0;
  double rate = 1e-3, decay = 0.3, floor = 0;   // the learning rate, falling to the floor over this last part of the steps
  std::function<void()> between_steps = {};     // an exception ends the run

  void check() const {
    sda::require(steps >= 1 && every >= 1 && warmup >= 0, "train: ", steps, " steps, a checkpoint every ", every, ", ", warmup, " of warm-up");
    sda::require(decay >= 0 && decay <= 1, "train: the rate falls over the last ", decay, " of the steps");
    sda::require(rate > 0, "train: learning rate ", rate);
  }
  /// Warm-up, a long plateau, a cosine down to the floor: up to where the rate falls, a run does not depend on its length.
  double rate_at(std::int64_t step) const {
    using sda::learning_rate;
    auto const falls = std::max(warmup, std::int64_t((1 - decay) * double(steps)));
    return step < falls ? learning_rate{rate, floor, warmup, falls, learning_rate::shape::constant}(step)
                        : learning_rate{rate, floor, 0, steps - falls}(step - falls);
  }
};

/// One batch of a denoiser's training.
struct denoising_batch {
  at::Tensor x0, eps;
  std::vector<sda::level> levels;

  /// Every parts-th row from the i-th on, so that each part sees all levels.
  denoising_batch part(std::size_t i, std::size_t parts) const {
    auto const rows = at::indexing::Slice(std::int64_t(i), at::indexing::None, std::int64_t(parts));
    denoising_batch out{x0.index({rows}), eps.index({rows}), {}};
    for (auto r = i; r < levels.size(); r += parts) out.levels.push_back(levels[r]);
    return out;
  }
};

/// A function of the key alone, on a device of one kind.
inline at::Tensor draw_noise(at::Tensor const& like, sda::key k) { return at::randn(like.sizes(), sda::generator(k, like.device()), like.options()); }

/// Trains to the end of the course. draw(step) is a denoising_batch, a function of the step alone; loss(module, batch) that of the part of it
/// that a module takes; validate() is told in the log, in JSON, of the average network; shipped(log entry, averaged parameters) are the
/// tensors to write and the configuration beside them.
template <class Draw, class Loss, class Validate, class Shipped>
void train(course const& c, sda::trainer<>& run, Draw const& draw, Loss const& loss, Validate const& validate, Shipped const& shipped) {
  std::string const checkpoint = c.out + ".checkpoint";
  if (c.resume && std::filesystem::exists(checkpoint)) run.resume(sda::safetensors::archive(checkpoint));
  std::ofstream log(c.out + ".jsonl", c.resume ? std::ios::app : std::ios::trunc);
  sda::require(log.good(), "train: ", c.out, ".jsonl cannot be written");

  auto const started = std::chrono::steady_clock::now();
  sda::progress shown("train", long(c.steps), long(run.steps()));
  double smoothed = 0, weight = 0;   // the mean loss of the last hundred steps or so
  while (run.steps() < c.steps) {
    auto const rate = c.rate_at(run.steps());
    denoising_batch const batch = draw(run.steps());
    auto const outcome = run.step([&](std::size_t i) { return loss(i, batch.part(i, run.parts())); }, rate);
    if (std::isfinite(outcome.loss)) smoothed = 0.99 * smoothed + 0.01 * outcome.loss, weight = 0.99 * weight + 0.01;
    std::ostringstream detail;
    detail << "loss " << std::setprecision(4) << smoothed / weight << "  rate " << rate << "  skipped " << run.skipped();
    shown.at(long(run.steps()), detail.str());
    if (run.steps() % c.every == 0 || run.steps() == c.steps) {
      auto const errors = run.with_average(validate);
      double const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
      nlohmann::json const entry{{"step", run.steps()},      {"loss", smoothed / weight}, {"gradient", outcome.gradient}, {"rate", rate},
                                 {"skipped", run.skipped()}, {"seconds", seconds},        {"validation", errors}};
      log << entry.dump() << std::endl;
      auto const [tensors, config] = shipped(entry, run.average());
      sda::write_tensors(c.out, tensors, {{"config", config.dump()}});
      run.save(checkpoint, config);
    }
    if (c.between_steps) c.between_steps();
  }
}

}  // namespace examples
