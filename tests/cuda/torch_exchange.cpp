// SPDX-License-Identifier: Apache-2.0
// Device states and LibTorch's tensors share memory and streams. Needs a LibTorch with CUDA.
#include <sda/torch/device.hpp>
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <numeric>
#include <vector>

using namespace sda;

namespace {

struct made_stream {
  cudaStream_t of = nullptr;
  made_stream() { check_cuda(cudaStreamCreateWithFlags(&of, cudaStreamNonBlocking)); }
  ~made_stream() { cudaStreamDestroy(of); }
};
std::vector<float> numbers(device_array<float> const& x) {
  std::vector<float> out(std::size_t(x.size()));
  check_cuda(cudaMemcpyAsync(out.data(), x.data(), out.size() * sizeof(float), cudaMemcpyDeviceToHost, x.stream()));
  check_cuda(cudaStreamSynchronize(x.stream()));
  return out;
}
struct halved {
  at::Tensor operator()(at::Tensor const& x, level l) const { return x * (0.5 * l.alpha); }
};

}  // namespace

TEST_CASE("a tensor of a device state is the same memory, and outlives it") {
  made_stream s;
  at::Tensor t;
  float const* memory = nullptr;
  {
    device_array<float> x(3, 4, s.of);
    memory = x.data();
    torch_on_stream const here(x);
    t = as_tensor(x);
    t.copy_(at::arange(12, at::kFloat).view({3, 4}));
  }
  CHECK(t.data_ptr() == memory);
  CHECK(t.sum().item<float>() == 66);
}

TEST_CASE("a device state of a tensor is the same memory, and outlives it") {
  made_stream s;
  at::Tensor t = at::arange(6, at::TensorOptions().dtype(at::kFloat).device(at::kCUDA)).view({2, 3});
  check_cuda(cudaDeviceSynchronize());
  auto const x = as_device_array<float>(t, s.of);
  CHECK(x.data() == t.data_ptr());
  t = at::Tensor();
  CHECK(numbers(x) == std::vector<float>{0, 1, 2, 3, 4, 5});
  CHECK_THROWS_AS(as_device_array<double>(at::ones({2, 2}, at::kCUDA), s.of), error);
  CHECK_THROWS_AS(as_device_array<float>(at::ones({2, 3}, at::kCUDA).t(), s.of), error);
}

TEST_CASE("a denoiser of tensors denoises device states on their own stream") {
  made_stream s;
  device_array<float> x(1, 1 << 20, s.of);
  {
    torch_on_stream const here(x);
    as_tensor(x).fill_(4.0f);
    CHECK(c10::cuda::getCurrentCUDAStream().stream() == s.of);
  }
  auto const y = through_torch{halved{}}(x, level{0.5, 1});
  CHECK(y.stream() == s.of);
  CHECK(numbers(y) == std::vector<float>(1 << 20, 1.0f));
}
