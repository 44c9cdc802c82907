// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/softmax.hpp>
#include <sda/core/error.hpp>
#include <sda/prior/gaussian.hpp>

#include <vector>

// The exact denoiser of Σ_k π_k N(m_k, C_k). With the responsibilities w_k ∝ π_k p_k(x_t), the components' posterior
// means x̂_k, Jacobians J_k and scores s_k:
//
//   x̂ = Σ w_k x̂_k,   ∂x̂/∂x_t = Σ w_k J_k + (σ²/α) Σ w_k (s_k − s)(s_k − s)ᵀ,   s = Σ w_k s_k
//
// where (σ²/α)(s_k − s) = x̂_k − x̂: scores where there is little noise, means where there is much, so that nothing cancels.

namespace sda {

namespace detail {
struct shifted {
  double by;
  template <class T> SDA_HD T operator()(T const& x) const { return x + by; }
};
}  // namespace detail

/// A mixture seen through noise at one point: posterior mean with its symmetric Jacobian, the responsibilities of the
/// components and log p(x_t), row by row. Borrows the prior it came from.
template <class Part, State S> struct mixture_at {
  std::vector<Part> parts;
  std::vector<scalars_t<S>> responsibilities;
  scalars_t<S> log_density;
  S mean;
  std::vector<S> deviations;  // s_k − s, or x̂_k − x̂ where σ > α
  double spread;              // what their outer products are multiplied by: σ²/α, or α/σ²

  S const& value() const { return mean; }
  S jvp(S const& v) const {
    S out = zeros_like(mean);
    for (std::size_t k = 0; k < parts.size(); ++k) {
      scalars_t<S> along = dot(deviations[k], v);
      lincomb(along, weighted{spread, responsibilities[k], along});
      lincomb(out, term{1.0, out}, term{each{responsibilities[k]}, parts[k].jvp(v)}, term{each{along}, deviations[k]});
    }
    return out;
  }
  S vjp(S const& u) const { return jvp(u); }
};

/// The exact denoiser of Σ_k weights[k] components[k]; G is a gaussian of any basis. Safe for any separation of the
/// components and any σ ≥ 0 (their variances > 0 where σ may be 0). Costs a few passes over x per component.
template <class G> class mixture {
 public:
  /// Weights are positive; they are divided by their sum.
  mixture(std::vector<double> weights, std::vector<G> components) : log_weights_(std::move(weights)), components_(std::move(components)) {
    require(!components_.empty() && log_weights_.size() == components_.size(), "mixture: ", log_weights_.size(), " weights for ", components_.size(),
            " components");
    double total = 0;
    for (double const w : log_weights_) {
      require(w > 0 && std::isfinite(w), "mixture: a weight of ", w);
      total += w;
    }
    for (double& w : log_weights_) w = std::log(w / total);
  }

  template <State S>
    requires DifferentiableDenoiser<G, S>
  S operator()(S const& x, level l) const {
    auto const parts = linearized(x, l);
    std::vector<scalars_t<S>> w = log_joint<S>(parts);
    softmax(w);
    return average(w, [&](std::size_t k) -> S const& { return parts[k].value(); });
  }

  template <State S>
    requires DifferentiableDenoiser<G, S>
  auto linearize(S const& x, level l) const {
    auto parts = linearized(x, l);
    std::vector<scalars_t<S>> w = log_joint<S>(parts);
    scalars_t<S> log_density = softmax(w);
    S mean = average(w, [&](std::size_t k) -> S const& { return parts[k].value(); });

    bool const noisy = l.sigma > l.alpha;
    std::vector<S> deviations;
    for (auto const& part : parts) deviations.push_back(noisy ? clone(part.value()) : part.score());
    S const centre = average(w, [&](std::size_t k) -> S const& { return deviations[k]; });
    for (S& d : deviations) lincomb(d, term{1.0, d}, term{-1.0, centre});
    double const spread = noisy ? l.alpha / (l.sigma * l.sigma) : l.sigma * l.sigma / l.alpha;
    using part = typename decltype(parts)::value_type;
    return mixture_at<part, S>{std::move(parts), std::move(w), std::move(log_density), std::move(mean), std::move(deviations), spread};
  }

  std::vector<G> const& components() const { return components_; }

 private:
  template <State S> auto linearized(S const& x, level l) const {
    std::vector<decltype(sda::linearize(components_.front(), x, l))> parts;
    for (G const& component : components_) parts.push_back(sda::linearize(component, x, l));
    return parts;
  }
  // ln π_k p_k(x_t)
  template <State S> std::vector<scalars_t<S>> log_joint(auto const& parts) const {
    std::vector<scalars_t<S>> logs;
    for (std::size_t k = 0; k < parts.size(); ++k) {
      logs.push_back(parts[k].log_density());
      transform(logs[k], detail::shifted{log_weights_[k]}, logs[k]);
    }
    return logs;
  }
  static auto average(auto const& w, auto const& item) {
    auto out = zeros_like(item(0));
    for (std::size_t k = 0; k < w.size(); ++k) lincomb(out, term{1.0, out}, term{each{w[k]}, item(k)});
    return out;
  }
  std::vector<double> log_weights_;
  std::vector<G> components_;
};

/// Σ_k weights[k] N(means[k], variances[k] I): `means` has a component a row, in host memory, row-major.
template <State S>
mixture<gaussian<S>> isotropic_mixture(S const& like, std::vector<double> weights, std::span<value_t<S> const> means,
                                       std::span<double const> variances) {
  std::size_t const n = variances.size(), width = n ? means.size() / n : 0;
  require(n > 0 && means.size() == n * width && width > 0, "isotropic_mixture: ", means.size(), " numbers of ", n, " means");
  std::vector<gaussian<S>> components;
  for (std::size_t k = 0; k < n; ++k) {
    require(variances[k] > 0, "isotropic_mixture: component ", k, " has the variance ", variances[k]);
    S mean = zeros(like, 1, index_t(width)), variance = zeros_like(mean);
    load(mean, means.subspan(k * width, width));
    transform(variance, detail::shifted{variances[k]}, variance);
    components.push_back({std::move(mean), std::move(variance)});
  }
  return {std::move(weights), std::move(components)};
}

}  // namespace sda
