// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/random.hpp>

#include <torch/torch.h>

#include <array>

// What the rest of a system knows of its two networks, whichever a configuration names.

namespace appa {

using index_t = std::int64_t;

/// Where the cells of a state's latents lie: in rows and columns, or at the nodes of an icosphere.
struct lattice {
  std::array<index_t, 2> image{};
  int divisions = -1;  // of the icosphere, if it is one

  bool on_sphere() const { return divisions >= 0; }
  index_t cells() const { return on_sphere() ? 10 * (index_t{1} << 2 * divisions) + 2 : image[0] * image[1]; }
};

/// What a row takes on its way through a network: operations, two for each product and sum, and numbers that are alive while a gradient
/// goes back.
struct toll {
  double maps = 0, attention = 0;  // operations of linear maps and convolutions; of attention, whose tiles a gradient makes again
  double kept = 0;
  bool again = false;  // a gradient makes all blocks again

  toll& operator+=(toll const& t) {
    maps += t.maps, attention += t.attention, kept += t.kept;
    return *this;
  }
};

/// Fields [rows, points, channels] of dates [4] or [rows, 4] to latents [rows, cells, latents], and back.
class autoencoder : public torch::nn::Module {
 public:
  virtual at::Tensor encode(at::Tensor const& x, at::Tensor const& dates) const = 0;
  virtual at::Tensor decode(at::Tensor const& z, at::Tensor const& dates) const = 0;
  virtual index_t points() const = 0;
  virtual index_t channels() const = 0;
  virtual index_t latents() const = 0;
  virtual lattice where() const = 0;
  virtual toll decoding() const = 0;
  /// Random values, functions of the key.
  virtual void initialise(sda::key k) = 0;
};

/// F(x, c, dates) on windows of latent states: x [rows, times cells channels] in this order, c the noise condition, [] or [rows],
/// dates [times, 4] or [rows, times, 4].
class backbone : public torch::nn::Module {
 public:
  virtual at::Tensor forward(at::Tensor const& x, at::Tensor const& c, at::Tensor const& dates) const = 0;
  /// States in a window.
  virtual index_t length() const = 0;
  virtual toll denoising() const = 0;
  /// Random values, functions of the key.
  virtual void initialise(sda::key k) = 0;
};

/// Numbers that training finds.
inline index_t numbers_in(torch::nn::Module const& net) {
  index_t total = 0;
  for (auto const& p : net.parameters()) total += p.numel();
  return total;
}

/// An autoencoder at one date, or one for each row: what latent_space takes.
struct autoencoder_at {
  std::shared_ptr<autoencoder const> net;
  at::Tensor dates;

  at::Tensor encode(at::Tensor const& x) const { return net->encode(x, dates); }
  at::Tensor decode(at::Tensor const& z) const { return net->decode(z, dates); }
  index_t channels() const { return net->channels(); }
  index_t latents() const { return net->latents(); }
};

}  // namespace appa
