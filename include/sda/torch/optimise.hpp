// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <torch/torch.h>

#include <cmath>

namespace sda {

/// Adam with decoupled weight decay (Loshchilov & Hutter, ICLR 2019), on one flat tensor of parameters.
struct adamw {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0.01;

  struct memory_type {
    at::Tensor mean, square;   // running means of the gradient and of its square
    std::int64_t steps = 0;
  };
  memory_type memory(at::Tensor const& values) const { return {at::zeros_like(values), at::zeros_like(values)}; }

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
  if (norm > limit && std::isfinite(norm)) gradients.mul_(limit / norm);
  return norm;
}

/// Learning rates by step, after a linear warm-up from 0: constant, or down to `floor` linearly or along half a cosine.
struct learning_rate {
  enum class shape { constant, linear, cosine };
  double peak = 1e-3, floor = 0;
  std::int64_t warmup = 0, steps = 1;
  shape decay = shape::cosine;

  /// The rate of step 0, 1, ..., steps - 1.
  double operator()(std::int64_t step) const {
    if (step < warmup) return peak * double(step + 1) / double(warmup + 1);
    double const done = steps > warmup ? std::min(1.0, double(step - warmup) / double(steps - warmup)) : 1.0;
    double const left = decay == shape::constant ? 1.0 : decay == shape::linear ? 1 - done : 0.5 * (1 + std::cos(done * 3.14159265358979323846));
    return floor + (peak - floor) * left;
  }
};

}  // namespace sda
