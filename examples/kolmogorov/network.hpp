// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "window_gaussian.hpp"

#include <sda/torch/tensors.hpp>

// SDA's local score of 2 k + 1 states of Kolmogorov flow (Rozet & Louppe, 2023): a U-Net on a torus, the frames its channels, and a channel
// more that shows the forcing. Ours corrects the Gaussian of the window's waves, whose posterior mean ω̂ it is told of with the velocity
// û that belongs to it and what that carries away, so that even a short training ends at least at the Gaussian. In Karras's form
// (prior/parametrisation.hpp), with r = σ / α and x of unit variance,
//
//   F(x, c) = F_Gaussian + H V √(λ (r² + 1) / (λ + r²)) Vᵀ Hᵀ net(ω̂, F_Gaussian, 4 û, û·∇ω̂, sin 4 y; c):
//
// what the Gaussian leaves open is how far the network can move each wave, and what it moves has unit variance at most.

namespace kolmogorov {

/// What a window network is made of; part of its weights file. SDA's has patch 1, channels 96, 192, 384, and 3 blocks.
struct network_shape {
  std::int64_t points = 64, window = 5;
  std::int64_t patch = 2;   // points x points that become one pixel of more channels before the first convolution
  std::vector<std::int64_t> channels{32, 48, 64};
  std::int64_t blocks = 1, kernel = 3, embedding = 64;
  bool forcing = true;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(network_shape, points, window, patch, channels, blocks, kernel, embedding, forcing)
};

/// The U-Net: [rows, in, ny, nx] to [rows, out, ny, nx], a number of the noise level for each row or for all. On the way down and up every
/// resolution has `blocks` blocks x + f(x + W e), f: norm over channels, convolution to a and b, a ⊙ SiLU(b), convolution; what went down is
/// added on the way up. SDA's have no a: the product gives a block the quadratic terms of advection.
class unet : public torch::nn::Module {
 public:
  unet(network_shape const& s, std::int64_t in, std::int64_t out) : shape_(s) {
    namespace nn = torch::nn;
    auto const& c = s.channels;
    auto const area = s.patch * s.patch;
    embed_in_ = register_module("embed_in", nn::Linear(s.embedding, s.embedding));
    embed_out_ = register_module("embed_out", nn::Linear(s.embedding, s.embedding));
    first_ = convolution("first", in * area, c.front());
    for (std::size_t i = 0; i < c.size(); ++i) {
      auto const at = std::to_string(i) + "_";
      stage& here = stages_.emplace_back();
      if (i > 0) here.enter = convolution("enter" + at, c[i - 1], c[i], 2), here.leave = convolution("leave" + at, c[i], c[i - 1]);
      for (std::int64_t b = 0; b < s.blocks; ++b) {
        here.down.push_back(make_block("down" + at + std::to_string(b), c[i]));
        if (i + 1 < c.size()) here.up.push_back(make_block("up" + at + std::to_string(b), c[i]));
      }
    }
    last_ = convolution("last", c.front(), out * area);
    torch::NoGradGuard const off;   // the prior begins as the Gaussian
    last_->weight.zero_(), last_->bias.zero_();
  }

  at::Tensor forward(at::Tensor const& x, at::Tensor const& c) {
    auto const e = embedding(c);
    auto h = first_(at::pixel_unshuffle(x, shape_.patch));
    std::vector<at::Tensor> passed;
    for (auto& s : stages_) {
      if (s.enter) h = s.enter(h);
      for (auto& b : s.down) h = through(b, h, e);
      passed.push_back(h);
    }
    for (std::size_t i = stages_.size(); i-- > 1;) {
      auto const& finer = passed[i - 1];
      h = stages_[i].leave(at::upsample_nearest2d(h, {finer.size(2), finer.size(3)})) + finer;
      for (auto& b : stages_[i - 1].up) h = through(b, h, e);
    }
    return at::pixel_shuffle(last_(normal(h)), shape_.patch);
  }

 private:
  struct block {
    torch::nn::Linear level{nullptr};
    torch::nn::Conv2d in{nullptr}, out{nullptr};
  };
  struct stage {
    torch::nn::Conv2d enter{nullptr}, leave{nullptr};
    std::vector<block> down, up;
  };

