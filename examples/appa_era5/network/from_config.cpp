// SPDX-License-Identifier: Apache-2.0
#include "network/from_config.hpp"

#include "data/channels.hpp"
#include "network/cae.hpp"
#include "network/gae.hpp"
#include "network/graphdit.hpp"
#include "network/on_gaussian.hpp"
#include "network/vidit.hpp"
#include "sphere/earth.hpp"

namespace appa {

using nlohmann::json;
using sda::require;

namespace {

// The part of a configuration at the first of these paths that there is.
json const* find(json const& config, std::initializer_list<char const*> paths) {
  for (auto const* path : paths)
    if (json::json_pointer const at(path); config.contains(at) && !config.at(at).is_null()) return &config.at(at);
  return nullptr;
}
json const& part_of(json const& config, std::initializer_list<char const*> paths) {
  auto const* const found = find(config, paths);
  require(found != nullptr, "the configuration says nothing of ", *paths.begin());
  return *found;
}

cae_options cae_of(json const& config) {
  auto const& ae = ae_of(config);
  auto o = ae.get<cae_options>();
  if (!ae.contains("shape") && find(config, {"/data/grid"})) {
    auto const g = grid_of(config);
    o.shape = {g.height(), g.width()};
  }
  return o;
}

// Fields of context at dates: those that never change, which stand beside the weights, and the sun, which is known at any hour.
class surroundings {
 public:
  surroundings(at::Tensor still, index_t sun, std::vector<std::array<double, 2>> points)
      : still_(std::move(still)), sun_(sun), points_(std::move(points)) {
    double count = 0, squares = 0;
    for (auto const& [latitude, longitude] : points_)
      if (longitude == points_.front()[1])  // a day is the same at all longitudes
        for (hours t = 0; t < 365 * 24; t += 5 * 24 + 1) {
          double const light = sunlight(double(t), latitude, longitude);
          count += 1, mean_ += light, squares += light * light;
        }
    mean_ /= count, deviation_ = std::sqrt(squares / count - mean_ * mean_);
  }

  at::Tensor operator()(at::Tensor const& dates) const {
    std::vector<at::Tensor> out;
    for (auto const& d : dates_in(dates)) {
      out.push_back(still_);
      if (sun_ < 0) continue;
      std::vector<float> light;
      for (auto const& [latitude, longitude] : points_)
        light.push_back(float((sunlight(double(hours_of(d)), latitude, longitude) - mean_) / deviation_));
      out.back() = still_.clone();
      out.back().select(1, sun_).copy_(at::tensor(light));
    }
    return at::stack(out);
  }

