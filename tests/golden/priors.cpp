// SPDX-License-Identifier: Apache-2.0
#include <exact.hpp>
#include <golden.hpp>

#include <functional>
#include <map>
#include <sda/calculus/schedule.hpp>
#include <sda/prior/gaussian_full.hpp>
#include <sda/prior/mixture.hpp>

using namespace sda;
using sda_test::golden;
using S = host_array<double>;
namespace exact = sda_test::exact;

namespace {

std::map<std::string, std::function<level(double)>> schedules(golden const& file) {
  auto const option = [&](char const* name, char const* key) { return file.config["schedules"][name][key].get<double>(); };
  return {{"ve", log_linear{option("ve", "sigma_min"), option("ve", "sigma_max")}},
          {"vp", vp_exponential{option("vp", "alpha_min"), option("vp", "sigma_min")}},
          {"cosine", vp_cosine{option("cosine", "alpha_min"), option("cosine", "sigma_min"), 1}},
          {"rectified", rectified_flow{option("rectified", "alpha_min"), option("rectified", "sigma_min")}},
          {"decay", decay{option("decay", "alpha_min"), option("decay", "sigma_min"), option("decay", "gamma")}}};
}

// The stored x_t, at every schedule and time: f(schedule, index of the time, time, level, x_t).
void at_every_level(golden const& file, auto const& f) {
  S const clean = file.array("inputs/x_t_clean"), noisy = file.array("inputs/x_t_noise"), times = file.array("inputs/t");
  for (auto const& [schedule, p] : schedules(file))
    for (index_t k = 0; k < times.size(); ++k) {
      level const l = p(times(0, k));
      f(schedule, k, times(0, k), l, S(l.alpha * clean + l.sigma * noisy));
    }
}
std::string name_of(std::string const& prior, std::string const& schedule, double t) {
  char time[16];
  std::snprintf(time, sizeof time, "%.3f", t);
  return "outputs/" + prior + "/" + schedule + "_mean_t" + time;
}
void check_means(golden const& file, std::string const& prior, auto const& d) {
  at_every_level(file, [&](std::string const& schedule, index_t, double t, level l, S const& x) {
    INFO(name_of(prior, schedule, t));
    CHECK(sda_test::distance(d(x, l), file.array(name_of(prior, schedule, t))) <= file.tolerance());
  });
}

}  // namespace

TEST_CASE("golden posterior means of a Gaussian") {
  auto const files = sda_test::golden_files("azula_");
  if (files.empty()) SDA_SKIP("no stored reference values");
  for (auto const& path : files) {
    golden const file(path);
    S const mean = file.array("inputs/gauss_mean"), q = file.array("outputs/gauss_basis_used");
    check_means(file, "gauss", gaussian_full(mean, file.array("outputs/gauss_covariance").matrix()));
    check_means(file, "gauss", gaussian{mean, file.array("inputs/gauss_eigenvalues"), dense_basis{q, S(q.transpose())}});
  }
}

TEST_CASE("golden posterior means of a mixture") {
  auto const files = sda_test::golden_files("azula_");
  if (files.empty()) SDA_SKIP("no stored reference values");
  for (auto const& path : files) {
    golden const file(path);
    S const means = file.array("inputs/mixture_means"), w = file.array("inputs/mixture_weights"), v = file.array("inputs/mixture_variances");
    std::vector<double> const weights(w.data(), w.data() + w.size()), variances(v.data(), v.data() + v.size());
    check_means(file, "mixture", isotropic_mixture(means, weights, std::span<double const>(means.data(), std::size_t(means.size())), variances));
  }
}

TEST_CASE("golden posterior means of a Gaussian given observations") {
  auto const files = sda_test::golden_files("azula_");
  if (files.empty()) SDA_SKIP("no stored reference values");
  for (auto const& path : files) {
    golden const file(path);
    exact::normal_law<> const prior{exact::row_of<double>(file.array("inputs/gauss_mean"), 0), file.array("outputs/gauss_covariance").matrix()};
    exact::matrix<> const r = exact::row_of<double>(file.array("inputs/var_y"), 0).asDiagonal();
    auto const posterior =
        exact::condition<double>(prior, file.array("inputs/operator").matrix(), exact::row_of<double>(file.array("inputs/y"), 0), r);
    S const mean = posterior.mean.transpose();
    auto const d = gaussian_full(mean, posterior.covariance);
    index_t compared = 0;
    at_every_level(file, [&](std::string const& schedule, index_t k, double, level l, S const& x) {
      std::string const name = "outputs/guidance/gauss_" + schedule + "_" + std::to_string(k) + "_exact_posterior";
      if (!file.tensors().contains(name)) return;
      INFO(name);
      CHECK(sda_test::distance(d(x, l), file.array(name)) <= file.tolerance());
      ++compared;
    });
    CHECK(compared > 0);
  }
}
