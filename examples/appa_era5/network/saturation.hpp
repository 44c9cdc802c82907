// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <torch/torch.h>

#include <string>

namespace appa {

/// What keeps latents [rows, cells, channels] from growing, by its name in a configuration: within ± bound, or nearly so.
struct saturation {
  std::string kind = "softclip2";
  double bound = 5;

  at::Tensor operator()(at::Tensor const& z) const {
    if (kind == "none" || kind.empty()) return z;
    if (kind == "softclip") return z / (1 + z.abs() / bound);
    if (kind == "softclip2") return z * at::rsqrt(1 + (z / bound).square());
    if (kind == "tanh") return at::tanh(z / bound) * bound;
    if (kind == "asinh") return at::asinh(z);
    if (kind == "rmsnorm") return z * at::rsqrt(z.square().mean(-1, true) + 1e-5);
    throw sda::error("saturation \"" + kind + "\": softclip2, softclip, tanh, asinh, rmsnorm and none are known");
  }
};

}  // namespace appa