 private:
  at::Tensor still_;  // [points, fields]
  index_t sun_;       // which of them; -1: none
  std::vector<std::array<double, 2>> points_;
  double mean_ = 0, deviation_ = 1;
};

// States in a window.
template <class Options> Options windows_of(json const& config) {
  auto o = backbone_of(config).get<Options>();
  if (auto const* const train = find(config, {"/denoiser/train", "/train"}); train && !backbone_of(config).contains("blanket_size"))
    option(*train, "blanket_size", o.blanket_size);
  return o;
}

// A backbone, on a Gaussian if `part` gives it a rank.
template <class Net, class Options> std::shared_ptr<backbone> built(json const& part, Options o, index_t cells, index_t channels) {
  index_t rank = 0;
  option(part, "gaussian_rank", rank);
  if (rank == 0) return std::make_shared<Net>(o);
  o.context_channels += channels;
  return std::make_shared<on_gaussian>(std::make_shared<Net>(o), cells, channels, rank);
}

}  // namespace

json const& ae_of(json const& config) { return part_of(config, {"/autoencoder/ae", "/ae"}); }
json const& backbone_of(json const& config) { return part_of(config, {"/denoiser/backbone", "/backbone"}); }

bool on_graph(json const& part) {
  std::string name, arch;
  option(part, "name", name), option(part, "arch", arch);
  return name.find("ico") != std::string::npos || name.find("graphdit") != std::string::npos || arch == "graphdit";
}

grid grid_of(json const& config) {
  if (auto const* const words = find(config, {"/data/grid"})) return parse_grid(words->get<std::string>());
  std::array<index_t, 2> shape{721, 1440};
  option(ae_of(config), "shape", shape);
  return regular_grid(shape[1], shape[0], shape[0] % 2 == 1);
}

std::vector<std::string> context_of(json const& config) {
  std::vector<std::string> out;
  if (auto const* const names = find(config, {"/data/context"}))
    for (auto const& name : names->get<std::vector<std::string>>()) {
      out.push_back(variable_of(name).name);
      require(is_invariant(name) || out.back() == "toa_incident_solar_radiation", name, " is no field of the context");
    }
  return out;
}

std::shared_ptr<autoencoder> autoencoder_from(json const& config, std::vector<std::array<double, 2>> points) {
  auto const& ae = ae_of(config);
  if (!on_graph(ae)) return std::make_shared<cae>(cae_of(config));
  if (points.empty()) {
    auto const g = grid_of(config);
    for (double const latitude : g.latitudes)
      for (double const longitude : g.longitudes) points.push_back({latitude, longitude});
  }
  auto o = ae.get<gae_options>();
  auto const names = context_of(config);
  if (!ae.contains("context_channels")) o.context_channels = std::ssize(names);
  require(names.empty() || o.context_channels == std::ssize(names), "ae.context_channels is ", o.context_channels, ", and data.context names ",
          names.size());
  auto const net = std::make_shared<gae>(o, points);
  if (!names.empty()) {
    auto const sun = std::find_if(names.begin(), names.end(), [](auto const& name) { return !is_invariant(name); });
    auto const still = net->register_buffer("context", at::zeros({std::ssize(points), std::ssize(names)}));
    net->surroundings = surroundings(still, sun == names.end() ? -1 : sun - names.begin(), std::move(points));
  }
  return net;
}

lattice lattice_of(json const& config) {
  auto const& ae = ae_of(config);
  if (!on_graph(ae)) return cae(cae_of(config)).where();  // its memory is never touched
  return {{}, ae.get<gae_options>().ico_divisions.back()};
}

json with_latents(json config, lattice const& where, index_t channels) {
  config.erase("latent_shape"), config.erase("icosphere");
  if (!where.on_sphere()) {
    config["latent_shape"] = {where.image[0], where.image[1], channels};
  } else {
    config["icosphere"] = where.divisions;
    (config.contains("denoiser") ? config["denoiser"]["backbone"] : config["backbone"])["input_channels"] = channels;
  }
  return config;
}

std::shared_ptr<backbone> backbone_from(json const& config) {
  auto const& part = backbone_of(config);
  auto const *const shape = find(config, {"/latent_shape"}), *const divisions = find(config, {"/icosphere"});
  bool const told = find(config, {"/denoiser/background", "/background"}) != nullptr;  // a background, cell by cell
  if (on_graph(part)) {
    require(!shape, "a graph transformer takes latents at the nodes of an icosphere, and this autoencoder's lie in rows and columns, ",
            shape ? shape->dump() : "", ": it goes with a graph autoencoder (ae.name: ico...), or a vision transformer goes with these latents");
    auto o = windows_of<graphdit_options>(config);
    option(config, "icosphere", o.icosphere);
    if (told) o.context_channels = o.input_channels;
    return built<graphdit>(part, o, lattice{{}, o.icosphere}.cells(), o.input_channels);
  }
  auto const name = part.value("name", "vit");
  require(name.find("vit") != std::string::npos, "backbone.name is ", name, "; a name with vit or graphdit in it, or arch: graphdit");
  require(!divisions, "a vision transformer takes latents in rows and columns, and this autoencoder's lie at the nodes of an icosphere of ",
          divisions ? divisions->dump() : "",
          " divisions: it goes with a convolutional autoencoder, or a graph transformer (graphdit) with these latents");
  auto o = windows_of<vidit_options>(config);
  option(config, "latent_shape", o.state);
  if (told) o.context_channels = o.state[2];
  return built<vidit>(part, o, o.state[0] * o.state[1], o.state[2]);
}

}  // namespace appa
