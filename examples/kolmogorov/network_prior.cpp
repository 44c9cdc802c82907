// SPDX-License-Identifier: Apache-2.0
#include "network.hpp"
#include "prior.hpp"

#include <sda/prior/parametrisation.hpp>
#include <sda/torch.hpp>
#include <sda/trajectory/window.hpp>

namespace kolmogorov {

any_prior network_prior(std::string const& weights, index_t frames, index_t points, index_t batch) {
  sda::safetensors::archive const file(weights);
  auto const found = file.metadata().find("config");
  sda::require(found != file.metadata().end(), weights, ": no weights of this program's, there is no \"config\" in its metadata");
  std::shared_ptr<window_network> net;
  double deviation = 1;
  try {
    auto const config = nlohmann::json::parse(found->second);
    net = std::make_shared<window_network>(config.at("network").get<network_shape>());
    deviation = config.at("deviation");
  } catch (nlohmann::json::exception const& e) { throw sda::error(weights + ": its \"config\" is not one of a window network: " + e.what()); }
  sda::read_tensors(file, sda::state_of(*net));
  for (auto& p : net->parameters()) p.set_requires_grad(false);   // derivatives are taken in x alone
  sda::require(points == net->shape.points && frames >= net->shape.window, weights, ": windows of ", net->shape.window, " states on ", net->shape.points,
               " points, not of ", frames, " on ", points);

  sda::window_plan const plan{frames, points * points, net->shape.window, 1};
  // the network knows standardised numbers, and r in their units
  sda::torch_function const f{[net, shift = std::log(deviation) / 4](at::Tensor const& x, double c) { return net->forward(x, c - shift); }};
  return any_prior(sda::windowed{plan, sda::preconditioned{f, deviation}, sda::solo{}, batch});
}

}  // namespace kolmogorov
