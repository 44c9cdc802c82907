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

/// The prior of windows of standardised latents that a network F(x, c, dates) stands for; bound to dates it is a Denoiser of
/// rows of windows, with both products of its Jacobian.
template <class Net> struct latent_prior {
  std::shared_ptr<Net> net;
  torch::Device device = at::kCPU;
  at::ScalarType type = at::kFloat;

  /// `dates` [T, 4], or one window of them for each row, [rows, T, 4].
  auto at(at::Tensor const& dates) const {
    auto f = [net = net, dates](at::Tensor const& x, double c) { return net->forward(x, at::full({1}, c, x.options()), dates); };
    return sda::preconditioned{sda::torch_function{std::move(f), device, type}, 1.0, 10.0};
  }
};
template <class Net> latent_prior(std::shared_ptr<Net>) -> latent_prior<Net>;
template <class Net> latent_prior(std::shared_ptr<Net>, torch::Device) -> latent_prior<Net>;
template <class Net> latent_prior(std::shared_ptr<Net>, torch::Device, at::ScalarType) -> latent_prior<Net>;

}  // namespace appa
