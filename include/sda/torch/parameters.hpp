// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <torch/torch.h>

#include <map>
#include <string>
#include <vector>

namespace sda {

using named_tensors = std::map<std::string, at::Tensor>;

/// Where named tensors lie in one flat tensor that holds them end to end.
struct flat_layout {
  struct part {
    std::string name;
    std::vector<std::int64_t> shape;
  };
  std::vector<part> parts;

  /// Views, part by part and in its shape, into a flat tensor.
  std::vector<at::Tensor> views(at::Tensor const& flat) const {
    std::vector<at::Tensor> out;
    std::int64_t offset = 0;
    for (auto const& p : parts) {
      std::int64_t const n = c10::multiply_integers(p.shape);
      out.push_back(flat.narrow(0, offset, n).view(p.shape));
      offset += n;
    }
    return out;
  }
  /// The same by name.
  named_tensors named(at::Tensor const& flat, std::string const& prefix = "") const {
    named_tensors out;
    auto const all = views(flat);
    for (std::size_t i = 0; i < parts.size(); ++i) out[prefix + parts[i].name] = all[i];
    return out;
  }
};

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
      layout_.parts.push_back({p.key(), p.value().sizes().vec()});
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

  flat_layout const& layout() const { return layout_; }
  /// Views, by parameter name and in its shape, into a tensor laid out like values().
  named_tensors named(at::Tensor const& flat) const { return layout_.named(flat); }

 private:
  void adopt(torch::nn::Module& module) {
    torch::NoGradGuard const off;
    auto const values = named(values_), gradients = named(gradients_);
    for (auto& p : module.named_parameters()) {
      p.value().set_data(values.at(p.key()));
      p.value().mutable_grad() = gradients.at(p.key());
    }
  }

  flat_layout layout_;
  at::Tensor values_, gradients_;
};

}  // namespace sda
