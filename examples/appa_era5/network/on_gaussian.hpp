// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "layers.hpp"
#include "roles.hpp"

#include <sda/calculus/level.hpp>

// What a network of a latent prior need not learn: the Gaussian of windows of T states of n numbers, with a covariance that is diagonal
// in a basis of time and one of space, C = (Q ⊗ V) Λ (Q ⊗ V)ᵀ + Q diag(rest) Qᵀ ⊗ (1 - V Vᵀ). The denoiser is this Gaussian's
// posterior mean and what the network adds to it, which is told of it. In Karras's form (latent_prior.hpp), with r = σ / α,
//
//   F(x, c) = r / √(r² + 1) m + (Q ⊗ V) diag(r (λ - 1) / (λ + r²)) (Q ⊗ V)ᵀ (x - m / √(r² + 1)) + s(r) F_net(x | x̂_Gaussian, c),
//   s² = mean of λ (r² + 1) / (λ + r²) over all T n directions: what the Gaussian leaves unsaid.

namespace appa {

/// A backbone on top of the Gaussian of what it is trained on: ours, where there are too few data or steps to learn large waves from.
class on_gaussian : public backbone {
 public:
  /// `net` takes cells of twice the `channels` (and those of a background between them), and returns the channels.
  on_gaussian(std::shared_ptr<backbone> net, index_t cells, index_t channels, index_t rank)
      : channels_(channels), mean_(register_buffer("mean", at::zeros({cells * channels}))), time_(register_buffer("time", at::eye(net->length()))),
        space_(register_buffer("space", at::eye(cells * channels, rank))), variance_(register_buffer("variance", at::ones({net->length(), rank}))),
        rest_(register_buffer("rest", at::ones({net->length()}))), net_(register_module("net", std::move(net))) {
    sda::require(0 < rank && rank <= cells * channels, "the Gaussian of ", cells * channels, " numbers of a state cannot have rank ", rank);
  }

  at::Tensor forward(at::Tensor const& x, at::Tensor const& c, at::Tensor const& dates) const override {
    auto const told = cells_of(x), own = told.narrow(2, 0, channels_).flatten(1);
    auto const r = ratio(own, c), from = linear(own, r), guess = (own + r * from) * at::rsqrt(r.square() + 1);
    auto const said = net_->forward(at::cat({told, cells_of(guess)}, 2).flatten(1), c, dates);
    return from + unsaid(r) * said;
  }
  /// The Gaussian's part of it.
  at::Tensor gaussian(at::Tensor const& x, at::Tensor const& c) const { return linear(cells_of(x).narrow(2, 0, channels_).flatten(1), ratio(x, c)); }

  /// Rows of windows u times the Gaussian's covariance of x_0 given x_t, C r² (C + r²)⁻¹ u.
  at::Tensor spread(at::Tensor const& u, sda::level l) const {
    double const r = sda::noise_ratio(l), square = r * r;
    auto const gain = [&](at::Tensor const& variance) { return variance * square / (variance + square); };
    return along_basis(u.to(time_.options()).view({u.size(0), time_.size(0), -1}), gain).flatten(1).to(u.options());
  }
  /// Operations of that for a row.
  double spreading() const { return 4 * double(time_.size(0)) * double(space_.numel()); }

  index_t length() const override { return net_->length(); }
  toll denoising() const override {
    auto out = net_->denoising();
    out.maps += spreading();
    return out;
  }
  void initialise(sda::key k) override { net_->initialise(k); }

