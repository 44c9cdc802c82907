// SPDX-License-Identifier: Apache-2.0
#include <torch_test.hpp>

#include <sda/calculus/schedule.hpp>
#include <sda/prior/parametrisation.hpp>
#include <sda/torch.hpp>

#include "../../examples/kolmogorov/network.hpp"
#include "../../examples/kolmogorov/runs.hpp"

using namespace kolmogorov;

namespace {

network_shape const small{16, 3, 2, {8, 16}, 1, 3, 16, false};

auto denoiser(window_network& net) {
  return sda::preconditioned{sda::torch_function{[&](at::Tensor const& x, double c) { return net.forward(x, c); }, at::kCPU, at::kDouble}};
}

}  // namespace

TEST_CASE("an untrained network of windows is the Gaussian of their waves, at any level") {
  states windows = sda_test::normals(40, 3 * 256, sda::key{1});
  windows.middleCols(256, 256) += 0.7 * windows.leftCols(256);   // frames that know of each other, and a mean
  windows.array() += 0.3;
  window_network net(small);
  net.gaussian->estimate(windows);
  net.to(at::kDouble);
  auto const exact = sda::homogeneous_gaussian(windows, 3, 16, 16);
  states const x = 2 * sda_test::normals(2, 3 * 256, sda::key{2});
  for (double const sigma : {0.01, 0.5, 3.0, 100.0})   // the basis was rounded to float
    CHECK(sda_test::distance(denoiser(net)(x, sda::level{0.8, sigma}), exact(x, sda::level{0.8, sigma})) < 1e-5 * (1 + x.abs().maxCoeff()));
}

TEST_CASE("what the network says moves with the flow, around the torus") {
  torch::manual_seed(1);
  window_network net(small);
  torch::NoGradGuard const off;
  for (auto& p : net.parameters()) p.normal_(0, 0.2);
  auto const x = at::randn({2, 3, 16, 16});
  auto const moved = net.forward(x.roll({4, 12}, {2, 3}), 0.2), y = net.forward(x, 0.2).roll({4, 12}, {2, 3});   // whole pixels of the coarsest grid
  CHECK(at::allclose(moved, y, 1e-4, 1e-4));
  CHECK(y.std().item<double>() > 0.1);
}

TEST_CASE("rows of windows may each have their level; grids that do not halve are refused") {
  torch::manual_seed(1);
  window_network net(small);
  torch::NoGradGuard const off;
  for (auto& p : net.parameters()) p.normal_(0, 0.2);
  auto const x = at::randn({2, 3 * 256});
  auto const both = net.forward(x, at::tensor({0.2f, -0.4f}));
  CHECK(at::allclose(both[1], net.forward(x.narrow(0, 1, 1), -0.4)[0], 1e-4, 1e-4));
  network_shape odd = small;
  odd.points = 18;
  CHECK_THROWS_AS(window_network(odd), sda::error);
}

TEST_CASE("the velocity that the network is told of is the flow's") {
  sda::kolmogorov_flow const flow({.points = 16});
  states const x = trajectories(16, 1, 1, sda::key{1}), exact = flow.velocity(x);
  window_gaussian const g(1, 16);
  auto const field = at::from_blob(const_cast<double*>(x.data()), {1, 1, 16, 16}, at::kDouble).to(at::kFloat);
  auto const [u, v] = g.velocity(field);
  auto const both = at::from_blob(const_cast<double*>(exact.data()), {2, 16, 16}, at::kDouble).to(at::kFloat);
  CHECK(at::allclose(u[0][0], both[0], 1e-4, 1e-4));
  CHECK(at::allclose(v[0][0], both[1], 1e-4, 1e-4));
}
