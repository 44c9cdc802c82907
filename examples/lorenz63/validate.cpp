// SPDX-License-Identifier: Apache-2.0
#include "validate.hpp"

#include "particles.hpp"

#include <sda/metrics/emd.hpp>
#include <sda/metrics/table.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <numbers>

namespace lorenz63 {
namespace {

double normal_density(double square, double count, double deviation) {
  return -0.5 * square / (deviation * deviation) - count * std::log(deviation * std::sqrt(2 * std::numbers::pi));
}

// E log p(x_2:L | x_1) over rows of physical trajectories.
double log_prior(states const& x) {
  double total = 0;
  for (index_t t = 0; t + 3 < x.cols(); t += 3) {
    states const from = x.middleCols(t, 3);
    total += (model{}.mean(from) - x.middleCols(t + 3, 3)).square().sum();
  }
  return normal_density(total / double(x.rows()), double(x.cols() - 3), deviation);
}
// E log p(y | x), of standardised observations.
double log_likelihood(states x, sighting const& seen) {
  standardise(x);
  double total = 0;
  for (std::size_t i = 0; i < seen.columns.size(); ++i) total += (x.col(seen.columns[i]) - seen.y(0, index_t(i))).square().sum();
  return normal_density(total / double(x.rows()), double(seen.columns.size()), seen.error);
}
double distance(states const& x, states const& y) {
  return sda::earth_movers_distance({x.data(), std::size_t(x.size())}, {y.data(), std::size_t(y.size())}, x.rows());
}
double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return (v[(v.size() - 1) / 2] + v[v.size() / 2]) / 2;
}
double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct scores {
  std::vector<double> prior, likelihood, w1, time;
  void print(char const* of, char const* method) const {
    std::printf("%-4s %-10s %10.1f %12.2f %8.2f %10.1f\n", of, method, median(prior), median(likelihood), median(w1), median(time));
  }
};

void validate_case(validate_command const& c, std::string const& name) {
  bool const low = name == "lo";
  sda::require(low || name == "hi", "--cases ", name, ": lo or hi");
  index_t const length = 65;
  scores network, particles;
  std::vector<double> gap;
  for (index_t i = 0; i < c.truths; ++i) {
    sda::key const k = sda::key{c.seed}.fold(std::uint64_t(i)).fold(low);
    states truth = trajectories(1, length, false, 1024, k.fold(0));
    standardise(truth);
    sighting seen{length, first_coordinate(length, low ? 8 : 1), {}, low ? 0.05 : 0.25};
    seen.y = states(1, index_t(seen.columns.size()));
    sda::lincomb(seen.y, sda::noise{seen.error, k.fold(1)});
    for (index_t j = 0; j < seen.y.cols(); ++j) seen.y(0, j) += truth(0, seen.columns[std::size_t(j)]);

    double const begun = seconds();
    states const reference = particle_posterior(seen, c.members, c.particles, k.fold(2));
    double const filtered = seconds();
    states const again = particle_posterior(seen, c.members, c.particles, k.fold(3));
    double const started = seconds();
    states drawn = draw_posterior(c.how, seen, c.members, k.fold(4));
    double const ended = seconds();
    to_physical(drawn);
    auto const note = [&](scores& s, states const& x, double time) {
      s.prior.push_back(log_prior(x)), s.likelihood.push_back(log_likelihood(x, seen)), s.w1.push_back(distance(x, reference)),
          s.time.push_back(time);
    };
    note(particles, again, filtered - begun), note(network, drawn, ended - started);
    gap.push_back(network.likelihood.back() - particles.likelihood.back());
    std::fprintf(stderr, "%s, truth %td of %td: log prior %.1f, log likelihood %.2f (particles %.2f), W1 %.2f (particles %.2f)\n", name.c_str(),
                 i + 1, c.truths, network.prior.back(), network.likelihood.back(), particles.likelihood.back(), network.w1.back(),
                 particles.w1.back());
  }
  particles.print(name.c_str(), "particles"), network.print(name.c_str(), "network");
  std::printf("%-4s difference in log likelihood %.2f\n", name.c_str(), median(gap));
}

}  // namespace

void validate(validate_command const& c) {
  sda::require(c.truths >= 1 && c.members >= 2 && c.particles >= c.members, "validate: ", c.truths, " truths, ", c.members, " members, ", c.particles,
               " particles");
  std::printf("%-4s %-10s %10s %12s %8s %10s\n", "", "", "log prior", "log likelih.", "W1", "seconds");
  for (std::size_t at = 0; at < c.cases.size();) {
    auto const end = std::min(c.cases.find(',', at), c.cases.size());
    validate_case(c, c.cases.substr(at, end - at));
    at = end + 1;
  }
}

}  // namespace lorenz63
