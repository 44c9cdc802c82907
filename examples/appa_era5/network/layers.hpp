// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>
#include <sda/torch/checkpoint.hpp>
#include <sda/torch/denoising.hpp>

#include <memory>
#include <string>

// What all networks are made of. A network is born with memory but without values: read weights, or call its initialise(key).
// That makes the largest one cheap to describe, and to fill from a file.

namespace appa {

using index_t = std::int64_t;

/// Registers m below `root` at a path such as "ffn.3", making the modules on the way: names are those of published weights.
template <class M> std::shared_ptr<M> install(torch::nn::Module& root, std::string const& path, std::shared_ptr<M> m) {
  torch::nn::Module* at = &root;
  std::size_t begin = 0;
  for (std::size_t dot; (dot = path.find('.', begin)) != std::string::npos; begin = dot + 1) {
    auto const step = path.substr(begin, dot - begin);
    auto const below = at->named_children();
    at = below.contains(step) ? below[step].get() : at->register_module(step, std::make_shared<torch::nn::Module>()).get();
  }
  return at->register_module(path.substr(begin), std::move(m));
}

/// y = x Wᵀ + b along the last dimension.
struct linear : torch::nn::Module {
  at::Tensor weight, bias;

  linear(index_t in, index_t out, bool with_bias = true) : weight(register_parameter("weight", at::empty({out, in}))) {
    if (with_bias) bias = register_parameter("bias", at::empty({out}));
  }
  at::Tensor operator()(at::Tensor const& x) const { return at::linear(x, weight, bias); }
};

/// 3 x 3 convolution of images [rows, channels, h, w] that keeps their size, or halves it with a stride of 2; zeros around.
struct convolution : torch::nn::Module {
  at::Tensor weight, bias;
  index_t const stride;

  convolution(index_t in, index_t out, index_t by = 1)
      : weight(register_parameter("weight", at::empty({out, in, 3, 3}))), bias(register_parameter("bias", at::empty({out}))), stride(by) {}
  at::Tensor operator()(at::Tensor const& x) const { return at::conv2d(x, weight, bias, stride, 1); }
};

/// Half sines, half cosines of f_j x, f_j = 100^(-j / (n/2 - 1)): numbers [...] become features [..., n].
struct sine_encoding : torch::nn::Module {
  at::Tensor frequencies;

  explicit sine_encoding(index_t features)
      : frequencies(register_buffer("freqs", at::pow(100.0, -at::linspace(0, 1, features / 2, at::kDouble)).to(at::kFloat))) {
    sda::require(features >= 4 && features % 2 == 0, "sine encoding: ", features, " features; an even number of at least 4");
  }
  at::Tensor operator()(at::Tensor const& x) const {
    auto const angle = x.unsqueeze(-1) * frequencies;
    return at::cat({angle.sin(), angle.cos()}, -1);
  }
};

/// Zero mean and unit variance along the last dimension.
inline at::Tensor layer_norm(at::Tensor const& x) { return at::layer_norm(x, {x.size(-1)}, {}, {}, 1e-5); }

/// Unit mean square along the last dimension; without an epsilon, that of the arithmetic.
inline at::Tensor rms_norm(at::Tensor const& x, double epsilon = 0) {
  if (epsilon == 0) epsilon = x.scalar_type() == at::kDouble ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon();
  return x * at::rsqrt(x.square().mean(-1, true) + epsilon);
}

/// What dropout multiplies activations of this shape by; undefined when it is off. Drawn apart from its use, so that what is
/// computed twice is the same twice.
inline at::Tensor dropout_mask(at::IntArrayRef shape, at::TensorOptions const& options, double p) {
  return p > 0 ? at::empty(shape, options).bernoulli_(1 - p).div_(1 - p) : at::Tensor();
}
inline at::Tensor dropped(at::Tensor const& x, at::Tensor const& mask) { return mask.defined() ? x * mask : x; }

/// Moves a network; its floating numbers become of this type, unlike with Module::to its integers stay what they are.
inline void convert(torch::nn::Module& m, at::Device device, at::ScalarType type) {
  torch::NoGradGuard const off;
  auto const move = [&](at::Tensor t) { t.set_data(t.to(device, t.is_floating_point() ? type : t.scalar_type())); };
  for (auto const& p : m.parameters()) move(p);
  for (auto const& b : m.buffers()) move(b);
}

/// The parameters that gradients are wanted of.
inline std::vector<at::Tensor> trained(torch::nn::Module const& m) {
  std::vector<at::Tensor> out;
  for (auto const& p : m.parameters())
    if (p.requires_grad()) out.push_back(p);
  return out;
}

/// Weights and biases of all linear maps and convolutions below m, uniform in ± 1/√(numbers that one output is made of).
inline void initialise_maps(torch::nn::Module& m, at::Generator const& g) {
  torch::NoGradGuard const off;
  auto const fill = [&](auto& map) {
    double const reach = 1 / std::sqrt(double(map.weight[0].numel()));
    map.weight.uniform_(-reach, reach, g);
    if (map.bias.defined()) map.bias.uniform_(-reach, reach, g);
  };
  for (auto const& part : m.modules(/*include_self=*/false)) {
    if (auto* const map = part->template as<linear>()) fill(*map);
    if (auto* const map = part->template as<convolution>()) fill(*map);
  }
}

}  // namespace appa
