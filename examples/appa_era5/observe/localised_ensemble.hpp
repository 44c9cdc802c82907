// SPDX-License-Identifier: Apache-2.0
// An ensemble's Gaussian with covariances tapered over distance, as a prior for fields:
//
//   N(m, B),  B = T ∘ Σ_k s_k s_kᵀ,   B v = Σ_k s_k ∘ (T (s_k ∘ v)),   E[x_0|x_t] = m + α B (α² B + σ²)⁻¹ (x_t - α m)
//
// with s_k the members' departures from their mean, over √(N - 1). T is sparse and B is never formed, so that states may have as many numbers as
// fields have; with few enough, sda/prior/ensemble_gaussian.hpp has the same prior by its axes.
#pragma once
#include "data/channels.hpp"
#include "data/grid.hpp"

#include <sda/calculus/level.hpp>
#include <sda/calculus/solve/cg.hpp>
#include <sda/eigen.hpp>

#include <memory>

namespace appa {

/// How covariances are tapered (Gaspari & Cohn, 1999).
struct taper_options {
  double half_width = 500;   // km along the ground
  double vertical = 0;       // half width in the logarithm of pressure; 0: levels are not tapered
  double variables = 1;      // what counts of covariances between different variables, 0 to 1
};

/// T between points and channels: a sparse matrix of points, and a small one of channels.
struct field_taper {
  std::vector<index_t> first{0}, point;   // compressed rows
  std::vector<double> weight;
  Eigen::MatrixXd channels;

  field_taper(grid const& g, channel_set const& c, taper_options const& o);
};

/// The prior above, for states [points, channels] (number point * channels + channel): a Denoiser whose Jacobian is exact to the solver's tolerance.
class localised_ensemble {
 public:
  using state = sda::host_array<double>;

  /// Members are rows. `mean` may be another than theirs, of one row or one a sample.
  localised_ensemble(state const& members, std::shared_ptr<field_taper const> taper, double inflation = 1, sda::cg solve = {100, 1e-8});

  state mean;

  /// B v
  state covariance(state const& v) const;
  /// α B (α² B + σ²)⁻¹ v
  state gain(state const& v, sda::level l) const;
  state operator()(state const& x, sda::level l) const { return linearize(x, l).value(); }

  class at {
   public:
    at(localised_ensemble const& prior, state const& x, sda::level l);
    state const& value() const { return value_; }
    state jvp(state const& v) const { return prior_->gain(v, level_); }
    state vjp(state const& u) const { return jvp(u); }

   private:
    localised_ensemble const* prior_;
    sda::level level_;
    state value_;
  };
  at linearize(state const& x, sda::level l) const { return {*this, x, l}; }

 private:
  std::shared_ptr<field_taper const> taper_;
  state spread_;
  sda::cg solve_;
};

}  // namespace appa
