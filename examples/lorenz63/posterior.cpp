// SPDX-License-Identifier: Apache-2.0
#include "posterior.hpp"

#include "network.hpp"

#include <sda/calculus/schedule.hpp>
#include <sda/guidance/jfps.hpp>
#include <sda/guidance/likelihood.hpp>
#include <sda/guidance/mmps.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/masked.hpp>
#include <sda/prior/parametrisation.hpp>
#include <sda/sampler/corrector.hpp>
#include <sda/sampler/sample.hpp>
#include <sda/torch.hpp>
#include <sda/trajectory/window.hpp>

namespace lorenz63 {

using numbers = sda::host_array<float>;

states draw_posterior(posterior_settings const& s, sighting const& seen, index_t members, sda::key k) {
  sda::safetensors::archive const file(s.weights);
  auto const config = file.metadata().find("config");
  sda::require(config != file.metadata().end(), s.weights, ": no weights of this program's, there is no \"config\" in its metadata");
  auto const net = std::make_shared<window_network>(nlohmann::json::parse(config->second).at("network").get<network_shape>());
  sda::read_tensors(file, sda::state_of(*net));
  for (auto& p : net->parameters()) p.set_requires_grad(false);  // derivatives are taken in x alone

  sda::window_plan const plan{seen.length, 3, net->shape.window, s.stride, sda::window_mode::symmetric, net->shape.shared};
  plan.check();
  sda::torch_function const f{[net](at::Tensor const& x, double c) { return net->forward(x, c); }};
  sda::windowed const prior{plan, sda::preconditioned{f}, sda::solo{}, s.batch};
  numbers const like = numbers::Zero(members, plan.columns()), y = seen.y.cast<float>();
  sda::observation const o{sda::masked<numbers>(like, seen.columns, plan.columns()), y, sda::scalar_error{seen.error * seen.error}};

  auto const drawn = [&](auto const& posterior) -> states {
    sda::pc const sampler{sda::ddim{}, sda::langevin{s.tau}, s.corrections, sda::correcting::after};
    numbers const x = sda::sample(sampler, posterior, sda::vp_cosine{1e-2, 1e-3}, s.steps, like, k);
    return x.cast<double>();
  };
  if (s.guidance == "mmps") return drawn(sda::mmps{prior, o, sda::gmres{s.iterations}});
  if (s.guidance == "gamma") return drawn(sda::gamma_likelihood{prior, o, s.gamma});
  if (s.guidance == "jfps") return drawn(sda::jfps{prior, o, sda::unit_prior{}, sda::gmres{1}});
  sda::require(s.guidance == "none", "--guidance ", s.guidance, ": mmps, gamma, jfps or none");
  return drawn(prior);
}

}  // namespace lorenz63
