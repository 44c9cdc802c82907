// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "assimilate/posterior.hpp"

#include <algorithm>
#include <string>

// What a run will take, before it begins: from options and numbers of observations alone.

namespace appa {

/// A run to come.
struct planned_run {
  std::shared_ptr<autoencoder const> space;
  std::shared_ptr<backbone const> net;
  drawing how;
  index_t states = 24, ranks = 1;     // that share its windows
  std::vector<index_t> observations;  // by state, as conditions have them
  std::vector<double> shares = {};    // of a whole decoder's operations that it takes to see a state (decoder_part); none: all of them
  std::vector<index_t> known = {};    // states known as latents
  double bytes = 4;                   // of a number
};

/// Who draws members. Ranks are dealt members, of which each draws `workers` at a time; where members are fewer, ranks share the windows of one
/// member after the other.
struct crew {
  index_t members = 1, ranks = 1, workers = 1;

  bool shares_windows() const { return members < ranks; }
  index_t each() const { return shares_windows() ? members : (members + ranks - 1) / ranks; }         // members that a rank draws,
  index_t at_once() const { return shares_windows() ? 1 : std::clamp(workers, index_t{1}, each()); }  // so many at a time
};

/// What one member takes.
struct estimate {
  index_t windows = 0;                                      // drawn, or denoised together at every level
  index_t denoised = 0, denoiser_vjps = 0;                  // by windows
  index_t decoded = 0, decoder_vjps = 0, decoder_jvps = 0;  // by states,
  bool whole_states = false;                                // which the decoder makes whole, however little of them is seen
  double operations = 0;
  double weights = 0, denoiser = 0, decoder = 0, vectors = 0;  // bytes of a rank: networks, activations of one window and of one state,
                                                               // observations with a solver's vectors
  double read = 0, residuals = 0;  // in the host's memory: observations as they are read, of which a member takes a copy; residuals.hpp's fields
  double host(index_t at_once = 1) const { return read * double(1 + at_once) + residuals; }
  /// Of a rank that draws so many members at a time.
  double memory(index_t at_once = 1) const { return weights + (denoiser + decoder + vectors) * double(at_once) + host(at_once); }
  /// Of all members, where the workers of a rank do so many operations a second together; ranks beyond the windows have nothing to do.
  double seconds(double rate, crew const& all = {}) const;
};
estimate estimate_of(planned_run const& run);
/// What `--dry-run` prints, some lines.
std::string text(estimate const& e, double rate, crew const& all);

/// Operations a second of products of matrices of this many rows and columns, of so many threads together, the best of three: a second or so.
double product_rate(at::Device device = at::kCPU, index_t threads = 1, index_t n = 1024);

}  // namespace appa
