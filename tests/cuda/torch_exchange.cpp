// SPDX-License-Identifier: Apache-2.0
// Device states and LibTorch's tensors share memory and streams. Needs a LibTorch with CUDA.
#include "seam/sampling.hpp"

#include <sda/prior/parametrisation.hpp>
#include <sda/torch/graph.hpp>
#include <sda/torch/traced.hpp>
#include <sda/trajectory/communicator.hpp>
#undef CHECK  // LibTorch's logging has one too
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <cmath>
#include <limits>
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
// The second of two ranks of which the first has sent nines.
struct second_of_two {
  int rank() const { return 1; }
  int size() const { return 2; }
  template <class T> void all_gather(device_array<T>& x) const {
    std::vector<float> const nines(std::size_t(x.rows() / 2 * x.columns() * index_t(sizeof(T))) / sizeof(float), 9.0f);
    check_cuda(cudaMemcpyAsync(x.data(), nines.data(), nines.size() * sizeof(float), cudaMemcpyHostToDevice, x.stream()));
    check_cuda(cudaStreamSynchronize(x.stream()));
  }
};
static_assert(Communicator<tensor_communicator<second_of_two>, at::Tensor>);

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
  at::Tensor t = at::arange(1 << 20, at::TensorOptions().dtype(at::kFloat).device(at::kCUDA)).view({2, 1 << 19});
  auto const x = as_device_array<float>(t, s.of);  // made on another stream: waited for
  CHECK(x.data() == t.data_ptr());
  t = at::Tensor();
  std::vector<float> expected(1 << 20);
  std::iota(expected.begin(), expected.end(), 0.0f);
  CHECK(numbers(x) == expected);
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

TEST_CASE("ranks of device states gather tensors, strided ones too") {
  for (bool const turned : {false, true}) {
    at::Tensor x = at::ones({4, 6}, at::kCUDA);
    if (turned) x = at::ones({6, 4}, at::kCUDA).t();
    tensor_communicator{second_of_two{}}.all_gather(x);
    CHECK(x.narrow(0, 0, 2).eq(9).all().item<bool>());
    CHECK(x.narrow(0, 2, 2).eq(1).all().item<bool>());
  }
}

TEST_CASE("guided sampling through a network of LibTorch is one graph, whose memory nobody else gets") {
  torch::manual_seed(1);
  auto const hidden = std::make_shared<torch::nn::LinearImpl>(16, 32), out = std::make_shared<torch::nn::LinearImpl>(32, 16);
  for (auto const& layer : {hidden, out}) {
    layer->to(at::kCUDA);
    for (auto& p : layer->parameters()) p.set_requires_grad(false);
  }
  torch_function const f{[hidden, out](at::Tensor const& x, double c) { return out->forward(at::silu(hidden->forward(x + c))); }, at::kCUDA};
  through_torch const net{preconditioned{f, 1.0, 0.25}};
  using tangent = sda_test::foreign_denoiser::tangent;
  sda_test::foreign_denoiser const denoiser{[&](device_array<float> const& x, level l) { return net(x, l); },
                                            [&](device_array<float> const& x, level l) {
                                              auto const at = std::make_shared<decltype(net.linearize(x, l))>(net.linearize(x, l));
                                              return tangent{at->value(), [at](device_array<float> const& u) { return at->vjp(u); }};
                                            }};
  auto const runs = sda_test::sampled(denoiser, torch_recorder, [] {  // others allocate meanwhile, in every size
    for (std::int64_t n = 64; n <= 1 << 22; n *= 2) at::full({n}, std::numeric_limits<float>::quiet_NaN(), at::kCUDA);
    check_cuda(cudaDeviceSynchronize());
  });
  for (std::size_t i = 0; i < runs[0].size(); ++i) {
    CHECK(std::abs(runs[1][i] - runs[0][i]) < 1e-4f);
    CHECK(runs[2][i] == runs[1][i]);
  }
}

TEST_CASE("a function of CUDA tensors is one graph") {
  made_stream s;
  c10::cuda::CUDAStreamGuard const here(c10::cuda::getStreamFromExternal(s.of, 0));
  auto const weight = at::randn({8, 8}, at::kCUDA);
  graphed replay([&](at::Tensor const& x) { return at::mm(x, weight).tanh(); }, at::zeros({3, 8}, at::kCUDA), torch_recorder);
  auto const x = at::randn({3, 8}, at::kCUDA);
  CHECK(at::allclose(replay(x), at::mm(x, weight).tanh(), 1e-5, 1e-5));
}
