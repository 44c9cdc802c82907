// SPDX-License-Identifier: Apache-2.0
#include <sda/calculus/schedule.hpp>
#include <sda_test.hpp>

using namespace sda;

namespace {

template <class Body> void for_every_schedule(Body const& body) {
  body("log_linear", log_linear{});
  body("rectified", rectified{});
  body("log_logit", log_logit{});
  body("vp_cosine", vp_cosine{});
  body("vp_cosine, power 1", vp_cosine{.power = 1});
  body("vp_linear", vp_linear{});
  body("vp_exponential", vp_exponential{});
  body("sub_vp", sub_vp{vp_cosine{}});
  body("sub_sub_vp", sub_sub_vp{vp_linear{}});
  body("rectified_flow", rectified_flow{});
  body("decay", decay{});
  body("ensf_linear", ensf_linear{});
  body("ddpm_betas", ddpm_betas{});
}

}  // namespace

TEST_CASE("every schedule's noise ratio rises strictly with t") {
  for_every_schedule([](char const* name, SDE auto const& p) {
    INFO(name);
    for (int i = 0; i < 1000; ++i) {
      level const a = p(i / 1000.0), b = p((i + 1) / 1000.0);
      REQUIRE(noise_ratio(a) < noise_ratio(b));
      REQUIRE(log_snr(a) > log_snr(b));
      REQUIRE(a.alpha >= b.alpha);
    }
  });
}

TEST_CASE("every schedule starts at clean data, alpha = 1") {
  for_every_schedule([](char const* name, SDE auto const& p) {
    INFO(name);
    bool const discrete = std::string_view(name) == "ddpm_betas";  // its first step already has some noise
    CHECK(p(0).alpha == Approx(discrete ? std::sqrt(1 - 1e-4) : 1.0).epsilon(1e-14));
  });
}

TEST_CASE("time_of inverts every schedule") {
  for_every_schedule([](char const* name, SDE auto const& p) {
    INFO(name);
    for (double const t : {0.0, 0.01, 0.3, 0.5, 0.77, 0.99, 1.0}) {
      double const ratio = noise_ratio(p(t)), back = noise_ratio(p(time_of(p, ratio)));
      CHECK(back == Approx(ratio).epsilon(1e-11));  // the steepest, rectified near t = 1, amplifies rounding of t by 1e3 to 1e4
    }
    CHECK(time_of(p, noise_ratio(p(0)) / 2) == 0);
    CHECK_THROWS_AS(time_of(p, noise_ratio(p(1)) * 1.1), error);
  });
}

TEST_CASE("Appa's schedules take their published values") {
  double const t[] = {0, 1 / 32., .25, .5, .75, 31 / 32.};
  double const flow[] = {.001, .033257, .334222, 1, 2.992024, 30.06887};
  double const geometric[] = {.001, .00153993, .0316228, 1, 31.6228, 649.381};
  for (int i = 0; i < 6; ++i) {
    CHECK(rectified{}(t[i]).sigma == Approx(flow[i]).epsilon(1e-5));  // as many digits as were published
    CHECK(log_linear{}(t[i]).sigma == Approx(geometric[i]).epsilon(1e-5));
  }
  CHECK(rectified{}(1).sigma == Approx(1000).epsilon(1e-13));
  CHECK(log_linear{}(1).sigma == Approx(1000).epsilon(1e-13));
  CHECK(log_logit{}(0).sigma == Approx(.00107).epsilon(5e-3));
  CHECK(log_logit{}(.5).sigma == Approx(1).epsilon(1e-14));
  CHECK(log_logit{}(1).sigma == Approx(937.8).epsilon(1e-4));
}

TEST_CASE("variance preserving schedules preserve 1 + sigma_min² and end at alpha_min") {
  auto const check = [](SDE auto const& p) {
    for (double const t : {0.0, 0.2, 0.9, 1.0}) {
      level const l = p(t);
      CHECK(l.alpha * l.alpha + l.sigma * l.sigma == Approx(1 + 4e-6).epsilon(1e-15));
    }
    CHECK(p(1).alpha == Approx(1e-3).epsilon(1e-12));
    CHECK(p(0).sigma == Approx(2e-3).epsilon(1e-12));
  };
  check(vp_cosine{1e-3, 2e-3});
  check(vp_cosine{1e-3, 2e-3, 1});
  check(vp_linear{1e-3, 2e-3});
  check(vp_exponential{1e-3, 2e-3});
}

TEST_CASE("ddpm_betas tabulates the products of 1 - beta") {
  double const beta[] = {0.1, 0.2, 0.5};
  ddpm_betas const p(beta);
  double alpha2 = 1;
  for (int i = 0; i < 3; ++i) {
    alpha2 *= 1 - beta[i];
    CHECK(p(i / 2.0).alpha == Approx(std::sqrt(alpha2)).epsilon(1e-14));
    CHECK(p(i / 2.0).sigma == Approx(std::sqrt(1 - alpha2)).epsilon(1e-14));
  }
  CHECK(log_snr(p(0.25)) == Approx((log_snr(p(0)) + log_snr(p(0.5))) / 2).epsilon(1e-14));
  // DDPM's own, 1000 betas from 1e-4 to 2e-2, ends at alpha² = 4.0358e-5.
  CHECK(ddpm_betas{}(1).alpha == Approx(std::sqrt(4.0358e-5)).epsilon(1e-4));
}

TEST_CASE("the ensemble score filter's schedule keeps its noise at t = 0") {
  CHECK(ensf_linear{}(0) == level{1, std::sqrt(0.025)});
  CHECK(ensf_linear{}(1) == level{0.5, 1});
}

TEST_CASE("schedules refuse times and parameters they have no level for") {
  CHECK_THROWS_AS(rectified{}(1.5), error);
  CHECK_THROWS_AS(vp_cosine{}(-0.1), error);
  CHECK_THROWS_AS(decay{}(std::nan("")), error);
  CHECK_THROWS_AS((log_linear{.sigma_min = 0}(0.5)), error);
  CHECK_THROWS_AS((rectified{.sigma_min = 2, .sigma_max = 1}(0.5)), error);
  CHECK_THROWS_AS((log_logit{.rho = -1}(0.5)), error);
  CHECK_THROWS_AS((log_logit{.sigma_min = 1, .sigma_max = 1.01, .rho = 0.1}(0.5)), error);
  CHECK_THROWS_AS((vp_linear{.alpha_min = 0}(0.5)), error);
  CHECK_THROWS_AS((decay{.gamma = 1}(0.5)), error);
  CHECK_THROWS_AS(ddpm_betas(1), error);
  CHECK_THROWS_AS(ddpm_betas(10, 0.1, 1.5), error);
}

TEST_CASE("levels know their noise ratio and signal to noise ratio") {
  level const l{0.5, 2};
  CHECK(noise_ratio(l) == 4);
  CHECK(snr(l) == 0.0625);
  CHECK(log_snr(l) == Approx(std::log(0.0625)).epsilon(1e-15));
  CHECK(log_snr({1e-200, 1e200}) == Approx(-800 * std::log(10)).epsilon(1e-15));
}
