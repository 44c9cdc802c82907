// SPDX-License-Identifier: Apache-2.0
// What MMPS costs beside the calls it makes: one guided evaluation of the shipped Lorenz-96 network, and the same forward and
// backward passes alone.
#include "../examples/lorenz96/network.hpp"

#include <benchmark/benchmark.h>
#include <sda/eigen.hpp>
#include <sda/guidance/mmps.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/masked.hpp>
#include <sda/observation/pointwise.hpp>
#include <sda/prior/parametrisation.hpp>
#include <sda/torch.hpp>

#include <numeric>

using namespace sda;

namespace {

constexpr int iterations = 2;
constexpr index_t ring = 40;
level const here{1.0, 0.7};

struct shipped {
  std::shared_ptr<lorenz96::window_network> net;
  double sigma_data, noise_scale;

  shipped() {
    safetensors::archive const file(LORENZ96_WEIGHTS);
    auto const config = nlohmann::json::parse(file.metadata().at("config"));
    net = std::make_shared<lorenz96::window_network>(config.at("network").get<lorenz96::network_shape>());
    sigma_data = config.at("sigma_data"), noise_scale = config.at("noise_scale");
    read_tensors(file, state_of(*net));
    for (auto& p : net->parameters()) p.set_requires_grad(false);
    net->eval();
  }
  index_t width() const { return net->shape.window * ring; }
};
shipped const& network() {
  static shipped const loaded;
  return loaded;
}

template <class S> S normals(index_t r, index_t c, key k) {
  S x;
  if constexpr (std::same_as<S, at::Tensor>) x = at::zeros({r, c});
  else x = S::Zero(r, c);
  lincomb(x, noise{1.0, k});
  return x;
}

// One forward pass, then a backward pass for each iteration and one for the update.
void network_alone(benchmark::State& state) {
  auto const start = normals<at::Tensor>(state.range(0), network().width(), key{1});
  auto const u = normals<at::Tensor>(state.range(0), network().width(), key{2});
  for (auto _ : state) {
    auto const x = start.detach().requires_grad_();
    auto const y = network().net->forward(x, 0.1);
    for (int i = 0; i <= iterations; ++i) benchmark::DoNotOptimize(torch::autograd::grad({y}, {x}, {u}, true));
  }
}

// The arctan of every fourth number.
template <class S> void mmps_step(benchmark::State& state) {
  index_t const width = network().width();
  auto const x = normals<S>(state.range(0), width, key{1});
  std::vector<std::int64_t> seen(std::size_t(width / 4));
  for (std::size_t i = 0; i < seen.size(); ++i) seen[i] = std::int64_t(4 * i);
  torch_function const net{[n = network().net](at::Tensor const& z, double c) { return n->forward(z, c); }};
  mmps const guided{preconditioned{net, network().sigma_data, network().noise_scale},
                    observation{composed{pointwise{arctan{}}, masked<S>{x, seen, width}}, normals<S>(1, width / 4, key{3}), scalar_error{0.01}},
                    gmres{iterations}};
  for (auto _ : state) benchmark::DoNotOptimize(guided(x, here));
}

}  // namespace

#define SDA_BENCH(name) BENCHMARK(name)->Arg(1)->Arg(20)->Arg(100)->UseRealTime()
SDA_BENCH(network_alone);
SDA_BENCH(mmps_step<host_array<float>>);
SDA_BENCH(mmps_step<at::Tensor>);

BENCHMARK_MAIN();
