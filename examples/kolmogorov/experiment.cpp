// SPDX-License-Identifier: Apache-2.0
#include "experiment.hpp"

#include "prior.hpp"
#include "record.hpp"
#include "runs.hpp"

#include <sda/calculus/schedule.hpp>
#include <sda/core/progress.hpp>
#include <sda/guidance/likelihood.hpp>
#include <sda/guidance/mmps.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/pointwise.hpp>
#include <sda/sampler/corrector.hpp>
#include <sda/sampler/sample.hpp>

#include <cstdio>
#include <optional>

namespace kolmogorov {
namespace {

struct test_case {
  char const* name;
  index_t every, block, side;   // of 64 points
  coarse_view::of field;
  double error, published;      // standard deviations of errors, and of what SDA leaves of the observations
};
constexpr test_case all_cases[]{{"assimilation", 4, 8, 8, coarse_view::of::velocity, 0.1, 0.110},
                                {"extrapolation", 3, 4, 8, coarse_view::of::velocity, 0.01, 0.0179},
                                {"saturation", 3, 4, 12, coarse_view::of::vorticity, 0.05, 0.061}};

double deviation(states const& x) { return std::sqrt(x.square().mean()); }

template <class Read>
void run_case(experiment const& e, test_case const& c, any_prior const& prior, states const& truth, Read const& read, std::string const& reading, sda::key k) {
  coarse_view const view({e.points, e.frames, c.every, c.block, c.side * e.points / 64, c.field});
  auto const sight = sda::composed{sda::pointwise{read}, view};
  states y = sight(truth), xi = sda::zeros_like(y);
  sda::lincomb(xi, sda::noise{c.error, k.fold(0)});
  y += xi;
  std::optional<sda::netcdf::writer> out;   // made first: a place that cannot be written is best known before the work
  if (!e.out.empty()) out.emplace(e.out + "-" + c.name + ".nc");
  sda::observation const seen{sight, y, sda::scalar_error{c.error * c.error}};
  sda::progress shown(c.name, long(e.steps));
  auto const drawn = [&](auto const& posterior) -> states {
    sda::pc const sampler{sda::ddim{}, sda::adaptive_langevin{e.tau, 10}, e.corrections, sda::correcting::after};
    states const like = states::Zero(e.members, truth.cols());
    return sda::sample(sampler, posterior, sda::log_linear{e.sigma_min, e.sigma_max}, e.steps, like, k.fold(1),
                       [&](index_t i, states const&, sda::level) { shown.at(long(i)); });
  };
  sda::require(e.guidance == "gamma" || e.guidance == "mmps", "--guidance ", e.guidance, ": gamma or mmps");
  states const x = e.guidance == "mmps" ? drawn(sda::mmps{prior, seen, sda::gmres{e.iterations, e.tolerance}}) : drawn(sda::gamma_likelihood{prior, seen, e.gamma});
  states const mean = x.colwise().mean(), climate = truth - truth.mean();
  double const residual = deviation(y.replicate(x.rows(), 1) - sight(x));
  double const spread = std::sqrt((x.rowwise() - mean.row(0)).square().sum() / double(std::max<index_t>(1, x.rows() - 1) * x.cols()));
  std::printf("%-14s %8.4f %9.4f %9.4f %10.3f %10.3f %10.3f\n", c.name, c.error, residual, c.published, deviation(mean - truth), spread, deviation(climate));
  std::fflush(stdout);
  if (out) write_record(*out, {c.name, e.command, view, reading, c.error, truth, y, x});
}

}  // namespace

void run(experiment const& e) {
  sda::require(e.points >= 16 && e.points % 16 == 0 && e.frames >= 1 && e.runs >= 1 && e.members >= 1, "experiment: ", e.points, " points, ", e.frames,
               " frames, ", e.runs, " runs, ", e.members, " members");
  std::vector<test_case> asked;
  for (std::size_t at = 0; at < e.cases.size();) {
    auto const end = std::min(e.cases.find(',', at), e.cases.size());
    std::string const name = e.cases.substr(at, end - at);
    auto const found = std::find_if(std::begin(all_cases), std::end(all_cases), [&](test_case const& c) { return c.name == name; });
    sda::require(found != std::end(all_cases), "--cases ", name, ": assimilation, extrapolation or saturation");
    asked.push_back(*found);
    at = end + 1;
  }
  sda::key const k{e.seed};
  index_t const length = 3 * e.frames;
  any_prior const prior = [&] {
    if (!e.weights.empty()) return network_prior(e.weights, e.frames, e.points, e.batch);
    auto const runs = trajectories(e.points, e.runs, length, k.fold(0));
    return any_prior(sda::homogeneous_gaussian(pieces(runs, length, e.frames, std::max<index_t>(1, e.frames / 4)), e.frames, e.points, e.points));
  }();
  states const truth = trajectories(e.points, 1, e.frames, k.fold(1));
  std::printf("%-14s %8s %9s %9s %10s %10s %10s\n", "", "error", "residual", "SDA's", "rmse", "spread", "climate");
  for (test_case const& c : asked) {
    if (c.field == coarse_view::of::velocity) run_case(e, c, prior, truth, sda::identity_function{}, "identity", k.fold(2));
    else run_case(e, c, prior, truth, sda::saturation{}, "saturation", k.fold(2));
  }
}

}  // namespace kolmogorov
