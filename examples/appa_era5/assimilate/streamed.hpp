// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "assimilate/decoder_part.hpp"
#include "assimilate/system.hpp"
#include "observe/sight.hpp"

#include <sda/observation/error_covariance.hpp>
#include <sda/torch.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

// The decoder after a window of latents, as far as sights look: one state at a time, and nothing for states that nobody saw.

namespace appa {

/// What drawing cost, counted by windows (denoiser) and by states (decoder); any number of threads may count.
struct tally {
  std::atomic<index_t> denoised = 0, denoiser_vjps = 0, denoiser_jvps = 0;
  std::atomic<index_t> decoded = 0, decoder_vjps = 0, decoder_jvps = 0;
};

/// What a sight sees of one state of standardised latents; made once, for all windows that hold the state.
class seen_state {
 public:
  /// The state is that of an hour, where the autoencoder asks for it. What the autoencoder leaves, where the system knows it, counts as error.
  seen_state(trained_system const& system, sight const& s, hours when = 0) : seen_state(system, s, when, system.scale) {}
  /// ... of numbers that are latents on another scale, whose mean may be each cell's own, [tokens, channels]; with or without `residual`.
  seen_state(trained_system const& system, sight const& s, hours when, latent_scale const& scale, bool residual = true);

  index_t count() const { return values.size(1); }
  /// [rows, tokens * channels] to [rows, count()], where and in what type z is. Differentiable both ways.
  at::Tensor operator()(at::Tensor const& z) const;
  decoder_part const& decoder() const { return decode_; }

  /// The same at z [rows, tokens * channels], with the products of its Jacobian.
  class local {
   public:
    local(seen_state const& of, at::Tensor const& z);
    at::Tensor const& value() const { return value_; }
    at::Tensor vjp(at::Tensor const& u) const;
    at::Tensor jvp(at::Tensor const& v) const;

   private:
    seen_state const* of_;
    decoder_part::local decoded_;
    at::Tensor value_;
  };
  local linearize(at::Tensor const& z) const { return {*this, z}; }

  at::Tensor values, variances;  // [1, count()]

 private:
  at::Tensor tokens(at::Tensor const& z) const;                          // z, or a direction, as the decoder has it
  at::Tensor seen(at::Tensor const& x, at::Tensor const& as) const;      // of decoded numbers

  latent_scale scale_;
  at::Device device_;
  at::ScalarType type_;
  index_t latents_, corners_;
  decoder_part decode_;
  at::Tensor weights_;  // [count(), corners], if they are not all 1
};

/// How a window's states are seen: `look` through the decoder, else (none) all their latents as they are.
struct seen_part {
  index_t state;
  std::shared_ptr<seen_state const> look;
};

/// The linearisation of window_sight at a window: the decoder once forward for its value, and for each product once forward or back
/// where its linearisation is kept; else once more forward for each vjp, and with dual numbers for each jvp.
class linear_sight {
 public:
  linear_sight(class window_sight const& of, at::Tensor const& z);
  at::Tensor const& value() const { return value_; }
  at::Tensor vjp(at::Tensor const& u) const;
  at::Tensor jvp(at::Tensor const& v) const;

 private:
  window_sight const* of_;
  at::Tensor z_, value_;
  std::vector<std::optional<seen_state::local>> kept_;  // by part; none: made again when it is wanted
};

/// What is seen of a window of standardised latents, rows of states * numbers: part after part, side by side.
class window_sight {
 public:
  /// Linearisations of states are kept between products while they fit into `memory` bytes. Counts into `spent`, if there is one.
  window_sight(std::vector<seen_part> parts, index_t states, index_t numbers, double memory = 0, std::shared_ptr<tally> spent = {});

  at::Tensor operator()(at::Tensor const& z) const;
  linear_sight linearize(at::Tensor const& z) const { return {*this, z}; }
  index_t count() const { return offsets_.back(); }

 private:
  friend class linear_sight;
  at::Tensor state(at::Tensor const& z, std::size_t part) const;
  at::Tensor seen(at::Tensor const& u, std::size_t part) const { return u.narrow(1, offsets_[part], offsets_[part + 1] - offsets_[part]); }
  void count(std::atomic<index_t> tally::* what) const {
    if (spent_) ++(spent_.get()->*what);
  }

  std::vector<seen_part> parts_;
  std::vector<index_t> offsets_;  // of what parts see
  std::vector<char> keep_;        // by part
  index_t states_, numbers_;
  std::shared_ptr<tally> spent_;
};

/// A window's observation: parts in order of states, known latents first, with values and variances that stand in the same order.
using window_observation = sda::observation<window_sight, at::Tensor, sda::diagonal_error<at::Tensor>>;

}  // namespace appa
