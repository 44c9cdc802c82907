// SPDX-License-Identifier: Apache-2.0
#include "assimilate/streamed.hpp"

#include "network/dates.hpp"

#include <sda/torch/pushed.hpp>

namespace appa {

using sda::require;

seen_state::seen_state(trained_system const& system, sight const& s, hours when, latent_scale const& scale, bool residual)
    : values(at::tensor(s.values, at::kFloat).view({1, -1}).to(system.device)),
      variances(at::tensor(s.variances, at::kFloat).view({1, -1}).to(system.device)),
      scale_{scale.mean.to(system.device, system.type), scale.deviation.to(system.device, system.type), scale.noise}, device_(system.device),
      type_(system.type), latents_(system.latents()), corners_(s.corners),
      decode_(system.space, s.columns, system.device, to_tensor(std::vector{date_of(when)})[0]) {
  require(std::ssize(s.variances) == s.count() && std::ssize(s.columns) == s.count() * s.corners &&
              (s.weights.empty() || s.weights.size() == s.columns.size()),
          "a sight of ", s.count(), " values has ", s.variances.size(), " variances, ", s.columns.size(), " columns and ", s.weights.size(),
          " weights, with ", s.corners, " corners");
  for (std::size_t i = 0; i < s.variances.size(); ++i)
    require(s.variances[i] > 0 && std::isfinite(s.variances[i]) && std::isfinite(s.values[i]), "observation ", i, " is ", s.values[i],
            " with variance ", s.variances[i]);
  if (!s.weights.empty()) weights_ = at::tensor(s.weights, at::kFloat).view({-1, corners_}).to(device_, type_);
  if (system.residual && residual) {
    auto const told = system.residual->beside(s);
    values = at::tensor(told.values, at::kFloat).view({1, -1}).to(device_),
    variances = at::tensor(told.variances, at::kFloat).view({1, -1}).to(device_);
  }
}

at::Tensor seen_state::tokens(at::Tensor const& z) const { return z.to(device_, type_).view({z.size(0), -1, latents_}); }

at::Tensor seen_state::seen(at::Tensor const& x, at::Tensor const& as) const {
  auto y = x;
  if (corners_ > 1 || weights_.defined()) {
    y = y.view({x.size(0), -1, corners_});
    y = (weights_.defined() ? y * weights_ : y).sum(-1);
  }
  return y.to(as.options().requires_grad(false));
}

at::Tensor seen_state::operator()(at::Tensor const& z) const { return seen(decode_(scale_.restored(tokens(z))), z); }

seen_state::local::local(seen_state const& of, at::Tensor const& z)
    : of_(&of), decoded_(of.decode_, of.scale_.restored(of.tokens(z))), value_(of.seen(decoded_.value(), z)) {}

at::Tensor seen_state::local::jvp(at::Tensor const& v) const {
  return of_->seen(decoded_.jvp(of_->tokens(v) * of_->scale_.deviation), v);
}

at::Tensor seen_state::local::vjp(at::Tensor const& u) const {
  auto const& weights = of_->weights_;
  auto x = u.to(of_->device_, of_->type_);
  if (of_->corners_ > 1 || weights.defined()) {
    x = x.unsqueeze(-1).expand({-1, -1, of_->corners_});
    x = (weights.defined() ? x * weights : x).flatten(1);
  }
  return (decoded_.vjp(x) * of_->scale_.deviation).flatten(1).to(u.options());
}

window_sight::window_sight(std::vector<seen_part> parts, index_t states, index_t numbers, double memory, std::shared_ptr<tally> spent)
    : parts_(std::move(parts)), offsets_{0}, states_(states), numbers_(numbers), spent_(std::move(spent)) {
  for (auto const& p : parts_) {
    require(0 <= p.state && p.state < states, "state ", p.state, " of a window of ", states, " is seen");
    offsets_.push_back(offsets_.back() + (p.look ? p.look->count() : numbers));
    double const bytes = p.look ? 4 * p.look->decoder().kept_numbers() : 0;
    keep_.push_back(p.look && bytes <= memory);
    if (keep_.back()) memory -= bytes;
  }
}

at::Tensor window_sight::state(at::Tensor const& z, std::size_t part) const {
  require(sda::columns(z) == states_ * numbers_, "a window of ", states_, " states of ", numbers_, " has ", sda::columns(z), " columns");
  return z.reshape({z.size(0), -1}).narrow(1, parts_[part].state * numbers_, numbers_);
}

at::Tensor window_sight::operator()(at::Tensor const& z) const {
  torch::NoGradGuard const off;
  auto const y = at::empty({z.size(0), count()}, z.options());
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    auto const& look = parts_[i].look;
    seen(y, i).copy_(look ? (*look)(state(z, i)) : state(z, i));
    if (look) count(&tally::decoded);
  }
  return y;
}

linear_sight::linear_sight(window_sight const& of, at::Tensor const& z) : of_(&of), z_(z.detach().clone()), kept_(of.parts_.size()) {
  torch::NoGradGuard const off;
  value_ = at::empty({z.size(0), of.count()}, z.options());
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    auto const& look = of.parts_[i].look;
    auto const state = of.state(z_, i);
    if (of.keep_[i]) kept_[i].emplace(*look, state);
    of.seen(value_, i).copy_(kept_[i] ? kept_[i]->value() : look ? (*look)(state) : state);
    if (look) of.count(&tally::decoded);
  }
}

at::Tensor linear_sight::vjp(at::Tensor const& u) const {
  auto const out = at::zeros_like(z_);
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    auto const& look = of_->parts_[i].look;
    auto const mine = of_->seen(u, i);
    of_->state(out, i).add_(kept_[i] ? kept_[i]->vjp(mine) : look ? sda::traced(*look, of_->state(z_, i)).vjp(mine) : mine);
    if (look) of_->count(&tally::decoder_vjps);
  }
  return out;
}

at::Tensor linear_sight::jvp(at::Tensor const& v) const {
  auto const out = at::empty_like(value_);
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    auto const& look = of_->parts_[i].look;
    auto const mine = of_->state(v, i);
    of_->seen(out, i).copy_(kept_[i] ? kept_[i]->jvp(mine) : look ? sda::push_forward(*look, of_->state(z_, i), mine).jvp : mine);
    if (look) of_->count(&tally::decoder_jvps);
  }
  return out;
}

}  // namespace appa
