// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/prior/parametrisation.hpp>
#include <sda/torch.hpp>
#include <sda/torch/denoising.hpp>

#include <memory>

namespace appa {

/// How Appa's networks make a posterior mean, r = σ / α (Karras et al., 2022, with data of unit variance):
///   x̂ = x_t/α / (r² + 1) + r / √(r² + 1) F(x_t/α / √(r² + 1), 10 ln r).
inline sda::network_form preconditioning(sda::level l) {
  double const r = sda::noise_ratio(l), size = std::hypot(r, 1);
  return {1 / (size * size * l.alpha), r / size, 1 / (size * l.alpha), 10 * std::log(r)};
}

/// Rows of windows with a background beside them, cell by cell, as networks that are told one take them: x [rows, cells channels],
/// the background [..., channels] of one window or of each row. Without one, x.
inline at::Tensor beside(at::Tensor const& x, at::Tensor const& background) {
  if (!background.defined()) return x;
  auto const cells = x.reshape({x.size(0), -1, background.size(-1)});
  return at::cat({cells, background.to(x.options()).reshape({-1, cells.size(1), cells.size(2)}).expand_as(cells)}, -1).flatten(1);
}

/// The prior of windows of standardised latents that a network F(x, c, dates) stands for; bound to dates it is a Denoiser of
/// rows of windows, with both products of its Jacobian.
template <class Net> struct latent_prior {
  std::shared_ptr<Net> net;
  torch::Device device = at::kCPU;
  at::ScalarType type = at::kFloat;

  /// `dates` [T, 4], or one window of them for each row, [rows, T, 4]; `background` as `beside` has it.
  auto at(at::Tensor const& dates, at::Tensor const& background = {}) const {
    auto f = [net = net, dates, background](at::Tensor const& x, double c) {
      return net->forward(beside(x, background), at::full({1}, c, x.options()), dates);
    };
    return sda::preconditioned{sda::torch_function{std::move(f), device, type}, 1.0, 10.0};
  }
};
template <class Net> latent_prior(std::shared_ptr<Net>) -> latent_prior<Net>;
template <class Net> latent_prior(std::shared_ptr<Net>, torch::Device) -> latent_prior<Net>;
template <class Net> latent_prior(std::shared_ptr<Net>, torch::Device, at::ScalarType) -> latent_prior<Net>;

}  // namespace appa
