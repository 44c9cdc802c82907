// SPDX-License-Identifier: Apache-2.0
#include <sda/calculus/schedule.hpp>
#include <sda/guidance/diffpir.hpp>
#include <sda/guidance/jfps.hpp>
#include <sda/guidance/mmps.hpp>
#include <sda/guidance/pigdm.hpp>
#include <sda/guidance/tmpd.hpp>
#include <sda/prior/mixture.hpp>
#include <sda/sampler/ddim.hpp>
#include <sda/trajectory/window_plan.hpp>

#include <dense.hpp>
#include <golden.hpp>
#include <scripted.hpp>

using namespace sda;
using namespace sda_test;

namespace {

/// Observations without error.
struct no_error {
  array apply(array const& v) const { return 0 * v; }
  array solve(array const& v) const { return v / 0; }
  array draw(key, array const& like) const { return 0 * like; }
};

/// One DDIM(eta) step of a guided denoiser with the stored noise.
template <class D> array stepped(D const& d, array const& x, level from, level to, double eta, array const& xi) {
  scripted s{x, [&](array& draw, index_t) { draw = xi; }};
  none memory;
  ddim{eta}.step(through{d}, s, memory, {from, to}, key{});
  return s.x;
}

template <class D> void check_level(golden const& g, std::string const& prefix, D const& prior, level from, level to) {
  array const x = from.alpha * g.array("inputs/x_t_clean") + from.sigma * g.array("inputs/x_t_noise"), xi = g.array("inputs/step_noise");
  array const y = g.array("inputs/y"), variances = g.array("inputs/var_y");
  dense_operator const a{g.array("inputs/operator").matrix()};
  observation const o{a, y, dense_error{variances.row(0).matrix().asDiagonal()}};
  auto const want = [&](std::string const& name) { return g.array("outputs/guidance/" + prefix + name); };
  auto const check = [&](array const& got, std::string const& name) {
    INFO(prefix << name);
    CHECK(distance(got, want(name)) < g.tolerance());
  };

  double const lambda = g.config.at("diffpir_lambda");
  independent_prior const signal{g.array("inputs/signal_var")};
  for (int const n : g.config.at("solver_iterations")) {
    auto const with = [&](std::string const& name, auto const& solve) {
      check(mmps{prior, o, solve}(x, from), "mmps_" + name);
      check(jfps{prior, o, signal, solve}(x, from), "jfps_" + name);
      check(diffpir{prior, o, lambda, solve}(x, from), "diffpir_" + name);
    };
    with("cg_it" + std::to_string(n), cg{n});
    with("gmres_it" + std::to_string(n), gmres{n});
  }
  check(tmpd{prior, o, innovation_sums{}}(x, from), "tmpd");

  double const eta = g.config.at("pgdm_eta");
  pigdm const exact{prior, observation{a, y, no_error{}}, gmres{3}, pigdm_steps{{{from, to}, eta}}};
  check(stepped(exact, x, from, to, eta, xi), "pgdm_step");

  // the stored step has one norm for the whole batch
  array const d = y.replicate(x.rows(), 1) - a(prior(x, from)), norms = d.matrix().rowwise().norm().array();
  array got = zeros_like(x);
  for (index_t r = 0; r < x.rows(); ++r) {
    double const zeta = g.config.at("dps_zeta").get<double>() * norms(r, 0) / d.matrix().norm();
    array const one = stepped(dps{prior, o, zeta, per_step{{{from, to}, 1}}}, take_rows(x, r, r + 1), from, to, 1, take_rows(xi, r, r + 1));
    copy_block(got, r, 0, one, 0, 0, 1, x.cols());
  }
  check(got, "dps_step");
}

}  // namespace

TEST_CASE("golden azula: guidance") {
  auto const files = golden_files("azula_");
  if (files.empty()) SDA_SKIP("no azula_* reference values");
  for (auto const& file : files) {
    golden const g(file);
    dense_gaussian const gauss{g.array("inputs/gauss_mean").row(0).matrix().transpose(), g.array("outputs/gauss_covariance").matrix()};
    array const w = g.array("inputs/mixture_weights"), v = g.array("inputs/mixture_variances"), m = g.array("inputs/mixture_means");
    auto const mixed = isotropic_mixture<array>(m, {w.data(), w.data() + w.size()}, std::span<double const>(m.data(), std::size_t(m.size())),
                                                std::span<double const>(v.data(), std::size_t(v.size())));
    array const t = g.array("inputs/t");
    auto const on = [&]<class P>(std::string const& name, P const& p) {
      for (index_t k = 0; k < t.size(); ++k) {
        std::string const rest = "_" + name + "_" + std::to_string(k) + "_";
        level const from = p(t(0, k)), to = p(.8 * t(0, k));  // "guided_step"
        check_level(g, "gauss" + rest, gauss, from, to);
        check_level(g, "mixture" + rest, mixed, from, to);
        array const x = from.alpha * g.array("inputs/x_t_clean") + from.sigma * g.array("inputs/x_t_noise");
        auto const exact = conditioned(gauss, g.array("inputs/operator").matrix(), g.array("inputs/y").row(0).matrix().transpose(),
                                       g.array("inputs/var_y").row(0).matrix().asDiagonal());
        CHECK(distance(exact(x, from), g.array("outputs/guidance/gauss" + rest + "exact_posterior")) < g.tolerance());
      }
    };
    auto const option = [&](char const* schedule, char const* name) { return g.config.at("schedules").at(schedule).at(name).get<double>(); };
    on("ve", log_linear{option("ve", "sigma_min"), option("ve", "sigma_max")});
    on("vp", vp_exponential{option("vp", "alpha_min"), option("vp", "sigma_min")});
    on("rectified", rectified_flow{option("rectified", "alpha_min"), option("rectified", "sigma_min")});
  }
}

TEST_CASE("golden trajectory: which window a step is taken from") {
  auto const files = golden_files("trajectory_");
  if (files.empty()) SDA_SKIP("no trajectory_* reference values");
  for (auto const& file : files) {
    golden const g(file);
    for (auto const& map : g.config.at("index_maps")) {
      index_t const size = map.at("window"), stride = map.at("stride"), steps = map.at("length");
      std::string const prefix = "outputs/map/K" + std::to_string(size) + "_S" + std::to_string(stride) + "_T" + std::to_string(steps) + "/";
      auto const check = [&](std::string const& name, window_mode mode) {
        window_plan const plan{steps, 1, size, stride, mode};
        array const windows = g.array(prefix + name + "_window"), offsets = g.array(prefix + name + "_offset");
        for (index_t s = 0; s < steps; ++s) {
          CHECK(plan.owner(s) == index_t(windows(0, s)));
          CHECK(s - plan.owner(s) * stride == index_t(offsets(0, s)));
        }
      };
      check("symmetrical", window_mode::symmetric);
      check("causal", window_mode::causal);
      window_plan const average{steps, 1, size, stride, window_mode::average};
      array ones = array::Ones(average.count(), size), hits = window_cut{average}.adjoint(ones);
      CHECK((hits == g.array(prefix + "average_count")).all());
    }
  }
}
