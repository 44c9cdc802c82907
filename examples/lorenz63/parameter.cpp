// SPDX-License-Identifier: Apache-2.0
#include "particles.hpp"
#include "validate.hpp"

#include <algorithm>
#include <cstdio>

namespace lorenz63 {
namespace {

struct estimate {
  double mean, deviation;
};

// ρ by particles that carry their own: exact but for their number, as the window is short.
estimate by_particles(states const& attractor, sighting const& seen, sda::key k) {
  std::vector<double> logs(std::size_t(attractor.rows()), 0.0);
  states x = attractor;
  model_with_rho const step_of{};
  auto p = sda::particle_filter::start(std::move(x));
  for (index_t t = 0; t < seen.length; ++t) {
    if (t > 0) p.x = step_of(p.x, k.fold(2 * std::uint64_t(t)));
    states y = seen.y.middleCols(3 * t, 3);
    std::vector<double> variances;
    for (std::size_t c = 0; c < 3; ++c)
      y(0, index_t(c)) = y(0, index_t(c)) * scale[c] + centre[c], variances.push_back(std::pow(seen.error * scale[c], 2));
    std::vector<std::int64_t> const at{0, 1, 2};
    sda::particle_filter{}.analyse(p, sda::observation{sda::masked<states>(y, at, 4), y, sda::diagonal_error<states>(y, variances)},
                                   k.fold(2 * std::uint64_t(t) + 1));
  }
  estimate e{0, 0};
  for (index_t i = 0; i < p.x.rows(); ++i) e.mean += p.weights[std::size_t(i)] * p.x(i, 3);
  for (index_t i = 0; i < p.x.rows(); ++i) e.deviation += p.weights[std::size_t(i)] * std::pow(p.x(i, 3) - e.mean, 2);
  e.deviation = std::sqrt(e.deviation);
  return e;
}

// Errors of estimates and what they say of themselves.
class calibration {
 public:
  void add(estimate const& e, double truth, estimate const& exact) {
    error_ += std::pow(e.mean - truth, 2), spread_ += std::pow(e.deviation, 2), away_ += std::pow(e.mean - exact.mean, 2);
    double const z = std::abs(e.mean - truth) / e.deviation;
    half_ += z < 0.6745, most_ += z < 1.6449, ++count_;
  }
  void print(char const* name) const {
    std::printf("%-12s %8.3f %8.3f %14.3f %8.0f %% %8.0f %% %20.3f\n", name, root(error_), root(spread_), root(spread_) / root(error_),
                100 * half_ / count_, 100 * most_ / count_, root(away_));
  }

 private:
  double root(double sum) const { return std::sqrt(sum / count_); }
  double error_ = 0, spread_ = 0, away_ = 0, half_ = 0, most_ = 0, count_ = 0;
};

}  // namespace

void estimate_parameter(parameter_command const& c) {
  sda::require(c.truths >= 1 && c.members >= 2 && c.particles >= 1, "parameter: ", c.truths, " truths, ", c.members, " members, ", c.particles,
               " particles");
  sda::key const k{c.seed};
  index_t const n = 3 * c.length;
  states truth = trajectories(c.truths, c.length, true, 1024, k.fold(0));
  states const begin = trajectories(c.particles, 1, true, 1024, k.fold(1));
  standardise(truth);
  states y(c.truths, n);
  sda::lincomb(y, sda::noise{c.error, k.fold(2)});
  y += truth.leftCols(n);
  sighting seen{c.length, {}, states(c.truths * c.members, n), c.error};
  for (std::int64_t i = 0; i < n; ++i) seen.columns.push_back(i);
  for (index_t i = 0; i < c.truths; ++i) seen.y.middleRows(i * c.members, c.members) = y.row(i).replicate(c.members, 1);

  auto const of_rho = [&](states x) {  // every truth's members
    to_physical(x);
    sda::require(x.cols() == n + 1, "parameter: ", c.how.weights, " knows of no rho");
    std::vector<estimate> out;
    for (index_t i = 0; i < c.truths; ++i) {
      auto const rho = x.col(n).segment(i * c.members, c.members);
      out.push_back({rho.mean(), std::sqrt((rho - rho.mean()).square().sum() / double(c.members - 1))});
    }
    return out;
  };
  auto free = c.how;
  free.guidance = "jfps";
  auto const score = of_rho(draw_posterior(c.how, seen, c.truths * c.members, k.fold(3)));
  auto const blind = of_rho(draw_posterior(free, seen, c.truths * c.members, k.fold(3)));
  to_physical(truth);
  calibration particles, network, jacobian_free, prior;
  for (index_t i = 0; i < c.truths; ++i) {
    sighting const one{c.length, seen.columns, y.row(i), c.error};
    auto const exact = by_particles(begin, one, k.fold(4).fold(std::uint64_t(i)));
    double const rho = truth(i, n);
    particles.add(exact, rho, exact), network.add(score[std::size_t(i)], rho, exact), jacobian_free.add(blind[std::size_t(i)], rho, exact);
    prior.add({rho_mean, rho_deviation}, rho, exact);
  }
  std::printf("%-12s %8s %8s %14s %10s %10s %20s\n", "rho", "rmse", "spread", "spread / rmse", "in 50 %", "in 90 %", "rms off particles");
  prior.print("prior"), particles.print("particles"), network.print(c.how.guidance.c_str()), jacobian_free.print("jfps");
}

}  // namespace lorenz63
