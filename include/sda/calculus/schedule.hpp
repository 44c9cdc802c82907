// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/level.hpp>
#include <sda/core/config.hpp>
#include <sda/core/error.hpp>

#include <algorithm>
#include <span>
#include <vector>

// Schedules: t in [0, 1] to a level, from data at 0 to noise at 1. Their names say the family:
//   variance exploding (alpha = 1)          log_linear, rectified, log_logit
//   variance preserving (alpha² + sigma² ≈ 1)   vp_cosine, vp_linear, vp_exponential, ddpm_betas; sub_vp, sub_sub_vp
//   between                                 rectified_flow, decay, ensf_linear

namespace sda {

namespace detail {

inline void check_time(double t) { require(t >= 0 && t <= 1, "schedule: t = ", t, " is not in [0, 1]"); }
inline void check_exploding(double t, double sigma_min, double sigma_max) {
  check_time(t);
  require(0 < sigma_min && sigma_min < sigma_max, "schedule: needs 0 < sigma_min < sigma_max, not ", sigma_min, " and ", sigma_max);
}
inline void check_vanishing(double t, double alpha_min, double sigma_min) {
  check_time(t);
  require(0 < alpha_min && alpha_min < 1 && 0 <= sigma_min && sigma_min < 1, "schedule: needs alpha_min in (0, 1) and sigma_min in [0, 1), not ",
          alpha_min, " and ", sigma_min);
}
/// alpha² + sigma² = 1 + sigma_min²
inline level preserving(double alpha, double sigma_min) { return {alpha, std::sqrt((1 - alpha) * (1 + alpha) + sigma_min * sigma_min)}; }

}  // namespace detail

/// sigma = sigma_min^(1-t) sigma_max^t: the geometric VE schedule (Song et al., 2021).
struct log_linear {
  double sigma_min = 1e-3, sigma_max = 1e3;
  level operator()(double t) const {
    detail::check_exploding(t, sigma_min, sigma_max);
    return {1, std::exp((1 - t) * std::log(sigma_min) + t * std::log(sigma_max))};
  }
};

/// sigma = (t + (1-t) sigma_min) / (1 - t + t / sigma_max): rectified flow's schedule seen as VE (Appa's default).
struct rectified {
  double sigma_min = 1e-3, sigma_max = 1e3;
  level operator()(double t) const {
    detail::check_exploding(t, sigma_min, sigma_max);
    return {1, (t + (1 - t) * sigma_min) / (1 - t + t / sigma_max)};
  }
};

/// ln sigma = ln √(sigma_min sigma_max) + rho logit(e + (1 - 2e) t), e = (sigma_min / sigma_max)^(1 / 2 rho): many levels
/// near the middle (Appa). The ends are only near sigma_min and sigma_max.
struct log_logit {
  double sigma_min = 1e-3, sigma_max = 1e3, rho = 2;
  level operator()(double t) const {
    detail::check_exploding(t, sigma_min, sigma_max);
    double const e = std::pow(sigma_min / sigma_max, 1 / (2 * rho));
    require(rho > 0 && e < 0.5, "log_logit: rho = ", rho, " leaves no room between ", sigma_min, " and ", sigma_max);
    double const u = e + (1 - 2 * e) * t;
    return {1, std::sqrt(sigma_min * sigma_max) * std::pow(u / (1 - u), rho)};
  }
};

/// alpha = cos(ω t)^power, ω = arccos(alpha_min^(1/power)), alpha² + sigma² = 1 + sigma_min². SDA's cosine has power 2
/// (Rozet & Louppe, 2023), the plain arc power 1.
struct vp_cosine {
  double alpha_min = 1e-3, sigma_min = 1e-3, power = 2;
  level operator()(double t) const {
    detail::check_vanishing(t, alpha_min, sigma_min);
    require(power > 0, "vp_cosine: power = ", power, " is not positive");
    return detail::preserving(std::pow(std::cos(t * std::acos(std::pow(alpha_min, 1 / power))), power), sigma_min);
  }
};

/// alpha = 1 - (1 - alpha_min) t, alpha² + sigma² = 1 + sigma_min² (Rozet & Louppe, 2023).
struct vp_linear {
  double alpha_min = 1e-3, sigma_min = 1e-3;
  level operator()(double t) const {
    detail::check_vanishing(t, alpha_min, sigma_min);
    return detail::preserving(1 - (1 - alpha_min) * t, sigma_min);
  }
};

/// alpha = alpha_min^(t²), alpha² + sigma² = 1 + sigma_min² (Song et al., 2021; Rozet & Louppe, 2023).
struct vp_exponential {
  double alpha_min = 1e-3, sigma_min = 1e-3;
  level operator()(double t) const {
    detail::check_vanishing(t, alpha_min, sigma_min);
    return detail::preserving(std::exp(t * t * std::log(alpha_min)), sigma_min);
  }
};

/// The alpha of another schedule with sigma = 1 - alpha² + sigma_min (Song et al., 2021).
template <SDE P> struct sub_vp {
  P of{};
  double sigma_min = 1e-3;
  level operator()(double t) const {
    double const alpha = of(t).alpha;
    return {alpha, (1 - alpha) * (1 + alpha) + sigma_min};
  }
};
template <class P> sub_vp(P) -> sub_vp<P>;
template <class P> sub_vp(P, double) -> sub_vp<P>;

/// The alpha of another schedule with sigma = 1 - alpha + sigma_min (Rozet & Louppe, 2023).
template <SDE P> struct sub_sub_vp {
  P of{};
  double sigma_min = 1e-3;
  level operator()(double t) const {
    double const alpha = of(t).alpha;
    return {alpha, 1 - alpha + sigma_min};
  }
};
template <class P> sub_sub_vp(P) -> sub_sub_vp<P>;
template <class P> sub_sub_vp(P, double) -> sub_sub_vp<P>;

/// alpha = alpha_min t + 1 - t, sigma = t + sigma_min (1 - t) (Liu et al., 2023; flow matching).
struct rectified_flow {
  double alpha_min = 1e-3, sigma_min = 1e-3;
  level operator()(double t) const {
    detail::check_vanishing(t, alpha_min, sigma_min);
    return {alpha_min * t + 1 - t, t + sigma_min * (1 - t)};
  }
};

/// rectified_flow at the time (1 - gamma^t) / (1 - gamma): alpha decays exponentially.
struct decay {
  double alpha_min = 1e-3, sigma_min = 1e-3, gamma = 0.1;
  level operator()(double t) const {
    require(0 < gamma && gamma < 1, "decay: gamma = ", gamma, " is not in (0, 1)");
    detail::check_time(t);
    return rectified_flow{alpha_min, sigma_min}((1 - std::pow(gamma, t)) / (1 - gamma));
  }
};

/// alpha = 1 - (1 - ε_alpha) t, sigma² = ε_sigma + (1 - ε_sigma) t: the ensemble score filter's (Bao et al., 2023).
struct ensf_linear {
  double eps_alpha = 0.5, eps_sigma = 0.025;
  level operator()(double t) const {
    detail::check_vanishing(t, eps_alpha, eps_sigma);
    return {1 - (1 - eps_alpha) * t, std::sqrt(eps_sigma + (1 - eps_sigma) * t)};
  }
};

/// The discrete schedule of DDPM (Ho et al., 2020): alpha² = Π (1 - beta_i), alpha² + sigma² = 1. Step i of n stands at
/// t = i / (n - 1); ln(sigma / alpha) is linear in between.
class ddpm_betas {
 public:
  /// beta rising linearly from `first` to `last`.
  explicit ddpm_betas(index_t steps = 1000, double first = 1e-4, double last = 2e-2) {
    require(steps > 1, "ddpm_betas: ", steps, " steps");
    std::vector<double> beta(static_cast<std::size_t>(steps));
    for (std::size_t i = 0; i < beta.size(); ++i) beta[i] = first + (last - first) * double(i) / double(steps - 1);
    tabulate(beta);
  }
  explicit ddpm_betas(std::span<double const> beta) { tabulate(beta); }

