// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/schedule.hpp>
#include <sda/filter/ensemble.hpp>
#include <sda/guidance/mmps.hpp>
#include <sda/prior/ensemble_gaussian.hpp>
#include <sda/sampler/heun.hpp>
#include <sda/sampler/sample.hpp>

#include <algorithm>

namespace sda {

/// A score filter that keeps its members apart from one another as they are: the prior is the Gaussian of the inflated and
/// localised forecast ensemble; every forecast member is encoded to noise by the probability-flow ODE of the prior and decoded
/// by that of the posterior (MMPS, the operator linearised at every x̂). Both ways are Heun's second order on levels that
/// are geometric in σ: independent noise or first order cost most of the skill. For states of some hundred numbers.
template <class Taper, class Solve = gmres> struct paired_flow_filter {
  Taper taper;
  double inflation = 1;
  int steps = 16;
  double sigma_min = 1e-2, sigma_max = 30;
  Solve solve{5};

  template <State X, class O> void analyse(X& e, O const& seen, key) const {
    auto const prior = localised_ensemble_gaussian(e, taper, inflation);
    X const mean = ensemble_mean(e);
    X x = anomalies(e, mean);
    lincomb(x, term{1.0, mean}, term{inflation, x});
    std::vector<level> levels;
    for (int i = 0; i <= steps; ++i) levels.push_back({1, sigma_max * std::pow(sigma_min / sigma_max, double(i) / steps)});
    heun const ode;
    none nothing;
    for (std::size_t i = levels.size() - 1; i > 0; --i) ode.step(prior, x, nothing, transition{levels[i], levels[i - 1]}, key{});
    mmps const posterior{std::cref(prior).get(), seen, solve};
    e = sample_from(ode, posterior, std::span<level const>(levels), x, key{});
  }
};
template <class T> paired_flow_filter(T) -> paired_flow_filter<T>;
template <class T> paired_flow_filter(T, double) -> paired_flow_filter<T>;

}  // namespace sda
