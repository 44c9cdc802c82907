// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "assimilate/posterior.hpp"

#include <string>

// What a run will take, before it begins: from options and numbers of observations alone.

namespace appa {

/// A run to come.
struct planned_run {
  std::shared_ptr<autoencoder const> space;
  std::shared_ptr<backbone const> net;
  drawing how;
  index_t states = 24, ranks = 1;
  std::vector<index_t> observations;  // by state, as conditions have them
  std::vector<double> shares = {};    // of a whole decoder's operations that it takes to see a state (decoder_part); none: all of them
  std::vector<index_t> known = {};    // states known as latents
  double bytes = 4;                   // of a number
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
  double residuals = 0;                                        // of the fields that members' states have more than decoded latents
  double memory() const { return weights + denoiser + decoder + vectors + residuals; }
  /// On so many ranks that each do so many operations a second; ranks beyond the windows have nothing to do.
  double seconds(double rate, index_t ranks = 1) const { return operations / rate / double(std::min(std::max<index_t>(windows, 1), ranks)); }
};
estimate estimate_of(planned_run const& run);
/// What `--dry-run` prints, some lines.
std::string text(estimate const& e, double rate, index_t members, index_t ranks);

/// Operations a second of a product of matrices of this many rows and columns on this machine, the best of three: less than a second.
double product_rate(index_t n = 1024);

}  // namespace appa
