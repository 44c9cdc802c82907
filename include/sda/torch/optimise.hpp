// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/torch/parameters.hpp>

#include <torch/torch.h>

#include <cmath>
#include <variant>

namespace sda {

/// Adam with decoupled weight decay (Loshchilov & Hutter, ICLR 2019), on one flat tensor of parameters.
struct adamw {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0.01;

  struct memory_type {
    at::Tensor mean, square;  // running means of the gradient and of its square
    std::int64_t steps = 0;

    /// All of it by name, as views: what a checkpoint holds.
    named_tensors state(flat_layout const& layout) const {
      auto out = layout.named(mean, "mean/");
      out.merge(layout.named(square, "square/"));
      return out;
    }
  };
  memory_type memory(flat_layout const&, at::Tensor const& values) const { return {at::zeros_like(values), at::zeros_like(values)}; }

  void step(at::Tensor values, at::Tensor const& gradients, memory_type& m, double learning_rate) const {
    torch::NoGradGuard const off;
    ++m.steps;
    double const mean_bias = 1 - std::pow(beta1, double(m.steps)), square_bias = 1 - std::pow(beta2, double(m.steps));
    m.mean.lerp_(gradients, 1 - beta1);
    m.square.mul_(beta2).addcmul_(gradients, gradients, 1 - beta2);
    auto const spread = m.square.sqrt().div_(std::sqrt(square_bias)).add_(epsilon);
    values.mul_(1 - learning_rate * weight_decay).addcdiv_(m.mean, spread, -learning_rate / mean_bias);
  }
};

/// An exponential moving average of the parameters, which is what gets shipped; it forgets faster at the start, so that
/// the random initial weights do not linger: decay min(decay, (1 + n) / (10 + n)) at update n.
struct moving_average {
  double decay = 0.999;
  at::Tensor average;
  std::int64_t updates = 0;

  void update(at::Tensor const& values) {
    torch::NoGradGuard const off;
    if (!average.defined()) average = values.clone();
    double const n = double(updates++);
    average.lerp_(values, 1 - std::min(decay, (1 + n) / (10 + n)));
  }
};

/// Scales gradients down to the given norm and returns the norm they had. Not finite: they are left alone, skip the step.
inline double clip_gradients(at::Tensor gradients, double limit) {
  torch::NoGradGuard const off;
  double const norm = gradients.norm(2, at::kDouble).item<double>();
  if (norm > limit && std::isfinite(norm)) gradients.mul_(limit / (norm + 1e-6));  // as LibTorch's own
  return norm;
}

/// One of several optimisers, chosen while the program runs.
template <class... O> struct one_of {
  std::variant<O...> of;

  struct memory_type {
    std::variant<typename O::memory_type...> of;
    named_tensors state(flat_layout const& layout) const {
      return std::visit([&](auto const& m) { return m.state(layout); }, of);
    }
    auto& steps() {
      return std::visit([](auto& m) -> std::int64_t& { return m.steps; }, of);
    }
    auto steps() const {
      return std::visit([](auto const& m) { return m.steps; }, of);
    }
  };
  memory_type memory(flat_layout const& layout, at::Tensor const& values) const {
    return std::visit([&](auto const& o) { return memory_type{o.memory(layout, values)}; }, of);
  }
  void step(at::Tensor const& values, at::Tensor const& gradients, memory_type& m, double learning_rate) const {
    std::visit([&]<class T>(T const& o) { o.step(values, gradients, std::get<typename T::memory_type>(m.of), learning_rate); }, of);
  }
};

/// Learning rates by step: peak, or from it down to `floor` linearly, along half a cosine, or by a millionth exponentially;
/// multiplied by (step + 1) / (warmup + 1) for the first steps.
struct learning_rate {
  enum class shape { constant, linear, cosine, exponential };
  double peak = 1e-3, floor = 0;
  std::int64_t warmup = 0, steps = 1;
  shape decay = shape::cosine;

  /// The rate of step 0, 1, ..., steps - 1.
  double operator()(std::int64_t step) const {
    double const done = std::min(1.0, double(step) / double(steps)), warm = std::min(1.0, double(step + 1) / double(warmup + 1));
    double left = 1;
    if (decay == shape::linear) left = 1 - done;
    if (decay == shape::cosine) left = 0.5 * (1 + std::cos(done * 3.14159265358979323846));
    if (decay == shape::exponential) left = std::pow(1e-6, done);
    return warm * (floor + (peak - floor) * left);
  }
};

}  // namespace sda
