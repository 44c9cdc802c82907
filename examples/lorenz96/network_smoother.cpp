// SPDX-License-Identifier: Apache-2.0
#include "network.hpp"
#include "posterior.hpp"

#include <sda/prior/parametrisation.hpp>
#include <sda/torch.hpp>
#include <sda/trajectory/window.hpp>

namespace lorenz96 {

namespace {

/// A trained network and what it was trained on, from a file that `train` wrote.
struct trained {
  std::shared_ptr<window_network> net;
  double mean, deviation, sigma_data, noise_scale;

  trained(std::string const& path, at::Device device) {
    sda::safetensors::archive const file(path);
    auto const found = file.metadata().find("config");
    sda::require(found != file.metadata().end(), path, ": no weights of this program's, there is no \"config\" in its metadata");
    try {
      auto const config = nlohmann::json::parse(found->second);
      net = std::make_shared<window_network>(config.at("network").get<network_shape>());
      mean = config.at("mean"), deviation = config.at("deviation");
      sigma_data = config.at("sigma_data"), noise_scale = config.at("noise_scale");
    } catch (nlohmann::json::exception const& e) { throw sda::error(path + ": its \"config\" is not one of a window network: " + e.what()); }
    sda::read_tensors(file, sda::state_of(*net));
    for (auto& p : net->parameters()) p.set_requires_grad(false);  // derivatives are taken in x alone
    net->to(device);
    net->eval();
  }
};

at::Device device_named(std::string const& name) {
  sda::require(name == "cpu" || name == "cuda", "--device ", name, ": cpu or cuda");
  sda::require(name == "cpu" || torch::cuda::is_available(), "--device cuda: this LibTorch finds no CUDA device");
  return at::Device(name);
}

}  // namespace

smoother network_smoother(smoother_settings const& s, index_t ring, index_t length) {
  auto const device = device_named(s.device);
  trained const t(s.weights, device);
  index_t const size = t.net->shape.window;
  sda::require(length >= size, "--length ", length, ": the network's windows have ", size, " steps");
  sda::window_plan const plan{length, ring, size, s.stride};
  plan.check();
  sda::torch_function const net{[net = t.net](at::Tensor const& x, double c) { return net->forward(x, c); }, device};
  sda::preconditioned const window{net, t.sigma_data, t.noise_scale};
  standardised_prior const prior{any_prior(sda::windowed{plan, window, sda::solo{}, s.batch}), any_prior(window), size, t.mean, t.deviation};
  return [=](window_task const& task) { return draw_posterior(s, prior, task); };
}

}  // namespace lorenz96
