// SPDX-License-Identifier: Apache-2.0
#include "assimilate/system.hpp"

#include "network/cae.hpp"
#include "network/dates.hpp"
#include "network/from_config.hpp"
#include "network/icosphere.hpp"
#include "training/run.hpp"
#include "weights/state_dict.hpp"

#include <sda/calculus/schedule.hpp>
#include <sda/observation/kriging.hpp>
#include <sda/torch/tensors.hpp>

namespace appa {

using sda::require;
namespace fs = std::filesystem;

std::function<sda::level(double)> schedule_of(config const& train) {
  auto const name = train.get("noise_schedule", "rectified");
  double const low = train.get("sigma_min", 1e-3), high = train.get("sigma_max", 1e3);
  if (name == "rectified") return sda::rectified{low, high};
  if (name == "log_linear" || name == "loglinear") return sda::log_linear{low, high};
  require(name == "log_logit" || name == "loglogit", "there is no noise_schedule ", name, "; rectified, log_linear or log_logit");
  return sda::log_logit{low, high};
}

std::string autoencoder_file(fs::path const& dump) {
  auto const ours = dump / "ae" / "model.safetensors", published = dump / "ae" / "model.pth";
  require(fs::exists(ours) || fs::exists(published), dump.string(), " holds no autoencoder, neither ae/model.safetensors nor ae/model.pth");
  return (fs::exists(ours) ? ours : published).string();
}

latent_scale read_latent_scale(fs::path const& dump, bool with_noise) {
  auto const stats = read_tensors(fs::exists(dump / "stats.safetensors") ? dump / "stats.safetensors" : dump / "stats.pth");
  latent_scale out{sda::to_torch(stats["mean"]).to(at::kFloat), sda::to_torch(stats["std"]).to(at::kFloat), 0};
  if (with_noise) out.noise = ae_of(config_of(autoencoder_file(dump)).json()).value("noise_level", 0.0);
  out.deviation = (out.deviation.square() + out.noise * out.noise).sqrt();
  return out;
}

at::Tensor trained_system::dates(hours first, index_t states) const {
  std::vector<date> out;
  for (index_t s = 0; s < states; ++s) out.push_back(date_of(first + s * step));
  return to_tensor(out);
}

at::Tensor trained_system::decode(at::Tensor const& z, hours first) const {
  torch::NoGradGuard const off;
  auto const when = dates(first, z.size(0));
  std::vector<at::Tensor> states;
  for (index_t s = 0; s < z.size(0); ++s)
    states.push_back(space->decode(scale.restored(z.narrow(0, s, 1).to(device, type)), when[s]).to(z.options()));
  return at::cat(states);
}

at::Tensor trained_system::encode(at::Tensor const& x, hours first) const {
  torch::NoGradGuard const off;
  auto const when = dates(first, x.size(0));
  std::vector<at::Tensor> states;
  for (index_t s = 0; s < x.size(0); ++s)
    states.push_back(scale.standardised(space->encode(x.narrow(0, s, 1).to(device, type), when[s])).to(x.options()));
  return at::cat(states);
}

at::Tensor trained_system::pooled(at::Tensor const& x) const {
  if (auto const image = std::dynamic_pointer_cast<cae>(space)) {
    auto const& o = image->options;
    return cae::tokens(at::max_pool2d(image->pad(cae::image(x, o.shape)), {o.resize, o.resize}));
  }
  icosphere const sphere(space->where().divisions);
  std::vector<sda::place> nodes;
  for (auto const& p : sphere.vertices()) nodes.push_back({std::atan2(p[2], std::hypot(p[0], p[1])) * 180 / std::numbers::pi, longitude_of(p)});
  sda::nearest_stations const near(nodes);
  std::vector<index_t> cells;
  for (double const latitude : where.latitudes)
    for (double const longitude : where.longitudes) cells.push_back(near({latitude, longitude}, 1, 4 * sda::earth_radius).front().station);
  auto const out = at::full({x.size(0), tokens(), x.size(2)}, -HUGE_VAL, at::kFloat);
  auto const from = x.to(at::kCPU, at::kFloat);
  auto const of = from.accessor<float, 3>();
  auto most = out.accessor<float, 3>();
  for (index_t s = 0; s < x.size(0); ++s)
    for (index_t p = 0; p < x.size(1); ++p)
      for (index_t c = 0; c < x.size(2); ++c) {
        float& here = most[s][cells[std::size_t(p)]][c];
        here = std::max(here, of[s][p][c]);
      }
  return out.to(x.options());
}

at::Tensor trained_system::variance_of_known() const {
  double const least = schedule(0).sigma;
  return (scale.noise / scale.deviation).square().clamp_min(least * least);
}

trained_system untrained_system(config const& whole, std::string const& device) {
  auto const channels = channels_of(whole);
  auto told = whole.json();
  require(whole.has("autoencoder.ae") && whole.has("denoiser.backbone"),
          "no model is given, and the configuration does not describe one (autoencoder.ae, denoiser.backbone)");
  told["autoencoder"]["ae"]["in_channels"] = channels.size();
  auto const space = autoencoder_from(told);
  auto const net = backbone_from(with_latents(told, space->where(), space->latents()));
  auto const n = std::size_t(channels.size());
  auto const zeros = at::zeros({space->latents()}), ones = at::ones({space->latents()});
  auto const section = whole.at("denoiser");
  trained_system out{channels,
                     grid_of(told),
                     {channels, std::vector<double>(n, 0), std::vector<double>(n, 1)},
                     {zeros, ones, 0},
                     schedule_of(section.at("train")),
                     section.get("train.blanket_dt", 1) * whole.get("data.step", 1),
                     space,
                     net,
                     device_of(device)};
  if (section.has("background")) out.departures = {zeros, ones, 0};
  return out;
}

trained_system load_system(system_options const& o) {
  auto const ae_file = autoencoder_file(o.latents), file = model_file(o.model);
  auto const ae = config_of(ae_file), run = config_of(file);
  auto const section = run.has("denoiser") ? run.at("denoiser") : run;
  auto const space = autoencoder_from(ae.json());
  auto const net = backbone_from(with_latents(run.json(), space->where(), space->latents()));
  load_weights(ae_file, *space), load_weights(file, *net);

  bool const described = ae.has("standard.mean");
  require(described || !o.statistics.empty(), ae_file, " does not say how states are standardised: give a file of `appa stats`");
  auto const channels = ae.has("data.variables") || described ? channels_of(ae) : published_channels();
  auto const device = device_of(o.device);
  for (torch::nn::Module* m : {static_cast<torch::nn::Module*>(space.get()), static_cast<torch::nn::Module*>(net.get())}) {
    m->eval(), m->to(device);
    for (auto const& p : m->parameters()) {
      p.set_requires_grad(false);                                                  // products with Jacobians want none of theirs
      if (p.dim() == 4) p.set_data(p.contiguous(at::MemoryFormat::ChannelsLast));  // as images are: else each convolution makes it so
    }
  }
  trained_system out{channels,
                     grid_of(ae.json()),
                     described ? statistics{channels, ae.get<std::vector<double>>("standard.mean"), ae.get<std::vector<double>>("standard.std")}
                               : read_statistics(o.statistics, channels),
                     read_latent_scale(o.latents, section.get("train.inject_ae_noise", true)),
                     schedule_of(section.at("train")),
                     run.get("hours", 1),
                     space,
                     net,
                     device};
  if (section.has("background")) {
    auto const numbers = [&](char const* key) { return at::tensor(run.get<std::vector<float>>(std::string("departures.") + key), at::kFloat); };
    out.departures = {numbers("mean"), numbers("std"), 0};
    require(out.departures.mean.numel() == out.latents() && out.departures.deviation.numel() == out.latents(), file, " has statistics of ",
            out.departures.mean.numel(), " channels of departures, its latents have ", out.latents());
  }
  out.residual = read_residuals(o.latents, space->points(), space->channels());
  return out;
}

}  // namespace appa
