// SPDX-License-Identifier: Apache-2.0
#include <torch_test.hpp>

#include <sda/calculus/ode.hpp>
#include <sda/calculus/schedule.hpp>
#include <sda/model/lorenz96.hpp>
#include <sda/prior/parametrisation.hpp>
#include <sda/sampler/ddim.hpp>
#include <sda/sampler/sample.hpp>
#include <sda/torch.hpp>

#include "../../examples/lorenz96/network.hpp"

using namespace lorenz96;

namespace {

// Small, with every parameter random, so that no branch is near zero or the identity.
window_network random_network() {
  torch::manual_seed(1);
  window_network net(network_shape{5, 8, 3, 5, 16});
  torch::NoGradGuard const off;
  for (auto& p : net.parameters()) p.normal_(0, 0.3);
  return net;
}

}  // namespace

TEST_CASE("the window network commutes with rotations of the ring") {
  auto net = random_network();
  torch::NoGradGuard const off;
  auto const x = at::randn({3, 5, 40});
  CHECK(at::allclose(net.forward(x.roll(7, 2), 0.3), net.forward(x, 0.3).roll(7, 2), 1e-4, 1e-5));
}

TEST_CASE("on a ring that repeats, the window network repeats") {
  auto net = random_network();
  torch::NoGradGuard const off;
  auto const x = at::randn({2, 5, 40});
  CHECK(at::allclose(net.forward(x.repeat({1, 1, 100}), -0.5), net.forward(x, -0.5).repeat({1, 1, 100}), 1e-4, 1e-5));
}

TEST_CASE("rows of states and windows of rings are the same to the network, one condition a row or one for all") {
  auto net = random_network();
  torch::NoGradGuard const off;
  auto const x = at::randn({4, 5, 40});
  auto const y = net.forward(x, 0.7);
  CHECK(at::allclose(net.forward(x.view({4, 200}), 0.7), y.view({4, 200})));
  CHECK(at::allclose(net.forward(x, at::full({4}, 0.7)), y, 1e-4, 1e-5));
}

TEST_CASE("an untrained window network leaves the preconditioned prior Gaussian") {
  window_network net(network_shape{5, 8, 3, 5, 16});
  sda::preconditioned const d{sda::torch_function{[&](at::Tensor const& x, double c) { return net.forward(x, c); }}};
  auto const x = sda_test::normals<float>(2, 200, sda::key{1});
  CHECK(sda_test::distance(d(x, sda::level{1, 2}), x / 5) < 1e-6);
}

TEST_CASE("both products with the preconditioned network's Jacobian agree: <u, J v> = <Jᵀ u, v>") {
  auto net = random_network();
  sda::preconditioned const d{sda::torch_function{[&](at::Tensor const& x, double c) { return net.forward(x, c); }, at::kCPU, at::kDouble}};
  net.to(at::kDouble);
  auto const x = sda_test::normals(2, 200, sda::key{1}), u = sda_test::normals(2, 200, sda::key{2}), v = sda_test::normals(2, 200, sda::key{3});
  auto const at_x = sda::linearize(d, x, sda::level{0.8, 0.6});
  double const uv = (u * at_x.jvp(v)).sum(), vu = (at_x.vjp(u) * v).sum();
  CHECK(uv == Approx(vu).epsilon(1e-12));
  double const h = 1e-6;
  sda::host_array<double> const beyond = x + h * v, before = x - h * v;
  sda::host_array<double> const slope = (d(beyond, sda::level{0.8, 0.6}) - d(before, sda::level{0.8, 0.6})) / (2 * h);
  CHECK(sda_test::distance(at_x.jvp(v), slope) < 1e-7);  // central differences: h² of truncation, 1e-16 / h of rounding
}

TEST_CASE("windows of another length are refused") {
  auto net = random_network();
  CHECK_THROWS_AS(net.forward(at::randn({2, 41}), 0.1), sda::error);
  CHECK_THROWS_AS(window_network(network_shape{5, 8, 3, 4, 16}), sda::error);
}

TEST_CASE("what the shipped weights dream of follows the model, on a small and on a large ring") {
  sda::safetensors::archive const stored(SDA_SOURCE_DIR "/examples/lorenz96/weights/lorenz96.safetensors");
  auto const config = nlohmann::json::parse(stored.metadata().at("config"));
  at::set_num_threads(1);  // small work: threads would only wait for one another
  window_network net(config.at("network").get<network_shape>());
  sda::read_tensors(stored, sda::state_of(net));
  sda::preconditioned const d{sda::torch_function{[&](at::Tensor const& x, double c) { return net.forward(x, c); }}};
  sda::flow const model{sda::lorenz96{config.at("forcing")}, config.at("spacing"), 1};
  for (auto [ring, n] : {std::pair<sda::index_t, sda::index_t>{40, 2}, {160, 1}}) {
    auto const like = sda_test::normals<float>(n, net.shape.window * ring, sda::key{1});
    auto const x = sda::sample(sda::ddim{}, d, sda::rectified{1e-2, 1e2}, 24, like, sda::key{2});
    sda::host_array<double> const states = x.cast<double>() * config.at("deviation").get<double>() + config.at("mean").get<double>();
    double residual = 0, change = 0;  // of the model's step from each state, and of no step at all
    for (sda::index_t t = 0; t + 1 < net.shape.window; ++t) {
      sda::host_array<double> const now = states.middleCols(t * ring, ring);
      residual += (states.middleCols((t + 1) * ring, ring) - model(now)).square().sum();
      change += (states.middleCols((t + 1) * ring, ring) - now).square().sum();
    }
    CHECK(std::sqrt(residual) < 0.2 * std::sqrt(change));
    double const deviation = std::sqrt((states - states.mean()).square().mean());
    CHECK((deviation > 2.5 && deviation < 4.5));
  }
}
