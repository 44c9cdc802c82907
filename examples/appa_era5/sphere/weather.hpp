// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/channels.hpp"
#include "sphere/atmosphere.hpp"

namespace appa {

/// What the atmosphere of three levels looks like in ERA5's channels, on any grid. Winds and geopotential are interpolated between its
/// levels by one smooth function of ln p, whose derivative gives temperatures in hydrostatic balance; a layer at the ground knows sun,
/// season, land and sea; humidity and rain come from its water.
class weather {
 public:
  weather(atmosphere const& model, grid const& where, channel_set channels);

  channel_set const& channels() const { return channels_; }
  grid const& where() const { return where_; }
  /// The state at the model's hour: channels x points. The sea's temperature is NaN on land.
  std::vector<float> state(atmosphere const& model) const;
  /// A field of the context by its long name, at an hour where it depends on it.
  std::vector<float> context(std::string const& name, hours t) const;

 private:
  /// How the three levels make up another: Σ value Φ and its derivative by ln p; the mean air; the part of the layer at the ground.
  struct level {
    std::array<double, 3> value, slope;
    double temperature, geopotential, ground, ground_depth;   // ground_depth: ∫ ground d ln p from 700 hPa
  };
  /// What all channels are made of, at the points: columns are fields of three levels, or one.
  struct pieces {
    Eigen::ArrayXXd u, v, geopotential;
    Eigen::ArrayXd water, ascent, sea, ground, sun;   // ground: how much warmer the layer at the ground is than the air would be
  };

  grid where_;
  channel_set channels_;
  harmonics sphere_;
  Eigen::ArrayXd cosine_;
  earth ground_;
  std::vector<channel> list_;
  std::vector<level> levels_;   // by channel
  level lowest_, rainy_;        // 1000 hPa, and where the water is carried

  static level level_at(double pressure);
  pieces pieces_of(atmosphere const& model) const;
  Eigen::ArrayXd surface_field(std::string const& name, pieces const& p) const;
  Eigen::ArrayXd upper_field(std::string const& name, double pressure, level const& l, pieces const& p) const;
  Eigen::ArrayXd free_temperature(pieces const& p) const;   // above the ground's layer, what the column's water depends on
  static Eigen::ArrayXd temperature(level const& l, pieces const& p);
  static Eigen::ArrayXd geopotential(level const& l, pieces const& p);
};

}  // namespace appa
