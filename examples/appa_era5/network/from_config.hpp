// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/grid.hpp"
#include "roles.hpp"

#include <nlohmann/json.hpp>

#include <memory>
#include <vector>

// Networks as configurations name them: the published ones, ours (which have sections), and those of reference files.

namespace appa {

/// The parts of a configuration that describe the two networks: autoencoder.ae or ae, denoiser.backbone or backbone.
nlohmann::json const& ae_of(nlohmann::json const& config);
nlohmann::json const& backbone_of(nlohmann::json const& config);

/// Whether such a part names a network on a graph: ico... or graphdit.
bool on_graph(nlohmann::json const& part);

/// The grid of states: data.grid, or what ae.shape says, or the published one.
grid grid_of(nlohmann::json const& config);

/// The autoencoder of a configuration: convolutional or, where its name has `ico`, on a graph above the points (latitude, longitude in
/// degrees; none: those of the grid).
std::shared_ptr<autoencoder> autoencoder_from(nlohmann::json const& config, std::vector<std::array<double, 2>> points = {});
/// The fields of context that it is told of, by their long names: data.context. Those that never change stand as buffer `context`,
/// [points, fields], beside its weights, for training to fill.
std::vector<std::string> context_of(nlohmann::json const& config);
/// Where its latents lie; nothing is built.
lattice lattice_of(nlohmann::json const& config);

/// A configuration that also says what latents its backbone is for: `latent_shape`, or `icosphere` and backbone.input_channels.
nlohmann::json with_latents(nlohmann::json config, lattice const& where, index_t channels);
/// The backbone of such a configuration, vision transformer or graph transformer. sda::error for latents that it cannot take.
std::shared_ptr<backbone> backbone_from(nlohmann::json const& config);

}  // namespace appa
