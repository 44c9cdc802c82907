// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/prior/encoder.hpp>
#include <sda/torch.hpp>

#include <memory>

namespace appa {

/// An autoencoder, encode(x) and decode(z) of [rows, points, channels], as an Encoder of fields into standardised latents:
/// rows of numbers, the channels of a point side by side. `mean` and `deviation` of latents are [channels], or not there.
template <class Net> struct latent_space {
  std::shared_ptr<Net> net;
  torch::Device device = at::kCPU;
  at::ScalarType type = at::kFloat;
  at::Tensor mean, deviation;

  template <sda::State S> S encode(S const& x) const {
    auto const f = [this](at::Tensor const& a) {
      auto const z = net->encode(a.view({a.size(0), -1, net->channels()}));
      return (mean.defined() ? (z - mean.to(z.options())) / deviation.to(z.options()) : z).flatten(1);
    };
    return sda::torch_function{f, device, type}(x);
  }

  auto decoder() const {
    auto f = [net = net, mean = mean, deviation = deviation](at::Tensor const& a) {
      auto const z = a.view({a.size(0), -1, net->latents()});
      return net->decode(mean.defined() ? z * deviation.to(z.options()) + mean.to(z.options()) : z).flatten(1);
    };
    return sda::torch_function{std::move(f), device, type};
  }
};
template <class Net, class... Rest> latent_space(std::shared_ptr<Net>, Rest...) -> latent_space<Net>;

}  // namespace appa
