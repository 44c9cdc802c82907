// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/torch/tensors.hpp>

#include "weights/state_dict.hpp"

namespace appa {

/// Weights of a file, whoever wrote it, into a network; `prefix` picks tensors and is not part of their names. Lists of edges take
/// the length that they have in the file: how ties at a radius fall depends on rounding. All other differences are one sda::error.
inline void read_weights(torch::nn::Module& net, stored_tensors const& from, std::string const& prefix = "") {
  torch::NoGradGuard const off;
  for (auto& b : net.named_buffers())
    if (b.key().ends_with("edges") && from.contains(prefix + b.key())) b.value().set_data(sda::to_torch(from[prefix + b.key()]));
  std::string wrong;
  auto const wanted = sda::state_of(net);
  for (auto const& [name, t] : wanted)
    if (!from.contains(prefix + name)) wrong += "\n  missing: " + prefix + name;
    else if (auto const& s = from[prefix + name].shape; s != t.sizes().vec())
      wrong += sda::detail::text("\n  ", prefix, name, ": stored as ", c10::str(at::IntArrayRef(s)), ", needed as ", c10::str(t.sizes()));
  for (auto const& [name, t] : from.tensors)
    if (name.starts_with(prefix) && !wanted.count(name.substr(prefix.size()))) wrong += "\n  not needed: " + name;
  sda::require(wrong.empty(), from.path.string(), " does not fit:", wrong);
  for (auto const& [name, t] : wanted) at::Tensor(t).copy_(sda::to_torch(from[prefix + name]));
}

}  // namespace appa
