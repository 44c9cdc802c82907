// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/level.hpp>
#include <sda/core/error.hpp>
#include <sda/core/random.hpp>
#include <sda/prior/parametrisation.hpp>

#include <torch/torch.h>

#include <cmath>
#include <vector>

// Denoising score matching (Vincent, 2011; Karras et al., 2022): x_0 from data, a level l = (α, σ) for each row, ε ~ N(0, 1),
//   loss = mean over rows of w(l) |x̂(α x_0 + σ ε, l) - x_0|² / columns.
// Every network is seen as the affine form x̂ = skip x_t + out F(in x_t, c), whatever it predicts: x_0, ε, v, or Karras's F.

namespace sda {

/// LibTorch's generator for a device, in a state that is a function of the key alone: a training step that folds its number
/// into the key can be resumed without a stored generator. Not bit-equal between devices, unlike a state's noise.
inline at::Generator generator(key k, at::Device device) {
  auto g = at::globalContext().defaultGenerator(device).clone();
  words const w = k(0, 0);
  g.set_current_seed(std::uint64_t(w.w[0]) | std::uint64_t(w.w[1]) << 32);
  return g;
}

/// Weights of the squared error of x̂, named after the prediction whose plain squared error they amount to.
struct weight_of_x0 {
  double operator()(level) const { return 1; }
};
struct weight_of_eps {
  double operator()(level l) const { return l.alpha * l.alpha / (l.sigma * l.sigma); }
};
struct weight_of_v {
  double operator()(level l) const { return std::pow((l.alpha * l.alpha + l.sigma * l.sigma) / l.sigma, 2); }
};
/// (α² + σ²) / σ²: of the preconditioned network F when its data have unit variance.
struct weight_of_f {
  double operator()(level l) const { return (l.alpha * l.alpha + l.sigma * l.sigma) / (l.sigma * l.sigma); }
};

/// One level for each of n rows, p(u) with the u spread evenly over (0, 1): each is uniform, together they cover the
/// schedule, so the loss varies less from batch to batch. A schedule's times are thus also a distribution of levels.
template <SDE P> std::vector<level> draw_levels(P const& p, index_t n, key k) {
  std::vector<level> out;
  double const shift = uniform(k, 0, 0);
  for (index_t i = 0; i < n; ++i) out.push_back(p((double(i) + shift) / double(n)));
  return out;
}

/// The loss of a batch x0 [rows, ...] with the noise eps in its shape. `form(l)` is a network_form, `weight(l)` a number;
/// net(x, condition) takes the batch and one condition per row, [rows].
template <class Net, class Form, class Weight>
at::Tensor denoising_loss(Net const& net, Form const& form, Weight const& weight, at::Tensor const& x0, at::Tensor const& eps,
                          std::vector<level> const& levels) {
  auto const n = std::int64_t(levels.size());
  require(x0.size(0) == n && x0.sizes() == eps.sizes(), "denoising_loss: ", x0.size(0), " rows, ", eps.size(0), " of noise, ", n, " levels");
  auto numbers = at::empty({7, n}, at::kDouble);
  auto at = numbers.accessor<double, 2>();
  for (std::int64_t i = 0; i < n; ++i) {
    level const l = levels[std::size_t(i)];
    network_form const f = form(l);
    double const row[] = {l.alpha, l.sigma, f.skip, f.out, f.in, f.condition, weight(l)};
    for (int j = 0; j < 7; ++j) at[j][i] = row[j];
  }
  numbers = numbers.to(x0.options());
  std::vector<std::int64_t> column(std::size_t(x0.dim()), 1);
  column[0] = n;
  auto const c = [&](int j) { return numbers[j].view(column); };

  auto const x = c(0) * x0 + c(1) * eps;
  auto const denoised = c(2) * x + c(3) * net(c(4) * x, numbers[5]);
  return (c(6) * (denoised - x0).square()).mean();
}

}  // namespace sda
