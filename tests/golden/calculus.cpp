// SPDX-License-Identifier: Apache-2.0
#include <golden.hpp>
#include <sda/calculus/schedule.hpp>
#include <sda/calculus/solve.hpp>

using namespace sda;
using sda_test::distance;
using sda_test::golden;
using sda_test::golden_files;
using state = host_array<double>;

namespace {

/// Calls body(name, schedule) for the schedules an azula_* file was made with.
template <class Body> void for_every_schedule(nlohmann::json const& config, Body const& body) {
  auto const option = [&](char const* schedule, char const* name) { return config.at("schedules").at(schedule).at(name).get<double>(); };
  auto const vanishing = [&]<class P>(char const* name, P p) {
    p.alpha_min = option(name, "alpha_min"), p.sigma_min = option(name, "sigma_min");
    return p;
  };
  body("ve", log_linear{option("ve", "sigma_min"), option("ve", "sigma_max")});
  body("vp", vanishing("vp", vp_exponential{}));
  body("cosine", vanishing("cosine", vp_cosine{.power = 1}));
  body("rectified", vanishing("rectified", rectified_flow{}));
  body("decay", vanishing("decay", decay{.gamma = option("decay", "gamma")}));
}

template <class Level> state tabulate(state const& t, Level const& of) { return t.unaryExpr(of); }

struct matrix {
  state transposed;
  state operator()(state const& x) const {
    state y = zeros(x, rows(x), columns(transposed));
    multiply(y, x, transposed);
    return y;
  }
};

}  // namespace

TEST_CASE("golden azula: schedules") {
  auto const files = golden_files("azula_");
  if (files.empty()) SDA_SKIP("no azula_* reference values");
  for (auto const& file : files) {
    golden const g(file);
    state const t = g.array("inputs/schedule_t");
    for_every_schedule(g.config, [&](std::string const& name, SDE auto const& p) {
      INFO(file << ": " << name);
      CHECK(distance(tabulate(t, [&](double at) { return p(at).alpha; }), g.array("outputs/schedule/" + name + "_alpha")) < g.tolerance());
      CHECK(distance(tabulate(t, [&](double at) { return p(at).sigma; }), g.array("outputs/schedule/" + name + "_sigma")) < g.tolerance());
    });
  }
}

TEST_CASE("golden azula: solvers") {
  auto const files = golden_files("azula_");
  if (files.empty()) SDA_SKIP("no azula_* reference values");
  for (auto const& file : files) {
    golden const g(file);
    state const b = g.array("inputs/y"), guess = state::Ones(1, b.cols());
    matrix const spd{g.array("outputs/solve/spd_matrix").transpose()}, general{g.array("outputs/solve/nonsymmetric_matrix").transpose()};
    for (int const iterations : g.config.at("solver_iterations")) {
      INFO(file << ": " << iterations << " iterations");
      std::string const after = "_it" + std::to_string(iterations);
      CHECK(distance(cg{iterations}(spd, b), g.array("outputs/solve/cg" + after)) < g.tolerance());
      CHECK(distance(gmres{iterations}(general, b), g.array("outputs/solve/gmres" + after)) < g.tolerance());
      CHECK(distance(improve(gmres{iterations}, general, b, guess), g.array("outputs/solve/gmres_x0" + after)) < g.tolerance());
    }
  }
}

TEST_CASE("golden samplers: schedules and grids") {
  auto const files = golden_files("samplers_");
  if (files.empty()) SDA_SKIP("no samplers_* reference values");
  for (auto const& file : files) {
    golden const g(file);
    auto const check = [&]<class P>(std::string const& name, P p) {
      INFO(file << ": " << name);
      p.sigma_min = g.config.at("train").at("sigma_min"), p.sigma_max = g.config.at("train").at("sigma_max");
      auto const sigma = [&](double t) { return p(t).sigma; };
      auto const same = [&](state const& value, std::string const& expected) {
        CHECK(distance(value, g.array("outputs/" + expected)) < g.tolerance());
      };
      same(tabulate(g.array("inputs/schedule_t"), sigma), "schedule/" + name);
      same(state::Constant(1, 1, sigma(1)), "schedule/" + name + "_sigma_tmax");
      int const n = g.config.at("steps");
      state const grid = state::NullaryExpr(1, n + 1, [n](Eigen::Index i) { return 1 - double(i) / n; });
      same(grid.leftCols(n), "grid/" + name + "_ddim_time");
      same(tabulate(grid.leftCols(n), sigma), "grid/" + name + "_ddim_sigma_t");
      same(tabulate(grid.rightCols(n), sigma), "grid/" + name + "_ddim_sigma_s");
      same(tabulate(grid, sigma), "grid/" + name + "_lms_sigma");
    };
    check("rectified", rectified{});
    check("loglinear", log_linear{});
    check("loglogit", log_logit{});
  }
}
