// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/torch/tensors.hpp>

#include <cmath>

namespace lorenz96 {

/// What a window network is made of; part of its weights file.
struct network_shape {
  std::int64_t window = 17, hidden = 96, blocks = 6, kernel = 5, embedding = 64;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(network_shape, window, hidden, blocks, kernel, embedding)
};

/// F(x, c) on windows of states on a ring: [rows, window * ring] or [rows, window, ring] in and out, c the noise condition,
/// a number or one for each row. Sites are the positions of circular convolutions, the times of the window their channels:
/// the network commutes with rotations of the ring, and the same weights serve a ring of any size.
///
/// Each block adds W (a ⊙ b), where a and b are convolutions of the scaled, shifted, normalised stream; scale and
/// shift follow the noise level. The product gives a block the quadratic terms that the model itself is made of.
class window_network : public torch::nn::Module {
 public:
  explicit window_network(network_shape const& s) : shape(s) {
    namespace nn = torch::nn;
    sda::require(s.window >= 1 && s.hidden >= 1 && s.blocks >= 0 && s.kernel >= 1 && s.kernel % 2 == 1 && s.embedding >= 2 && s.embedding % 2 == 0,
                 "window network: window ", s.window, ", hidden ", s.hidden, ", blocks ", s.blocks, ", kernel ", s.kernel, " (odd), embedding ",
                 s.embedding, " (even)");
    embed_in = register_module("embed_in", nn::Linear(s.embedding, s.embedding));
    embed_out = register_module("embed_out", nn::Linear(s.embedding, s.embedding));
    first = register_module("first", nn::Conv1d(nn::Conv1dOptions(s.window, s.hidden, s.kernel)));
    for (std::int64_t i = 0; i < s.blocks; ++i) {
      auto const name = "block" + std::to_string(i) + "_";
      blocks.push_back({register_module(name + "level", nn::Linear(s.embedding, 2 * s.hidden)),
                        register_module(name + "in", nn::Conv1d(nn::Conv1dOptions(s.hidden, 2 * s.hidden, s.kernel))),
                        register_module(name + "out", nn::Conv1d(nn::Conv1dOptions(s.hidden, s.hidden, 1)))});
    }
    level = register_module("level", nn::Linear(s.embedding, 2 * s.hidden));
    last = register_module("last", nn::Conv1d(nn::Conv1dOptions(s.hidden, s.window, s.kernel)));
    start_small();
  }

  at::Tensor forward(at::Tensor const& x, at::Tensor const& c) {
    sda::require(x.dim() >= 2 && x.numel() % (x.size(0) * shape.window) == 0, "window network: a row of ", x.numel() / std::max<std::int64_t>(x.size(0), 1),
                 " numbers is no ", shape.window, " states");
    auto const e = embedding(c);
    auto h = around(first, x.reshape({x.size(0), shape.window, -1}));
    for (auto& b : blocks) h = h + b.out(gated(around(b.in, at_level(h, b.level(e)))));
    return around(last, at_level(h, level(e))).reshape(x.sizes());
  }
  at::Tensor forward(at::Tensor const& x, double c) { return forward(x, at::full({1}, c, x.options())); }

  network_shape const shape;

 private:
  struct block {
    torch::nn::Linear level;
    torch::nn::Conv1d in, out;
  };

  // Waves of the condition, which is a quarter of ln(sigma / alpha), from much longer than its range to finely resolving.
  at::Tensor embedding(at::Tensor const& c) {
    auto const frequency = at::logspace(std::log10(0.5), std::log10(20.0), shape.embedding / 2, 10, c.options());
    auto const angle = c.view({-1, 1}) * frequency;
    return at::silu(embed_out(at::silu(embed_in(at::cat({angle.cos(), angle.sin()}, 1)))));
  }
  // The stream with unit mean square at each site, scaled and shifted by what the level says.
  static at::Tensor at_level(at::Tensor const& h, at::Tensor const& modulation) {
    auto const normal = h * at::rsqrt(h.square().mean(1, true) + 1e-6);
    auto const m = modulation.unsqueeze(2).chunk(2, 1);
    return at::addcmul(m[1], normal, 1 + m[0]);
  }
  static at::Tensor gated(at::Tensor const& ab) {
    auto const factors = ab.chunk(2, 1);
    return factors[0] * factors[1];
  }
  static at::Tensor around(torch::nn::Conv1d& f, at::Tensor const& x) {
    std::int64_t const reach = f->weight.size(2) / 2, ring = x.size(2);
    sda::require(ring >= reach, "window network: a ring of ", ring, " sites; at least ", reach);
    return f(at::cat({x.narrow(2, ring - reach, reach), x, x.narrow(2, 0, reach)}, 2));
  }
  // Blocks start as the identity, the output at zero: the prior begins as the Gaussian that preconditioning stands for.
  void start_small() {
    torch::NoGradGuard const off;
    for (auto& b : blocks)
      for (auto& p : {b.level->weight, b.level->bias, b.out->bias}) p.zero_();
    for (auto& b : blocks) b.out->weight.mul_(0.1);
    for (auto& p : {level->weight, level->bias, last->weight, last->bias}) p.zero_();
  }

  torch::nn::Linear embed_in{nullptr}, embed_out{nullptr}, level{nullptr};
  torch::nn::Conv1d first{nullptr}, last{nullptr};
  std::vector<block> blocks;
};

}  // namespace lorenz96
