// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/torch/tensors.hpp>

namespace lorenz63 {

/// What a window network is made of; part of its weights file. `shared` is 1 where ρ is unknown and stands behind the states.
struct network_shape {
  std::int64_t window = 9, shared = 0, hidden = 128, blocks = 4, embedding = 32;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(network_shape, window, shared, hidden, blocks, embedding)
  std::int64_t columns() const { return 3 * window + shared; }
};

/// F(x, c) on rows of a window, c the noise condition, a number or one for each row: a residual network whose blocks add
/// W (a ⊙ sigmoid(b)), a and b linear in the scaled, shifted, normalised stream; scale and shift follow the noise level.
class window_network : public torch::nn::Module {
 public:
  explicit window_network(network_shape const& s) : shape(s) {
    namespace nn = torch::nn;
    sda::require(s.window >= 1 && s.shared >= 0 && s.hidden >= 1 && s.blocks >= 1 && s.embedding >= 2 && s.embedding % 2 == 0,
                 "window network: window ", s.window, ", shared ", s.shared, ", hidden ", s.hidden, ", blocks ", s.blocks, ", embedding ",
                 s.embedding, " (even)");
    embed_ = register_module("embed", nn::Linear(s.embedding, s.embedding));
    first_ = register_module("first", nn::Linear(s.columns(), s.hidden));
    for (std::int64_t i = 0; i < s.blocks; ++i) {
      auto const name = "block" + std::to_string(i) + "_";
      blocks_.push_back({register_module(name + "level", nn::Linear(s.embedding, 2 * s.hidden)),
                         register_module(name + "in", nn::Linear(s.hidden, 2 * s.hidden)),
                         register_module(name + "out", nn::Linear(s.hidden, s.hidden))});
    }
    last_ = register_module("last", nn::Linear(s.hidden, s.columns()));
    torch::NoGradGuard const off;  // the prior begins as the Gaussian that preconditioning stands for
    for (auto& b : blocks_) b.level->weight.zero_(), b.level->bias.zero_(), b.out->weight.mul_(0.1);
    last_->weight.zero_(), last_->bias.zero_();
  }

  at::Tensor forward(at::Tensor const& x, at::Tensor const& c) {
    auto const frequency = at::logspace(-0.3, 1.3, shape.embedding / 2, 10, c.options());
    auto const angle = c.view({-1, 1}) * frequency;
    auto const e = at::silu(embed_(at::cat({angle.cos(), angle.sin()}, 1)));
    auto h = first_(x);
    for (auto& b : blocks_) {
      auto const m = b.level(e).chunk(2, 1);
      auto const normal = h * at::rsqrt(h.square().mean(1, true) + 1e-6);
      h = h + b.out(at::glu(b.in(at::addcmul(m[1], normal, 1 + m[0])), 1));
    }
    return last_(h);
  }
  at::Tensor forward(at::Tensor const& x, double c) { return forward(x, at::full({1}, c, x.options())); }

  network_shape const shape;

 private:
  struct block {
    torch::nn::Linear level, in, out;
  };
  torch::nn::Linear embed_{nullptr}, first_{nullptr}, last_{nullptr};
  std::vector<block> blocks_;
};

}  // namespace lorenz63
