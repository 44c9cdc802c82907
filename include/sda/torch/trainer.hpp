// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/torch/optimise.hpp>
#include <sda/torch/parameters.hpp>
#include <sda/torch/precision.hpp>
#include <sda/torch/tensors.hpp>
#include <sda/trajectory/communicator.hpp>

#include <future>

namespace sda {

/// What a training run is at one moment, and how it moves on by one batch. A checkpoint is all of it: a run resumed on the
/// same machine goes on bit by bit as if it had not stopped, when its batches are functions of the step number.
template <class Optimiser = adamw> class trainer {
 public:
  Optimiser optimiser;
  double clip = 1;                        // gradients are scaled down to this norm
  std::size_t accumulation = 1;           // parts of a batch that a module takes one after the other
  at::ScalarType precision = at::kFloat;  // of the forward pass: see autocast; half is trained with a loss scale

  /// Modules built the same way; the first one's parameters count. Each takes a part of every batch, on a thread of its own:
  /// on a busy CPU that is much faster than threads inside each operation. They must outlive the trainer.
  trainer(std::vector<torch::nn::Module*> const& modules, double average_decay, Optimiser o = {})
      : optimiser(std::move(o)), parameters_(first(modules)), memory_(optimiser.memory(parameters_.layout(), parameters_.values())),
        average_{average_decay, parameters_.values().clone()} {
    for (std::size_t i = 1; i < modules.size(); ++i) replicas_.push_back(parameters_.replica(*modules[i]));
  }

  std::int64_t steps() const { return steps_; }      // batches seen
  std::int64_t skipped() const { return skipped_; }  // of them, those with a loss or gradient that was not finite
  /// Parts of this rank's batch: part i goes through module i % modules.
  std::size_t parts() const { return accumulation * (1 + replicas_.size()); }
  flat_parameters const& parameters() const { return parameters_; }

  struct outcome {
    double loss, gradient;  // the mean over parts and ranks, and the gradient's norm before clipping
  };
  /// loss(i) builds the mean loss of part i of this rank's batch; parts are equal, their gradients averaged, with those of
  /// the other ranks. A batch whose gradient is not finite changes nothing but skipped() and the loss scale.
  template <class Loss, class Ranks = solo> outcome step(Loss const& loss, double learning_rate, Ranks const& ranks = {}) {
    double const shrink = 1 / (scale() * double(parts()) * ranks.size());
    at::Tensor gradients = parameters_.gradients();
    auto total = at::full({1}, differentiate(loss) / (double(parts()) * ranks.size()), at::kDouble);
    if constexpr (requires { ranks.all_reduce(total); }) {
      if (ranks.size() > 1) ranks.all_reduce(gradients), ranks.all_reduce(total);
    } else {
      require(ranks.size() == 1, "trainer: ", ranks.size(), " ranks without all_reduce");
    }
    if (shrink != 1) gradients.mul_(shrink);
    ++steps_;
    outcome const o{total.template item<double>(), clip_gradients(gradients, clip)};
    scale_.update(std::isfinite(o.gradient));
    if (!std::isfinite(o.gradient)) {
      ++skipped_;
      return o;
    }
    optimiser.step(parameters_.values(), gradients, memory_, learning_rate);
    average_.update(parameters_.values());
    return o;
  }

  /// Runs f with the averaged parameters in place of the trained ones.
  template <class F> auto with_average(F const& f) const {
    torch::NoGradGuard const off;
    auto const trained = parameters_.values().clone();
    at::Tensor(parameters_.values()).copy_(average_.average);
    struct restore {
      at::Tensor to, from;
      ~restore() {
        torch::NoGradGuard const off_again;
        to.copy_(from);
      }
    } const restored{parameters_.values(), trained};
    return f();
  }
  /// The averaged parameters by name: what gets shipped.
  named_tensors average() const { return parameters_.named(average_.average); }

  /// Everything, with a configuration in JSON of the caller's.
  void save(std::filesystem::path const& path, nlohmann::json const& config) const {
    nlohmann::json const counts{
        {"steps", steps_},       {"skipped", skipped_},      {"optimiser_steps", memory_steps(memory_)}, {"average_updates", average_.updates},
        {"scale", scale_.value}, {"scale_good", scale_.good}};
    write_tensors(path, everything(), {{"config", config.dump()}, {"counts", counts.dump()}});
  }
  void resume(safetensors::archive const& from) {
    require(from.metadata().count("counts") != 0, from.path().string(), " is no checkpoint: it counts no steps");
    read_tensors(from, everything());
    auto const counts = nlohmann::json::parse(from.metadata().at("counts"));
    counts.at("steps").get_to(steps_);
    counts.at("skipped").get_to(skipped_);
    counts.at("optimiser_steps").get_to(memory_steps(memory_));
    counts.at("average_updates").get_to(average_.updates);
    counts.at("scale").get_to(scale_.value);
    counts.at("scale_good").get_to(scale_.good);
  }

 private:
  static torch::nn::Module& first(std::vector<torch::nn::Module*> const& modules) {
    require(!modules.empty(), "trainer: no module");
    return *modules.front();
  }
  template <class Memory> static decltype(auto) memory_steps(Memory& m) {
    if constexpr (requires { m.steps(); }) return m.steps();
    else return (m.steps);
  }
  double scale() const { return precision == at::kHalf ? scale_.value : 1; }

  // Leaves the summed gradients of all parts, times the scale, in parameters_.gradients(); returns the sum of the losses.
  template <class Loss> double differentiate(Loss const& loss) {
    std::size_t const modules = 1 + replicas_.size();
    auto const work = [&](std::size_t module) {
      torch::AutoGradMode const on(true);
      at::Tensor((module ? replicas_[module - 1] : parameters_).gradients()).zero_();
      double sum = 0;
      for (std::size_t a = 0; a < accumulation; ++a) {
        at::Tensor value;
        {
          autocast const shorter(parameters_.values().device().type(), precision);
          value = loss(a * modules + module).to(at::kFloat);
        }
        (value * scale()).backward();
        sum += value.template item<double>();
      }
      return sum;
    };
    std::vector<std::future<double>> others;
    for (std::size_t i = 1; i < modules; ++i) others.push_back(std::async(std::launch::async, work, i));
    double total = work(0);
    for (auto& o : others) total += o.get();
    for (auto const& r : replicas_) at::Tensor(parameters_.gradients()).add_(r.gradients());
    return total;
  }

  named_tensors everything() const {
    auto all = parameters_.layout().named(parameters_.values(), "parameters/");
    all.merge(parameters_.layout().named(average_.average, "average/"));
    all.merge(memory_.state(parameters_.layout()));
    return all;
  }

  flat_parameters parameters_;
  std::vector<flat_parameters> replicas_;
  typename Optimiser::memory_type memory_;
  moving_average average_;
  loss_scale scale_;
  std::int64_t steps_ = 0, skipped_ = 0;
};

}  // namespace sda
