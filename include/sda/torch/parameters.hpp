// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <torch/torch.h>

#include <map>
#include <string>
#include <vector>

namespace sda {

/// A module's parameters moved into one contiguous tensor, their gradients into another: an optimiser's step, a norm, an
/// average, an all-reduce are then one pass over memory, however many layers there are. All must be of one type and device.
class flat_parameters {
 public:
  explicit flat_parameters(torch::nn::Module& module) {
    torch::NoGradGuard const off;
    std::vector<at::Tensor> pieces;
    for (auto const& p : module.named_parameters()) {
      require(pieces.empty() || p.value().options().type_equal(pieces.front().options()), "flat_parameters: ", p.key(),
              " differs in type or device from the parameters before it");
      parts_.push_back({p.key(), p.value().sizes().vec()});
      pieces.push_back(p.value().detach().reshape({-1}));
    }
    require(!pieces.empty(), "flat_parameters: a module without parameters");
    values_ = at::cat(pieces);
    gradients_ = at::zeros_like(values_);
    adopt(module);
  }

  /// The parameters of a module built the same way, with these values from now on and gradients of their own: a worker's copy.
  flat_parameters replica(torch::nn::Module& module) const {
    flat_parameters out(module);
    require(out.values_.sizes() == values_.sizes(), "flat_parameters: a replica of ", out.values_.numel(), " parameters for ", values_.numel());
    out.values_ = values_;
    out.adopt(module);
    return out;
  }

  at::Tensor const& values() const { return values_; }
  at::Tensor const& gradients() const { return gradients_; }

  /// Views, by parameter name and in its shape, into a tensor laid out like values().
  std::map<std::string, at::Tensor> named(at::Tensor const& flat) const {
    std::map<std::string, at::Tensor> out;
    std::int64_t offset = 0;
    for (auto const& [name, shape] : parts_) {
      std::int64_t const n = c10::multiply_integers(shape);
      out[name] = flat.narrow(0, offset, n).view(shape);
      offset += n;
    }
    return out;
  }

 private:
  struct part {
    std::string name;
    std::vector<std::int64_t> shape;
  };
  void adopt(torch::nn::Module& module) {
    torch::NoGradGuard const off;
    auto const values = named(values_), gradients = named(gradients_);
    for (auto& p : module.named_parameters()) {
      p.value().set_data(values.at(p.key()));
      p.value().mutable_grad() = gradients.at(p.key());
    }
  }

  std::vector<part> parts_;
  at::Tensor values_, gradients_;
};

}  // namespace sda
