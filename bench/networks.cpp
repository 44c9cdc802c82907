// SPDX-License-Identifier: Apache-2.0
// What networks spend their time on, beside a product of matrices: exact attention of the published Appa's tokens, and 3 x 3 convolutions
// of the tiny system's levels. Items are floating point operations, two for each product and sum.
#include <benchmark/benchmark.h>
#include <sda/calculus/attention.hpp>
#include <sda/torch.hpp>

using sda::index_t;

namespace {

int const all_threads = at::get_num_threads();

void count(benchmark::State& state, double operations) { state.SetItemsProcessed(state.iterations() * std::int64_t(operations)); }

// LibTorch's product of two square matrices, on all threads.
void product(benchmark::State& state) {
  torch::NoGradGuard const off;
  at::set_num_threads(all_threads);
  auto const n = state.range(0);
  auto const a = at::randn({n, n}), b = at::randn({n, n});
  auto c = at::empty({n, n});
  for (auto _ : state) benchmark::DoNotOptimize(at::mm_out(c, a, b));
  count(state, 2. * double(n) * double(n) * double(n));
}

// 4 heads of 64 numbers, on all threads.
void attention(benchmark::State& state) {
  constexpr index_t heads = 4, depth = 64;
  at::set_num_threads(all_threads);
  auto const n = index_t(state.range(0));
  auto const q = at::randn({heads, n, depth}), k = at::randn({heads, n, depth}), v = at::randn({heads, n, depth});
  auto out = at::empty_like(q);
  for (auto _ : state)
    sda::attend(heads, n, n, depth, depth, 0.125f, q.data_ptr<float>(), k.data_ptr<float>(), v.data_ptr<float>(), out.data_ptr<float>());
  count(state, 4. * double(heads) * double(n) * double(n) * double(depth));
}

// Of `images` channels-last images, 32 channels of 36 x 72 or twice the channels of half the size ..., on one thread each.
struct level {
  index_t images, channels, height, width;
  at::Tensor weight, bias, x;
  explicit level(benchmark::State const& state)
      : images(state.range(0)), channels(state.range(1)), height(36 * 32 / channels), width(2 * height), weight(last({channels, channels, 3, 3})),
        bias(at::randn({channels})), x(last({images, channels, height, width})) {}
  static at::Tensor last(at::IntArrayRef shape) { return at::randn(shape).contiguous(at::MemoryFormat::ChannelsLast); }
  double operations() const { return 18. * double(channels * channels * height * width * images); }
};

void convolution(benchmark::State& state) {
  torch::NoGradGuard const off;
  at::set_num_threads(1);
  level const of(state);
  for (auto _ : state) benchmark::DoNotOptimize(at::conv2d(of.x, of.weight, of.bias, 1, 1));
  count(state, of.operations());
}

// Wᵀ u
void convolution_back(benchmark::State& state) {
  torch::NoGradGuard const off;
  at::set_num_threads(1);
  level const of(state);
  for (auto _ : state)
    benchmark::DoNotOptimize(at::convolution_backward(of.x, of.x, of.weight, at::IntArrayRef{of.channels}, {1, 1}, {1, 1}, {1, 1}, false, {0, 0}, 1, {true, false, false}));
  count(state, of.operations());
}

}  // namespace

BENCHMARK(product)->Arg(4096)->UseRealTime();
BENCHMARK(attention)->Arg(12972)->UseRealTime();
BENCHMARK(convolution)->ArgsProduct({{1, 4, 24}, {32, 64, 128}})->Threads(1)->Threads(4)->UseRealTime();
BENCHMARK(convolution_back)->ArgsProduct({{1, 4, 24}, {32, 64, 128}})->Threads(1)->Threads(4)->UseRealTime();

BENCHMARK_MAIN();
