// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "sight.hpp"

#include <torch/torch.h>

#include <numbers>

namespace kolmogorov {

/// The Gaussian of independent waves (sda/fftw/homogeneous_gaussian.hpp) of standardised windows of T frames of n x n points, as tensors
/// that autograd follows: fields [rows, T, n, n] to modes [n n, T, rows], directions of time for every wave, and back.
class window_gaussian : public torch::nn::Module {
 public:
  window_gaussian(index_t frames, index_t points)
      : mean_(register_buffer("mean", at::zeros({points, points}))), cas_(register_buffer("cas", hartley_matrix(points))),
        slope_(register_buffer("slope", slope_matrix(points))), inverse_(register_buffer("inverse", inverse_laplacian(points))),
        directions_(register_buffer("directions", at::eye(frames).repeat({points * points, 1, 1}))),
        variance_(register_buffer("variance", at::ones({points * points, frames, 1}))) {}

  index_t frames() const { return directions_.size(1); }
  index_t points() const { return cas_.size(0); }
  at::Tensor const& mean() const { return mean_; }
  at::Tensor const& variance() const { return variance_; }

  /// From rows of standardised windows.
  void estimate(states const& windows) {
    torch::NoGradGuard const off;
    auto const g = sda::homogeneous_gaussian(windows, frames(), points(), points());
    index_t const t = frames(), n = points() * points();
    auto const numbers = [](states const& x, at::IntArrayRef shape) { return at::from_blob(const_cast<double*>(x.data()), shape, at::kDouble); };
    mean_.copy_(numbers(g.mean, {t, points(), points()})[0]);
    variance_.copy_(numbers(g.variance, {t, n}).t().unsqueeze(2));
    auto all = at::empty({n, t, t}, at::kDouble);
    for (index_t i = 0; i < n; ++i) {
      auto const& v = g.basis.directions()[std::size_t(g.basis.space().wave(i))];
      std::copy(v.elements.begin(), v.elements.end(), all.data_ptr<double>() + i * t * t);
    }
    directions_.copy_(all);
  }

  at::Tensor modes(at::Tensor const& x) const {
    auto const waves = at::matmul(at::matmul(cas_, x), cas_);
    return at::bmm(directions_, waves.flatten(2).permute({2, 1, 0}));
  }
  at::Tensor fields(at::Tensor const& modes) const {
    auto const waves = at::bmm(directions_.transpose(1, 2), modes).permute({2, 1, 0}).reshape({-1, frames(), points(), points()});
    return at::matmul(at::matmul(cas_, waves), cas_);
  }

  /// u = ∂ψ/∂y and v = -∂ψ/∂x of vorticity -∇²ψ, fields like it.
  std::pair<at::Tensor, at::Tensor> velocity(at::Tensor const& x) const {
    auto const psi = at::matmul(at::matmul(cas_, inverse_ * at::matmul(at::matmul(cas_, x), cas_)), cas_);
    return {at::matmul(slope_, psi), at::matmul(psi, slope_)};   // slopeᵀ = -slope
  }

  /// u ∂x/∂x + v ∂x/∂y of a field x.
  at::Tensor carried(at::Tensor const& u, at::Tensor const& v, at::Tensor const& x) const { return v * at::matmul(slope_, x) - u * at::matmul(x, slope_); }

  /// The mean square error of the Gaussian's own posterior mean at noise r.
  double error(double r) const { return (variance_ * (r * r) / (variance_ + r * r)).mean().item<double>(); }

 private:
  static at::Tensor hartley_matrix(index_t n) {  // cas(2π i j / n) / √n, its own inverse
    auto const i = at::arange(n, at::kDouble), angle = at::outer(i, i).remainder(double(n)) * (2 * std::numbers::pi / double(n));
    return ((angle.cos() + angle.sin()) / std::sqrt(double(n))).to(at::kFloat);
  }
  static at::Tensor slope_matrix(index_t n) {  // of the trigonometric polynomial through n points: (-1)^(i-j) cot((i - j) π / n) / 2
    auto const i = at::arange(n, at::kDouble), d = i.unsqueeze(1) - i;
    auto const off = (1 - 2 * d.abs().remainder(2.0)) * 0.5 / (d * (std::numbers::pi / double(n)) + at::eye(n, at::kDouble)).tan();
    return (off * (1 - at::eye(n, at::kDouble))).to(at::kFloat);
  }
  static at::Tensor inverse_laplacian(index_t n) {  // 1 / k² of each wave, 0 of the mean
    auto const i = at::arange(n, at::kDouble), k = at::minimum(i, double(n) - i).square(), square = k.unsqueeze(1) + k;
    return at::where(square > 0, 1 / square.clamp_min(1), at::zeros_like(square)).to(at::kFloat);
  }
  at::Tensor mean_, cas_, slope_, inverse_, directions_, variance_;
};

}  // namespace kolmogorov
