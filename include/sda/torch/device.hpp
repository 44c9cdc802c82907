// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/level.hpp>
#include <sda/calculus/linearize.hpp>
#include <sda/cuda/device_array.hpp>

#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <memory>
#include <type_traits>
#include <utility>

// Device states and tensors of LibTorch on CUDA, without a copy. The wing's kernels are compiled by nvcc, which must never see
// torch's headers: a .cpp includes this header, a .cu includes sda/cuda/algebra.cuh, and device_array passes between them.

namespace sda {

namespace on_device {

inline at::ScalarType torch_type(float const*) { return at::kFloat; }
inline at::ScalarType torch_type(double const*) { return at::kDouble; }
inline at::ScalarType torch_type(__half const*) { return at::kHalf; }
inline at::ScalarType torch_type(__nv_bfloat16 const*) { return at::kBFloat16; }

inline c10::cuda::CUDAStream torch_stream(cudaStream_t s, c10::DeviceIndex device) {
  return s ? c10::cuda::getStreamFromExternal(s, device) : c10::cuda::getDefaultCUDAStream(device);
}
inline c10::DeviceIndex device_of(void const* p) {
  cudaPointerAttributes a{};
  check_cuda(cudaPointerGetAttributes(&a, p));
  return c10::DeviceIndex(a.device);
}

}  // namespace on_device

/// A tensor that shares the elements of x and keeps them alive.
template <class T> at::Tensor as_tensor(device_array<T> const& x) {
  auto const options = at::TensorOptions().dtype(on_device::torch_type(x.data()));
  if (x.size() == 0) return at::empty({x.rows(), x.columns()}, options.device(at::kCUDA));
  device_array<T> kept = x;
  T* const data = kept.data();
  return at::from_blob(data, {x.rows(), x.columns()}, [kept](void*) mutable {}, options.device(at::Device(at::kCUDA, on_device::device_of(data))));
}

/// A device state that shares the elements of a rows x columns tensor and keeps them alive; it is worked on along `stream`, or
/// along torch's current one. A tensor that is no contiguous CUDA matrix of T is refused, never converted.
template <class T> device_array<T> as_device_array(at::Tensor const& t, cudaStream_t stream) {
  T* const typed = nullptr;
  require(t.is_cuda() && t.dim() == 2 && t.is_contiguous() && t.scalar_type() == on_device::torch_type(typed),
          "as_device_array: needs a contiguous CUDA matrix of ", at::toString(on_device::torch_type(typed)), ", not ", t.dim(), " dimensions of ",
          t.toString());
  t.record_stream(on_device::torch_stream(stream, t.device().index()));  // torch's allocator waits for this stream too
  return {static_cast<T*>(t.data_ptr()), index_t(t.size(0)), index_t(t.size(1)), stream, std::make_shared<at::Tensor>(t)};
}
template <class T> device_array<T> as_device_array(at::Tensor const& t) {
  return as_device_array<T>(t, c10::cuda::getCurrentCUDAStream(t.device().index()).stream());
}

/// While it lives, torch works on the stream of x.
class torch_on_stream {
 public:
  template <class T> explicit torch_on_stream(device_array<T> const& x) : guard_(on_device::torch_stream(x.stream(), c10::cuda::current_device())) {}

 private:
  c10::cuda::CUDAStreamGuard guard_;
};

/// The linearisation of a denoiser of tensors, for device states.
template <class T, class L> class linear_through_torch {
 public:
  linear_through_torch(device_array<T> const& x, L inner)
      : inner_(std::move(inner)), stream_(x.stream()), value_(as_device_array<T>(at::Tensor(inner_.value()).contiguous(), stream_)) {}
  device_array<T> const& value() const { return value_; }
  device_array<T> vjp(device_array<T> const& u) const {
    torch_on_stream const here(u);
    return as_device_array<T>(at::Tensor(inner_.vjp(as_tensor(u))).contiguous(), stream_);
  }
  device_array<T> jvp(device_array<T> const& v) const
    requires requires(L const& l, at::Tensor const& t) { l.jvp(t); }
  {
    torch_on_stream const here(v);
    return as_device_array<T>(at::Tensor(inner_.jvp(as_tensor(v))).contiguous(), stream_);
  }

 private:
  L inner_;
  cudaStream_t stream_;
  device_array<T> value_;
};

/// A denoiser of tensors as a denoiser of device states, on their stream and without a copy.
template <class D> struct through_torch {
  D inner;

  template <class T> device_array<T> operator()(device_array<T> const& x, level l) const {
    torch_on_stream const here(x);
    return as_device_array<T>(inner(as_tensor(x), l).contiguous(), x.stream());
  }
  template <class T> auto linearize(device_array<T> const& x, level l) const
    requires requires(D const& d, at::Tensor const& t) { sda::linearize(d, t, l); }
  {
    torch_on_stream const here(x);
    return linear_through_torch<T, decltype(sda::linearize(inner, at::Tensor(), l))>(x, sda::linearize(inner, as_tensor(x), l));
  }
};
template <class D> through_torch(D) -> through_torch<D>;

}  // namespace sda
