// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch_test.hpp>

#include "assimilate/guidance.hpp"
#include "network/cae.hpp"
#include "network/from_config.hpp"
#include "network/vidit.hpp"

#include <sda/calculus/schedule.hpp>

namespace sda_test {

using appa::index_t;

/// A small autoencoder, larger than its convolutions reach; its decoder is far from linear, or, with `linear`, affine.
inline std::shared_ptr<appa::cae> small_space(bool linear = false, bool patches = false) {
  appa::cae_options o;
  o.in_channels = 3, o.shape = {45, 64}, o.resize = 4, o.lat_channels = 2, o.noise_level = 0.02;
  o.hid_channels = patches ? std::vector<index_t>{6, 8} : std::vector<index_t>{4, 6, 8};
  o.hid_blocks = std::vector<index_t>(o.hid_channels.size(), 1);
  if (patches) o.patch_size = {2, 2}, o.pixel_shuffle = false;
  auto const net = std::make_shared<appa::cae>(o);
  net->initialise(sda::key{1});
  net->eval();  // nothing is drawn in decoding
  torch::NoGradGuard const off;
  for (auto const& p : net->named_parameters())
    if (p.key().find("ffn.3") != std::string::npos) p.value().mul_(linear ? 0 : 100);
  for (auto const& p : net->parameters()) p.set_requires_grad(false);
  return net;
}

/// What a system has beside its two networks, here with two channels of latents.
inline void finish(appa::trained_system& s, at::ScalarType type) {
  for (torch::nn::Module* net : {static_cast<torch::nn::Module*>(s.space.get()), static_cast<torch::nn::Module*>(s.net.get())}) {
    net->eval();
    for (auto const& p : net->parameters()) p.set_requires_grad(false);
    appa::convert(*net, at::kCPU, type);
  }
  s.type = type;
  s.scale = {at::tensor({0.1, -0.2}, at::kFloat), at::tensor({0.5, 2.0}, at::kFloat), 0.02};
  s.schedule = sda::rectified{1e-3, 1e3};
}

/// A system without training: its prior is N(0, 1) if `plain`, else what a network with random weights says.
inline appa::trained_system small_system(at::ScalarType type = at::kFloat, bool plain = true, bool linear = true) {
  appa::trained_system s;
  auto const space = small_space(linear);
  s.space = space;
  appa::vidit_options o;
  o.state = {space->cells()[0], space->cells()[1], 2};
  o.blanket_size = 4, o.patch_size = {2, 3, 3}, o.mod_features = 8, o.hid_channels = 16, o.hid_blocks = 1, o.attention_heads = 2;
  s.net = std::make_shared<appa::vidit>(o);
  s.net->initialise(sda::key{2});
  torch::NoGradGuard const off;
  for (auto const& p : s.net->named_parameters())
    if (plain && p.key().find("out_proj") == 0) p.value().zero_();
  finish(s, type);
  return s;
}

/// ... with networks on graphs, of random weights that make the decoder far from linear.
inline appa::trained_system small_graph_system(at::ScalarType type = at::kFloat) {
  auto const config = nlohmann::json::parse(R"({
    "data": {"grid": "16x9", "context": ["tisr"]},
    "ae": {"name": "ico1to0", "in_channels": 3, "latent_channels": 2, "ico_divisions": [1, 0], "hid_channels": [8, 8], "heads": [2, 2],
           "self_attention_blocks": [1, 1], "self_attention_hops": [1, 1], "noise_level": 0.02},
    "backbone": {"name": "graphdit", "blanket_size": 4, "hidden_channels": 8, "hidden_blocks": 1, "heads": 2, "mod_features": 8,
                 "self_attention_hops": 1, "cross_attention_hops": 1}})");
  appa::trained_system s;
  s.space = appa::autoencoder_from(config);
  s.net = appa::backbone_from(appa::with_latents(config, s.space->where(), s.space->latents()));
  s.space->initialise(sda::key{1}), s.net->initialise(sda::key{2});
  torch::NoGradGuard const off;
  for (auto const& p : s.space->named_parameters())
    if (p.key().find("ffn.3") != std::string::npos) p.value().mul_(100);
  finish(s, type);
  return s;
}

/// Some numbers of a state, bilinear in pairs if asked.
inline appa::sight some_sight(appa::trained_system const& s, index_t count, sda::key k, int corners = 1) {
  appa::sight out;
  index_t const numbers = s.space->points() * s.space->channels();
  out.corners = corners;
  for (index_t i = 0; i < count; ++i) {
    for (int c = 0; c < corners; ++c) {
      out.columns.push_back(index_t(sda::uniform(k, i, 4 * c) * double(numbers)));
      if (corners > 1) out.weights.push_back(float(sda::uniform(k, i, 4 * c + 1)));
    }
    out.values.push_back(sda::normal<float>(k.fold(1), i, 0));
    out.variances.push_back(0.01f + 0.1f * float(i % 3));
  }
  return out;
}

inline at::Tensor normal_tensor(index_t n, index_t columns, sda::key k, at::ScalarType type = at::kDouble) {
  auto x = at::zeros({n, columns}, type);
  sda::lincomb(x, sda::noise{1.0, k});
  return x;
}

}  // namespace sda_test