  level operator()(double t) const {
    detail::check_time(t);
    double const position = t * double(log_ratio_.size() - 1);
    std::size_t const i = std::min(std::size_t(position), log_ratio_.size() - 2);
    double const f = position - double(i), ratio = std::exp((1 - f) * log_ratio_[i] + f * log_ratio_[i + 1]);
    double const alpha = 1 / std::sqrt(1 + ratio * ratio);
    return {alpha, alpha * ratio};
  }
  /// How many steps there are: t (steps() - 1) is the number that a discrete network is given.
  index_t steps() const { return index_t(log_ratio_.size()); }

 private:
  void tabulate(std::span<double const> beta) {
    require(beta.size() > 1, "ddpm_betas: ", beta.size(), " steps");
    double log_alpha2 = 0;
    for (double const b : beta) {
      require(0 < b && b < 1, "ddpm_betas: beta = ", b, " is not in (0, 1)");
      log_alpha2 += std::log1p(-b);
      log_ratio_.push_back((std::log(-std::expm1(log_alpha2)) - log_alpha2) / 2);
    }
  }
  std::vector<double> log_ratio_;  // ln(sigma / alpha) of each step
};

/// The t at which a schedule reaches a noise ratio sigma / alpha, by bisection. Ratios below the schedule's least give 0;
/// above its largest is an error, for nothing trained under it has seen so much noise.
template <SDE P> double time_of(P const& schedule, double ratio) {
  double const most = noise_ratio(schedule(1));
  require(ratio <= most * (1 + 1e-6), "time_of: sigma / alpha = ", ratio, " is beyond the schedule's largest, ", most);
  if (ratio >= most) return 1;
  if (ratio <= noise_ratio(schedule(0))) return 0;
  double low = 0, high = 1;
  for (int i = 0; i < 60; ++i) {
    double const middle = low + (high - low) / 2;
    (noise_ratio(schedule(middle)) < ratio ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

}  // namespace sda
