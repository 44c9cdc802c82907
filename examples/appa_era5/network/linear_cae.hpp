// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "cae.hpp"

// The linearisation of the convolutional decoder by hand. Autograd's dual numbers make the values anew with each product ahead, and its
// graph keeps more than is needed: here values are made once, two numbers are kept for each of a block's, and a product costs what the
// convolutions do.

namespace appa {

/// Wᵀ u of a convolution of stride 1 that keeps an image's size.
inline at::Tensor pulled_back(at::Tensor const& weight, at::Tensor const& u) {
  auto const like = at::empty({u.size(0), weight.size(1), u.size(2), u.size(3)}, u.options(), at::MemoryFormat::ChannelsLast);  // its shape counts
  return std::get<0>(at::convolution_backward(u, like, weight, at::IntArrayRef{weight.size(0)}, {1, 1}, {1, 1}, {1, 1}, false, {0, 0}, 1,
                                              {true, false, false}));
}
/// W v, without the bias.
inline at::Tensor pushed_ahead(at::Tensor const& weight, at::Tensor const& v) { return at::conv2d(v, weight, {}, 1, 1); }

/// x + W₂ silu(W₁ norm(x)) at an image x: v + W₂ s W₁ N v and u + N W₁ᵀ s W₂ᵀ u, with the norm's symmetric N and the slopes s.
class linear_block {
 public:
  linear_block(std::shared_ptr<residual_block const> of, at::Tensor const& x) : of_(std::move(of)), norm_(of_->norm_at(x)) {
    auto const hidden = (*of_->first)(norm_.value);
    value_ = x + (*of_->last)(at::silu(hidden));
    slopes_ = at::silu_backward(at::ones_like(hidden), hidden);
    norm_.value = at::Tensor();
  }
  at::Tensor const& value() const { return value_; }
  void forget_value() { value_ = at::Tensor(); }
  at::Tensor jvp(at::Tensor const& v) const { return v + pushed_ahead(of_->last->weight, slopes_ * pushed_ahead(of_->first->weight, norm_.product(v))); }
  at::Tensor vjp(at::Tensor const& u) const { return u + norm_.product(pulled_back(of_->first->weight, slopes_ * pulled_back(of_->last->weight, u))); }

 private:
  std::shared_ptr<residual_block const> of_;
  residual_block::local_norm norm_;
  at::Tensor slopes_, value_;
};

/// `cae::ascend_level` at an image x.
class linear_level {
 public:
  linear_level(cae const& net, index_t i, at::Tensor x, at::Tensor const& wanted = {}) : net_(&net), level_(i) {
    auto const& [convolve, blocks] = net.decoder_level(i);
    weight_ = wanted.defined() ? convolve->weight.index_select(0, wanted) : convolve->weight;
    auto const bias = wanted.defined() ? convolve->bias.index_select(0, wanted) : convolve->bias;
    if (i + 1 == net.levels()) begin_ = net.from_latents()->weight, x = (*net.from_latents())(x);
    for (auto const& b : blocks) {
      blocks_.emplace_back(b, x);
      x = blocks_.back().value();
      blocks_.back().forget_value();
    }
    value_ = net.finer(i, at::conv2d(net.enlarged(i, x), weight_, bias, 1, 1));
  }
  at::Tensor const& value() const { return value_; }
  void forget_value() { value_ = at::Tensor(); }

  at::Tensor jvp(at::Tensor v) const {
    if (begin_.defined()) v = pushed_ahead(begin_, v);
    for (auto const& b : blocks_) v = b.jvp(v);
    return net_->finer(level_, pushed_ahead(weight_, net_->enlarged(level_, v)));
  }
  at::Tensor vjp(at::Tensor u) const {
    u = net_->reduced(level_, pulled_back(weight_, net_->coarser(level_, u)));
    for (auto b = blocks_.rbegin(); b != blocks_.rend(); ++b) u = b->vjp(u);
    return begin_.defined() ? pulled_back(begin_, u) : u;
  }

 private:
  cae const* net_;
  index_t level_;
  at::Tensor begin_, weight_, value_;
  std::vector<linear_block> blocks_;
};

}  // namespace appa
