// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "assimilate/streamed.hpp"
#include "observe/spread_out.hpp"

#include <sda/trajectory/communicator.hpp>

#include <nlohmann/json.hpp>

#include <map>

// Trajectories of latents drawn from p(x | y): the prior's windows, what was seen, a guidance and a sampler, each by its name.

namespace appa {

/// What is known of a trajectory beside the prior.
struct conditions {
  std::vector<sight> seen;              // by state; an empty sight, or one that is not there: nothing was seen
  std::map<index_t, at::Tensor> known;  // states seen as standardised latents, [tokens, channels]
  at::Tensor variance;                  // of their errors, [channels]; none: what the autoencoder's noise leaves (variance_of_known)
  at::Tensor background;  // what a prior of departures departs from: standardised latents [reach(), tokens, channels] from the first state
};

/// How observations bend the prior.
///   mmps                        moment matching with `iterations` of a solver: gmres, cg or bicgstab, in observations or states
///   sda, w2c                    SDA's likelihood with `gamma` as Appa has it, through the network or not
///   dps, pigdm, tmpd, jfps      `zeta`; a solver in pigdm, tmpd and jfps
///   diffpir, latent_optimization  `lambda`; an `optimiser` (gauss_newton, lbfgs, gradient_descent, adam) of `iterations` steps
///   daps                        draws of x_0 by `iterations` of conjugate gradients: with the sampler annealing
///   diffda                      with the sampler repaint: departures of what was seen from the background (or from the climate's mean) are
///                               spread over fields by kriging, encoded, and put in place after each step under a soft mask, which is for a
///                               cell the share of channels seen in it (`length`, `neighbours`, `reach`, `nugget`, `width`: spreading)
///   none                        the prior alone
/// `covariance`, of x_0 given x_t: network, which is (σ²/α) the denoiser's Jacobian, or gaussian, that of the Gaussian beneath the network
/// (denoiser.backbone.gaussian_rank): symmetric, sure where there is much noise, which multiplies whatever is wrong with a Jacobian, and
/// without a product back through the network. With `warm` a solver begins at what it found at the level before.
/// With `particles` beyond 1, for the sampler ddpm: each draw is one of so many that sequential Monte Carlo carries along the diffusion
/// (TDS; Wu et al., 2023), guided as above, weighed by y ~ N(A x̂, R + σ²/(α² + σ²)), and drawn anew when their effective number falls
/// below the share `resample`. Exact as particles grow, whatever guides; for few observations, else one particle has all the weight.
struct guidance_options {
  std::string name = "mmps", solver = "gmres", solve_in = "observations", optimiser = "gauss_newton";
  int iterations = 2;
  double tolerance = 0;         // of the solver: stops before `iterations`
  bool preconditioned = false;  // by the observations' own variances
  bool warm = false;            // for one product more at all levels but the first
  std::string covariance = "network";
  double gamma = 1, zeta = 1, lambda = 8, rate = 0.05;  // gamma far below 1 overshoots where observations are precise
  std::string around = "windows";  // or trajectory: after the windows are joined, when all observations speak to all windows that see them
  index_t particles = 1;
  double resample = 0.5;
  spreading spread;
};
/// How a trajectory is drawn.
///   pc                           `corrections` of a corrector (langevin, adaptive, renoising) with `delta` before each step of ddim(eta)
///   ddim, ddpm, ito, euler_maruyama, heun   with `eta` in ddim and ito
///   lms, adams_bashforth, velocity, exponential_eps, exponential_x, rotation    multistep of `order` 1 to 4; lms begins plainly
///   rewind                       ddim(eta) that goes `ahead` levels and back up, in jumps of `jump` steps (1) or one
///   repaint                      known latents are put in place after each step of ddim(eta), over `passes` of stretches of `jump` levels
///   annealing                    all noise is new: for daps
struct sampler_options {
  std::string name = "pc", corrector = "langevin";
  index_t steps = 32, ahead = 16, jump = 10, passes = 10;
  int corrections = 2, order = 3;
  double delta = 0.1, eta = 0;
};
/// How windows make a trajectory.
///   symmetrical, causal, average   windows are denoised together and joined (published)
///   alternating                    windows are drawn one after the other (`start` forward), or joined symmetrically (together), then
///                                  `passes` times anew between strips of `held` states
struct window_options {
  std::string join = "symmetrical", start = "forward";
  index_t overlap = -1;           // states that windows share; -1: half of them
  index_t passes = 2, held = -1;  // -1: a quarter of the window
};
/// Where what the autoencoder leaves (residuals.hpp) counts, if the dump tells it: in the errors of observations, and in members' states,
/// which are then D(z) with a draw of it.
struct residual_options {
  bool observations = true, members = true;
};
struct drawing {
  guidance_options guidance;
  sampler_options sampler;
  window_options windows;
  double memory = 0;      // GB that graphs of decoded states may take between products; without, they are made again
  bool mirrored = false;  // begins at minus the noise of the one of the same key that is not; what is drawn later is its own
  residual_options residual;
};
/// From the section `assimilation` of a configuration: {guidance: {name, iterations, ...}, sampler: {name, steps, ...},
/// windows: {join, overlap, ...}, residual: {observations, members}, memory}. Unknown names are sda::errors when they are used.
void from_json(nlohmann::json const& j, drawing& d);
/// sda::error for names that are not known, and for what cannot be done together.
void check(drawing const& d, index_t length);

/// The states that a draw of so many works on: its windows are whole.
index_t reach(drawing const& d, index_t length, index_t states);

/// Ranks of any make.
struct any_communicator {
  int number = 0, count = 1;
  std::function<void(at::Tensor&)> gather;

  int rank() const { return number; }
  int size() const { return count; }
  void all_gather(at::Tensor& whole) const {
    if (gather) gather(whole);
  }
};

/// Told how many steps of how many are done, and, if it is known, which window is at work.
struct headway {
  index_t done = 0, of = 0, window = 0, windows = 0;
};
using watcher = std::function<void(headway const&)>;

/// One draw of `states` states from `first`, standardised latents [states, tokens, channels]: a function of the conditions and the key,
/// whatever else is drawn and on however many ranks, which take windows each and all end with the whole.
at::Tensor draw(trained_system const& system, hours first, index_t states, conditions const& c, drawing const& d, sda::key k,
                any_communicator const& ranks, watcher const& watch = {}, std::shared_ptr<tally> spent = {});
template <class Comm = sda::solo>
  requires sda::Communicator<Comm, at::Tensor>
at::Tensor draw(trained_system const& system, hours first, index_t states, conditions const& c, drawing const& d, sda::key k, Comm const& ranks = {},
                watcher const& watch = {}, std::shared_ptr<tally> spent = {}) {
  return draw(system, first, states, c, d, k, any_communicator{ranks.rank(), ranks.size(), [&](at::Tensor& x) { ranks.all_gather(x); }}, watch,
              std::move(spent));
}

}  // namespace appa
