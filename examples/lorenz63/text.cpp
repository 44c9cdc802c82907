// SPDX-License-Identifier: Apache-2.0
#include "text.hpp"

#include <cstdio>
#include <fstream>
#include <sstream>

namespace lorenz63 {

void simulate(simulate_command const& c) {
  sda::require(c.length >= 1 && c.every >= 1 && c.error > 0, "simulate: ", c.length, " states, seen every ", c.every, " with an error of ", c.error);
  sda::key const k{c.seed};
  states truth = trajectories(1, c.length, false, 1024, k.fold(0)), xi(1, c.length);
  sda::lincomb(xi, sda::noise{c.error * scale[0], k.fold(1)});
  std::ofstream out(c.out);
  out.precision(9);
  for (index_t t = 0; t < c.length; ++t) {
    out << truth(0, 3 * t) << ' ' << truth(0, 3 * t + 1) << ' ' << truth(0, 3 * t + 2) << ' ';
    if (t % c.every == 0) out << truth(0, 3 * t) + xi(0, t) << '\n';
    else out << "-\n";
  }
  sda::require(out.good(), "simulate: ", c.out, " cannot be written");
}

void assimilate(assimilate_command const& c) {
  sda::require(c.members >= 2 && c.error > 0, "assimilate: ", c.members, " members, an error of ", c.error);
  std::ifstream in(c.input);
  sda::require(in.good(), "assimilate: ", c.input, " cannot be read");
  sighting seen{0, {}, {}, c.error};
  std::vector<double> values, truth;
  for (std::string line; std::getline(in, line); ++seen.length) {
    std::istringstream words(line);
    double a, b, z;
    std::string y;
    sda::require(bool(words >> a >> b >> z >> y), c.input, ": line ", seen.length + 1, " is not a b c y");
    truth.insert(truth.end(), {a, b, z});
    if (y == "-") continue;
    std::istringstream number(y);
    sda::require(bool(number >> a), c.input, ": line ", seen.length + 1, " has no number for y: ", y);
    seen.columns.push_back(3 * seen.length), values.push_back((a - centre[0]) / scale[0]);
  }
  seen.y = Eigen::Map<states const>(values.data(), 1, index_t(values.size()));
  states x = draw_posterior(c.how, seen, c.members, sda::key{c.seed});
  to_physical(x);
  states const mean = x.colwise().mean(), spread = ((x.rowwise() - mean.row(0)).square().colwise().sum() / double(c.members - 1)).sqrt();
  std::ofstream out(c.out);
  for (index_t t = 0; t < seen.length; ++t) {
    for (index_t i = 3 * t; i < 3 * t + 3; ++i) out << mean(0, i) << ' ' << spread(0, i) << (i == 3 * t + 2 ? '\n' : ' ');
  }
  sda::require(out.good(), "assimilate: ", c.out, " cannot be written");
  Eigen::Map<states const> const all(truth.data(), 1, index_t(truth.size()));
  std::printf("rmse %.3f, spread %.3f, %zu observations of %td states\n", std::sqrt((mean - all).square().mean()), std::sqrt(spread.square().mean()),
              values.size(), seen.length);
}

}  // namespace lorenz63
