// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/torch/optimise.hpp>
#include <sda/torch/parameters.hpp>
#include <sda/torch/tensors.hpp>
#include <sda/trajectory/communicator.hpp>

#include <array>
#include <future>

namespace sda {

/// What a training run is at one moment, and how it moves on by one batch. A checkpoint is all of it: a run resumed on the
/// same machine goes on bit by bit as if it had not stopped, when its batches are functions of the step number.
class trainer {
 public:
  adamw optimiser;
  double clip = 1;   // gradients are scaled down to this norm

  /// Modules built the same way; the first one's parameters count. Each takes a part of every batch, on a thread of its own:
  /// on a busy CPU that is much faster than threads inside each operation. They must outlive the trainer.
  trainer(std::vector<torch::nn::Module*> const& modules, double average_decay)
      : parameters_(first(modules)), moments_(optimiser.memory(parameters_.values())), average_{average_decay, parameters_.values().clone()} {
    for (std::size_t i = 1; i < modules.size(); ++i) replicas_.push_back(parameters_.replica(*modules[i]));
  }

  std::int64_t steps() const { return steps_; }       // batches seen
  std::int64_t skipped() const { return skipped_; }   // of them, those with a loss or gradient that was not finite
  flat_parameters const& parameters() const { return parameters_; }

  struct outcome {
    double loss, gradient;   // the gradient's norm before clipping
  };
  /// loss(i) builds the mean loss of the i-th module's part of this rank's batch; parts are equal, their gradients averaged, then
  /// those of the ranks, if there are several. A batch whose gradient is not finite changes nothing but skipped().
  template <class Loss, class Ranks = solo> outcome step(Loss const& loss, double learning_rate, Ranks const& ranks = {}) {
    double const mean_loss = differentiate(loss);
    if constexpr (requires { ranks.all_reduce(parameters_.gradients()); }) {
      if (ranks.size() > 1) {
        ranks.all_reduce(parameters_.gradients());
        at::Tensor(parameters_.gradients()).div_(ranks.size());
      }
    } else {
      require(ranks.size() == 1, "trainer: ", ranks.size(), " ranks without all_reduce");
    }
    ++steps_;
    outcome const o{mean_loss, clip_gradients(parameters_.gradients(), clip)};
    if (!std::isfinite(o.gradient)) {
      ++skipped_;
      return o;
    }
    optimiser.step(parameters_.values(), parameters_.gradients(), moments_, learning_rate);
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
    named_tensors all;
    for (auto const& [prefix, flat] : flats())
      for (auto const& [name, t] : parameters_.named(flat)) all[prefix + name] = t;
    nlohmann::json const counts{{"steps", steps_}, {"skipped", skipped_}, {"optimiser_steps", moments_.steps}, {"average_updates", average_.updates}};
    write_tensors(path, all, {{"config", config.dump()}, {"counts", counts.dump()}});
  }
  void resume(safetensors::archive const& from) {
    require(from.metadata().count("counts") != 0, from.path().string(), " is no checkpoint: it counts no steps");
    for (auto const& [prefix, flat] : flats()) read_tensors(from, parameters_.named(flat), prefix);
    auto const counts = nlohmann::json::parse(from.metadata().at("counts"));
    counts.at("steps").get_to(steps_);
    counts.at("skipped").get_to(skipped_);
    counts.at("optimiser_steps").get_to(moments_.steps);
    counts.at("average_updates").get_to(average_.updates);
  }

 private:
  static torch::nn::Module& first(std::vector<torch::nn::Module*> const& modules) {
    require(!modules.empty(), "trainer: no module");
    return *modules.front();
  }

  template <class Loss> double differentiate(Loss const& loss) {
    auto const part = [&](std::size_t i) {
      torch::AutoGradMode const on(true);
      at::Tensor((i ? replicas_[i - 1] : parameters_).gradients()).zero_();
      at::Tensor const value = loss(i);
      value.backward();
      return value.template item<double>();
    };
    std::vector<std::future<double>> others;
    for (std::size_t i = 1; i <= replicas_.size(); ++i) others.push_back(std::async(std::launch::async, part, i));
    double total = part(0);
    for (auto& o : others) total += o.get();
    for (auto const& r : replicas_) at::Tensor(parameters_.gradients()).add_(r.gradients());
    double const parts = double(1 + replicas_.size());
    if (parts > 1) at::Tensor(parameters_.gradients()).div_(parts);
    return total / parts;
  }

  std::array<std::pair<std::string, at::Tensor>, 4> flats() const {
    return {{{"parameters/", parameters_.values()}, {"average/", average_.average}, {"mean/", moments_.mean}, {"square/", moments_.square}}};
  }

  flat_parameters parameters_;
  std::vector<flat_parameters> replicas_;
  adamw::memory_type moments_;
  moving_average average_;
  std::int64_t steps_ = 0, skipped_ = 0;
};

}  // namespace sda
