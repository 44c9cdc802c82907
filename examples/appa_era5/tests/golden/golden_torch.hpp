// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch_test.hpp>

#include <golden.hpp>
#include <sda/torch/tensors.hpp>

#include "network/layers.hpp"

// Reference values as tensors, and networks with the weights of a file.

namespace sda_test {

inline at::Tensor stored(golden const& file, std::string const& name, at::ScalarType type = at::kDouble) {
  auto const t = sda::to_torch(file[name]);
  return t.is_floating_point() ? t.to(type) : t;
}

/// max |a - b| / max |b| against outputs/name: the file's tolerance in double, twenty times the stored error in float.
inline void compare(golden const& file, std::string const& name, at::Tensor const& found) {
  auto const expected = sda::to_torch(file["outputs/" + name]).to(at::kDouble);
  INFO(file.path().filename().string() << ", " << name << ", " << found.toString());
  REQUIRE(found.sizes() == expected.sizes());
  double const distance = ((found.to(at::kDouble) - expected).abs().max() / expected.abs().max().clamp_min(1e-300)).item<double>();
  double const slack = found.scalar_type() == at::kDouble ? file.tolerance() : std::max(20 * file.config["float32_error"].value(name, 0.), 1e-6);
  CHECK(distance <= slack);
}

/// A network in its type, with the weights of the file.
template <class Net> void load_weights(Net& net, golden const& file, at::ScalarType type, std::string const& prefix = "weights/") {
  sda::read_tensors(file, sda::state_of(net), prefix);
  appa::convert(net, at::kCPU, type);
  net.eval();
}

}  // namespace sda_test
