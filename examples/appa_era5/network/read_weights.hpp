// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/torch/tensors.hpp>

#include "weights/state_dict.hpp"

namespace appa {

/// Weights of a file, whoever wrote it, into a network; `prefix` picks tensors and is not part of their names. Lists of edges take
/// the length that they have in the file: how ties at a radius fall depends on rounding. All other differences are one sda::error.
inline void read_weights(torch::nn::Module& net, stored_tensors const& from, std::string const& prefix = "") {
  for (auto& b : net.named_buffers())
    if (b.key().ends_with("edges") && from.contains(prefix + b.key())) b.value().set_data(sda::to_torch(from[prefix + b.key()]));
  sda::read_tensors(from.path.string(), from.tensors, sda::state_of(net), prefix);
}

}  // namespace appa
