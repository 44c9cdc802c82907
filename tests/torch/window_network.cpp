// SPDX-License-Identifier: Apache-2.0
#include <torch_test.hpp>

#include <sda/prior/parametrisation.hpp>
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
  CHECK(sda_test::distance(at_x.jvp(v), slope) < 1e-7);   // central differences: h² of truncation, 1e-16 / h of rounding
}

TEST_CASE("windows of another length are refused") {
  auto net = random_network();
  CHECK_THROWS_AS(net.forward(at::randn({2, 41}), 0.1), sda::error);
  CHECK_THROWS_AS(window_network(network_shape{5, 8, 3, 4, 16}), sda::error);
}
