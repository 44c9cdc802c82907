// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <torch/torch.h>
#include <torch/version.h>

#include <ATen/autocast_mode.h>

namespace sda {

/// While it lives, this thread's matrix products and convolutions on the device run in a shorter type: bfloat16, or half on
/// CUDA; float changes nothing. Parameters, sums and normalisations stay in float.
class autocast {
 public:
  autocast(at::DeviceType device, at::ScalarType type) : device_(device), on_(type != at::kFloat) {
    if (!on_) return;
    require(type == at::kBFloat16 || (type == at::kHalf && device == at::kCUDA), "autocast: ", at::toString(type), " is not offered on ",
            c10::DeviceTypeName(device, true));
    set(true, type);
    at::autocast::increment_nesting();
  }
  ~autocast() {
    if (!on_) return;
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    set(false, at::kFloat);
  }
  autocast(autocast const&) = delete;
  autocast& operator=(autocast const&) = delete;

 private:
  void set(bool on, at::ScalarType type) const {
    namespace cast = at::autocast;
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
    cast::set_autocast_enabled(device_, on);
    if (on) cast::set_autocast_dtype(device_, type);
#else
    if (device_ == at::kCUDA) {
      cast::set_enabled(on);
      if (on) cast::set_autocast_gpu_dtype(type);
    } else {
      cast::set_cpu_enabled(on);
      if (on) cast::set_autocast_cpu_dtype(type);
    }
#endif
  }
  at::DeviceType device_;
  bool on_;
};

/// What a loss is multiplied by so that gradients in half precision neither vanish nor overflow: halved when they were not
/// finite, doubled after `patience` steps that were.
struct loss_scale {
  double value = 65536;
  std::int64_t patience = 2000, good = 0;

  void update(bool finite) {
    if (!finite) value = std::max(1.0, value / 2), good = 0;
    else if (++good == patience) value *= 2, good = 0;
  }
};

}  // namespace sda