  torch::nn::Conv2d convolution(std::string const& name, std::int64_t from, std::int64_t to, std::int64_t stride = 1) {
    return register_module(name, torch::nn::Conv2d(torch::nn::Conv2dOptions(from, to, shape_.kernel)
                                                       .stride(stride)
                                                       .padding(shape_.kernel / 2)
                                                       .padding_mode(torch::kCircular)));
  }
  block make_block(std::string const& name, std::int64_t width) {
    block b{register_module(name + "_level", torch::nn::Linear(shape_.embedding, width)), convolution(name + "_in", width, width),
            convolution(name + "_out", width / 2, width)};
    torch::NoGradGuard const off;
    b.out->weight.mul_(0.1), b.out->bias.zero_();
    return b;
  }
  static at::Tensor normal(at::Tensor const& h) {
    auto const away = h - h.mean(1, true);
    return away * at::rsqrt(away.square().mean(1, true) + 1e-5);
  }
  static at::Tensor through(block& b, at::Tensor const& h, at::Tensor const& e) {
    auto const factors = b.in(normal(h + b.level(e).unsqueeze(2).unsqueeze(3))).chunk(2, 1);
    return h + b.out(factors[0] * at::silu(factors[1]));
  }
  // Waves of the condition, which is a quarter of ln(sigma / alpha), from much longer than its range to finely resolving.
  at::Tensor embedding(at::Tensor const& c) {
    auto const frequency = at::logspace(std::log10(0.5), std::log10(20.0), shape_.embedding / 2, 10, c.options());
    auto const angle = c.view({-1, 1}) * frequency;
    return at::silu(embed_out_(at::silu(embed_in_(at::cat({angle.cos(), angle.sin()}, 1)))));
  }

  network_shape const shape_;
  torch::nn::Linear embed_in_{nullptr}, embed_out_{nullptr};
  torch::nn::Conv2d first_{nullptr}, last_{nullptr};
  std::vector<stage> stages_;
};

/// F(x, c) on rows of standardised windows, [rows, window points points] in and out, c a quarter of ln(sigma / alpha), a number or one a row.
class window_network : public torch::nn::Module {
 public:
  explicit window_network(network_shape const& s) : window_network(s, std::make_shared<window_gaussian>(s.window, s.points)) {}
  window_network(network_shape const& s, std::shared_ptr<window_gaussian> g) : shape(checked(s)), gaussian(register_module("gaussian", std::move(g))) {
    net_ = register_module("net", std::make_shared<unet>(s, 5 * s.window + s.forcing, s.window));
  }

  at::Tensor forward(at::Tensor const& x, at::Tensor const& c) {
    auto const own = x.reshape({x.size(0), shape.window, shape.points, shape.points});
    auto const r = (4 * c.to(at::kDouble)).exp().to(x.scalar_type()), field_r = r.view({-1, 1, 1, 1}), r2 = r.square();
    auto const &m = gaussian->mean(), &lambda = gaussian->variance();   // λ [points², T, 1], modes [points², T, rows]
    auto const size = (field_r.square() + 1).sqrt();
    auto const from = gaussian->fields(r * (lambda - 1) / (lambda + r2) * gaussian->modes(own - m / size)) + field_r / size * m;
    auto const said = net_->forward(at::cat(told((own + field_r * from) / size, from), 1), c);
    auto const reach = (lambda * (r2 + 1) / (lambda + r2)).sqrt();
    return (from + gaussian->fields(reach * gaussian->modes(said))).reshape(x.sizes());
  }
  at::Tensor forward(at::Tensor const& x, double c) { return forward(x, at::full({1}, c, x.options())); }

  network_shape const shape;
  std::shared_ptr<window_gaussian> const gaussian;

 private:
  static network_shape const& checked(network_shape const& s) {
    auto const even = [](std::int64_t n) { return n >= 2 && n % 2 == 0; };
    sda::require(s.window >= 1 && s.window % 2 == 1 && s.patch >= 1 && !s.channels.empty() && s.channels.size() < 16 && s.blocks >= 1 && s.kernel >= 1 &&
                     s.kernel % 2 == 1 && even(s.embedding) && std::all_of(s.channels.begin(), s.channels.end(), even),
                 "window network: window ", s.window, " (odd), patch ", s.patch, ", ", s.channels.size(), " widths (even), ", s.blocks, " blocks, kernel ", s.kernel,
                 " (odd), embedding ", s.embedding, " (even)");
    auto const coarsest = s.patch << (s.channels.size() - 1);
    sda::require(s.points % coarsest == 0 && s.points / coarsest > s.kernel / 2, "window network: ", s.points, " points in patches of ", s.patch, ", halved ",
                 s.channels.size() - 1, " times");
    return s;
  }
  std::vector<at::Tensor> told(at::Tensor const& guess, at::Tensor const& from) const {
    auto const [u, v] = gaussian->velocity(guess);
    std::vector<at::Tensor> out{guess, from, 4 * u, 4 * v, gaussian->carried(u, v, guess)};   // u is smaller than ω by the wave number of what is large
    if (shape.forcing) {
      auto const y = at::arange(shape.points, guess.options().requires_grad(false)) * (2 * std::numbers::pi / double(shape.points));
      out.push_back((4 * y).sin().view({1, 1, -1, 1}).expand({guess.size(0), 1, shape.points, shape.points}));
    }
    return out;
  }
  std::shared_ptr<unet> net_;
};

}  // namespace kolmogorov