  /// The Gaussian of windows [rows, T, n]: fitted(f) hands f batches for the mean and the basis, as often as it is called, held(f) others
  /// that variances are measured on. A basis flatters itself: what it was fitted to varies more along it than anything else will (Lam, 2016).
  template <class Fitted, class Held> void estimate(Fitted const& fitted, Held const& held) {
    torch::NoGradGuard const off;
    index_t const n = space_.size(0), rank = space_.size(1), states = time_.size(0);
    auto sum = at::zeros({n}, at::kDouble);
    double count = 0;
    fitted([&](at::Tensor const& x) { sum += x.mean(1).sum(0), count += double(x.size(0)); });
    mean_.copy_(sum / count);

    auto across = at::zeros({n, n}), along = at::zeros({states, states});
    fitted([&](at::Tensor const& x) {
      auto const a = x - mean_, middle = a.mean(1);
      across.addmm_(middle.t(), middle);
      along += at::matmul(a, a.transpose(1, 2)).sum(0);
    });
    auto const basis = [](at::Tensor const& covariance) { return std::get<1>(at::linalg_eigh(covariance)).flip(1); };  // the largest first
    space_.copy_(basis(across / count).narrow(1, 0, rank));
    time_.copy_(basis(along / count));

    auto inside = at::zeros({states, rank}, at::kDouble), whole = at::zeros({states}, at::kDouble);
    count = 0;
    held([&](at::Tensor const& x) {
      auto const modes = at::matmul(time_.t(), x - mean_);
      inside += at::matmul(modes, space_).square().sum(0), whole += modes.square().sum(0).sum(-1), count += double(x.size(0));
    });
    sda::require(count > 0, "no window is left to measure the Gaussian's variances on");
    variance_.copy_(inside / count);
    if (rank < n) rest_.copy_((whole - inside.sum(1)) / (count * double(n - rank)));
  }

 private:
  at::Tensor cells_of(at::Tensor const& x) const { return x.view({x.size(0), time_.size(0) * mean_.size(0) / channels_, -1}); }
  // r of a condition 10 ln r, [1 or rows, 1]
  static at::Tensor ratio(at::Tensor const& x, at::Tensor const& c) {
    return (c.to(at::kDouble) / 10).exp().to(x.options().requires_grad(false)).reshape({-1, 1});
  }
  at::Tensor linear(at::Tensor const& x, at::Tensor const& r) const {
    auto const each = r.unsqueeze(2), square = each.square(), m = mean_ * at::rsqrt(square + 1);  // [1 or rows, 1, n]
    auto const gain = [&](at::Tensor const& l) { return each * (l - 1) / (l + square); };
    return (along_basis(x.view({x.size(0), time_.size(0), -1}) - m, gain) + each * m).flatten(1);
  }
  // Windows [rows, T, n] with each direction multiplied by f(its variance)
  template <class F> at::Tensor along_basis(at::Tensor const& x, F const& f) const {
    auto const outside = f(rest_.unsqueeze(1));  // [1 or rows, T, 1]
    auto const modes = at::matmul(time_.t(), x), inside = at::matmul(modes, space_) * (f(variance_) - outside);
    return at::matmul(time_, outside * modes + at::matmul(inside, space_.t()));
  }
  // s, [1 or rows, 1]
  at::Tensor unsaid(at::Tensor const& r) const {
    auto const square = r.square().unsqueeze(2);
    auto const left = [&](at::Tensor const& l) { return (l * (square + 1) / (l + square)).sum(-1); };  // [1 or rows, T]
    double const n = double(space_.size(0)), rank = double(space_.size(1));
    return ((left(variance_) + (n - rank) * left(rest_.unsqueeze(1))).mean(-1, true) / n).sqrt();
  }

  index_t channels_;
  at::Tensor mean_, time_, space_, variance_, rest_;  // m [n], Q [T, T], V [n, rank], Λ [T, rank], [T]
  std::shared_ptr<backbone> net_;
};

/// The Gaussian beneath a backbone; sda::error if there is none.
inline on_gaussian const& gaussian_beneath(backbone const& net) {
  auto const* const found = dynamic_cast<on_gaussian const*>(&net);
  sda::require(found, "guidance.covariance is gaussian, and this denoiser was trained without one (denoiser.backbone.gaussian_rank)");
  return *found;
}

}  // namespace appa
