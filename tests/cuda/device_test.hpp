// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/cuda/algebra.cuh>
#include <sda_test.hpp>

namespace sda_test {

/// A stream for all cases of one program.
inline cudaStream_t device_stream() {
  static cudaStream_t const s = [] {
    cudaStream_t made = nullptr;
    sda::check_cuda(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking));
    return made;
  }();
  return s;
}

/// A host array as a device state, its elements rounded to T, and back.
template <class T, class U> sda::device_array<T> to_device(sda::host_array<U> const& x) {
  std::vector<T> rounded(std::size_t(x.size()));
  for (std::size_t i = 0; i < rounded.size(); ++i) rounded[i] = static_cast<T>(static_cast<sda::kernels::compute_t<T>>(x.data()[i]));
  sda::device_array<T> y(x.rows(), x.cols(), device_stream());
  sda::load(y, rounded);
  return y;
}
template <class U = double, class T> sda::host_array<U> to_host(sda::device_array<T> const& x) {
  std::vector<T> raw(std::size_t(x.size()));
  sda::algebra<sda::device_array<T>>::store(x, std::span<T>(raw));
  sda::host_array<U> y(x.rows(), x.columns());
  for (std::size_t i = 0; i < raw.size(); ++i) y.data()[i] = static_cast<U>(static_cast<sda::kernels::compute_t<T>>(raw[i]));
  return y;
}

/// What rounding to T, a few times over, may do to a number of size one.
template <class T> inline constexpr double few_ulps = 1e-14;
template <> inline constexpr double few_ulps<float> = 1e-5;
template <> inline constexpr double few_ulps<__half> = 1e-2;
template <> inline constexpr double few_ulps<__nv_bfloat16> = 5e-2;

}  // namespace sda_test
