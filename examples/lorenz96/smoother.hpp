// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "climatology.hpp"
#include "scores.hpp"

#include <functional>
#include <memory>

namespace lorenz96 {

/// How the score smoother works; names as on the command line.
struct smoother_settings {
  std::string prior = "network";   // or gaussian
  std::string weights = LORENZ96_WEIGHTS;   // those of the repository
  index_t members = 16;
  std::string schedule = "log-linear";   // many steps at low noise, where corrections take the window prior's small errors back
  double sigma_min = 3e-3, sigma_max = 30;
  std::string sampler = "ddim";
  index_t steps = 128;
  index_t corrections = 1;
  std::string corrector = "adaptive";
  double tau = 1, limit = std::numeric_limits<double>::infinity();   // size of a correction; the longest step of an adaptive one
  std::string guidance = "gamma";
  std::string solver = "gmres";
  index_t iterations = 3;
  double gamma = 3e-2;
  double zeta = 1;
  index_t stride = 1;
  index_t batch = 0;
  std::string join = "together";   // windows composed at every level of noise, or forward: drawn whole, one after the other (sda::alternating)
  index_t passes = 0;              // of alternating windows over what was drawn
  index_t held = 4;                // steps that one of them is given at an end,
  double held_error = 0.05;        // and the standard deviation within which it keeps them
  index_t redraws = 0;             // rounds of drawing anew the members that the observations contradict (sda::redrawing),
  double redraw_noise = 3;         // from others with noise of so many standard deviations of the climate
  std::string device = "cpu";
  index_t finish = 0;          // iterations with the model itself, 0: the score's samples as they are
  double model_error = 0.01;   // standard deviation that the finish allows a step of the model
  double finish_from = 1;      // and the one it begins with; model_error: samples are trusted to be in the right basin
};

inline std::string schedule_names() { return "rectified, log-linear, log-logit, vp-cosine, vp-linear, vp-exponential or rectified-flow"; }
inline std::string sampler_names() { return "ddim, ddpm, heun, ab2, ab3, exponential2, exponential3 or euler-maruyama"; }

/// What an estimate cost: trajectories of one member through the prior (of alternating windows: windows), products with its Jacobian
/// (either way), steps of one member by the model.
struct effort {
  double network = 0, vjps = 0, model = 0;
};

/// What a window's sampling is given: readings (NaN: none), how they were made, whom to tell of each step, and where to
/// count what it costs.
struct window_task {
  trajectory const& seen;
  std::string through;
  double error;
  sda::key k;
  std::function<void(index_t step)> told;
  effort* spent = nullptr;
};

/// Draws the members of one window from the posterior.
using smoother = std::function<members(window_task const&)>;

/// The prior is the Gaussian of the climate: exact for what is Gaussian, the baseline for what is not.
smoother gaussian_smoother(smoother_settings const& s, climatology const& climate, index_t ring, index_t length);
/// The prior is a trained window network; in a build without LibTorch this only says so.
smoother network_smoother(smoother_settings const& s, index_t ring, index_t length);

}  // namespace lorenz96
