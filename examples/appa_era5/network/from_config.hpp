// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "cae.hpp"
#include "gae.hpp"
#include "graphdit.hpp"
#include "vidit.hpp"

// Networks as configurations name them: the published ones, ours (which have sections), and those of reference files.

namespace appa {

/// The part of a configuration at the first of these paths that there is, such as "autoencoder/ae" or "ae".
inline nlohmann::json part_of(nlohmann::json const& config, std::initializer_list<char const*> paths) {
  for (auto const* path : paths)
    if (nlohmann::json::json_pointer const at(std::string("/").append(path)); config.contains(at) && !config.at(at).is_null()) return config.at(at);
  throw sda::error(std::string("the configuration has no ") + *paths.begin());
}
inline nlohmann::json ae_of(nlohmann::json const& config) { return part_of(config, {"autoencoder/ae", "ae"}); }
inline nlohmann::json backbone_of(nlohmann::json const& config) { return part_of(config, {"denoiser/backbone", "backbone"}); }

inline bool on_graph(nlohmann::json const& part) {
  return part.value("name", "").find("ico") != std::string::npos || part.value("name", "").find("graphdit") != std::string::npos ||
         part.value("arch", "") == "graphdit";
}

/// The transformer of a configuration, for latents of `latent_shape`: [rows, columns, channels], where the backbone says none.
inline std::shared_ptr<vidit> vidit_from(nlohmann::json const& config) {
  auto o = backbone_of(config).get<vidit_options>();
  option(config, "latent_shape", o.state);
  if (!backbone_of(config).contains("blanket_size")) part_of(config, {"denoiser/train", "train"}).at("blanket_size").get_to(o.blanket_size);
  return std::make_shared<vidit>(o);
}

/// The graph transformer of a configuration, on its `icosphere`.
inline std::shared_ptr<graphdit> graphdit_from(nlohmann::json const& config) {
  auto o = backbone_of(config).get<graphdit_options>();
  option(config, "icosphere", o.icosphere);
  if (!backbone_of(config).contains("blanket_size")) part_of(config, {"denoiser/train", "train"}).at("blanket_size").get_to(o.blanket_size);
  return std::make_shared<graphdit>(o);
}

}  // namespace appa
