// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/level.hpp>
#include <sda/calculus/linearize.hpp>
#include <sda/cuda/device_array.hpp>

#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cstddef>
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
// What is enqueued on `stream` from now on waits for what `other` holds.
inline void follow(cudaStream_t stream, cudaStream_t other) {
  if (stream == other) return;
  cudaEvent_t made = nullptr;
  check_cuda(cudaEventCreateWithFlags(&made, cudaEventDisableTiming));
  cudaError_t e = cudaEventRecord(made, other);
  if (e == cudaSuccess) e = cudaStreamWaitEvent(stream, made, 0);
  cudaEventDestroy(made);
  check_cuda(e);
}
// Named, so that LibTorch need not ask where a pointer lies: memory of a graph that is being recorded lies nowhere yet.
inline at::Device here() { return {at::kCUDA, c10::cuda::current_device()}; }

}  // namespace on_device

/// A tensor on the current device that shares the elements of x, which lie there, and keeps them alive; torch works on it while it is on
/// the stream of x (torch_on_stream).
template <class T> at::Tensor as_tensor(device_array<T> const& x) {
  auto const device = on_device::here();
  auto const options = at::TensorOptions().dtype(on_device::torch_type(x.data())).device(device);
  if (x.size() == 0) return at::empty({x.rows(), x.columns()}, options);
  device_array<T> kept = x;
  T* const data = kept.data();
  return at::from_blob(data, {x.rows(), x.columns()}, [kept](void*) mutable {}, options, device);
}

/// A device state that shares the elements of a rows x columns tensor and keeps them alive; it is worked on along `stream`, or
/// along torch's current one. Work of torch's current stream that may still make it is waited for, by the device. A tensor that is no
/// contiguous CUDA matrix of T is refused, never converted.
template <class T> device_array<T> as_device_array(at::Tensor const& t, cudaStream_t stream) {
  T* const typed = nullptr;
  require(t.is_cuda() && t.dim() == 2 && t.is_contiguous() && t.scalar_type() == on_device::torch_type(typed),
          "as_device_array: needs a contiguous CUDA matrix of ", at::toString(on_device::torch_type(typed)), ", not ", t.dim(), " dimensions of ",
          t.toString());
  on_device::follow(stream, c10::cuda::getCurrentCUDAStream(t.device().index()).stream());
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

/// Ranks of device states (nccl_communicator) as ranks of CUDA tensors, which travel along torch's current stream, byte by byte.
template <class C> struct tensor_communicator {
  C comm;

  int rank() const { return comm.rank(); }
  int size() const { return comm.size(); }
  void all_gather(at::Tensor& whole) const {
    require(whole.is_cuda() && whole.dim() >= 1, "tensor_communicator: needs a tensor of rows on a card");
    if (whole.numel() == 0) return;
    at::Tensor const there = whole.contiguous();
    auto const stream = c10::cuda::getCurrentCUDAStream(there.device().index()).stream();
    device_array<std::byte> bytes(static_cast<std::byte*>(there.data_ptr()), there.size(0), index_t(there.nbytes()) / there.size(0), stream, nullptr);
    comm.all_gather(bytes);
    if (!there.is_same(whole)) whole.copy_(there);
  }
};
template <class C> tensor_communicator(C) -> tensor_communicator<C>;

}  // namespace sda
