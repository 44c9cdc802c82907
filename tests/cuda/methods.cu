// SPDX-License-Identifier: Apache-2.0
// Priors, operators, filters and guidance that have no kernel of their own, with device states from the same text as on the host.
#include "device_test.hpp"

#include <on_any_state.hpp>
#include <sda/calculus/lbfgs.hpp>
#include <sda/calculus/ode.hpp>
#include <sda/filter/diffda.hpp>
#include <sda/filter/eakf.hpp>
#include <sda/filter/enff.hpp>
#include <sda/filter/ensemble_kalman.hpp>
#include <sda/filter/ensf.hpp>
#include <sda/filter/exact_finish.hpp>
#include <sda/filter/four_d_var.hpp>
#include <sda/filter/ienks.hpp>
#include <sda/filter/latent.hpp>
#include <sda/filter/paired.hpp>
#include <sda/filter/particle.hpp>
#include <sda/filter/variational.hpp>
#include <sda/guidance/cfg.hpp>
#include <sda/guidance/latent_optimization.hpp>
#include <sda/guidance/projection.hpp>
#include <sda/model/lorenz96.hpp>
#include <sda/model/simulate.hpp>
#include <sda/sampler/daps.hpp>
#include <sda/sampler/repaint.hpp>
#include <sda/sampler/smc.hpp>
#include <sda/trajectory/alternating.hpp>

using namespace sda;
using sda_test::normals;
using sda_test::to_device;
using sda_test::to_host;

TEST_CASE("priors, operators and errors give on a device what they give on the host", "[cuda]") {
  device_array<double> const like(0, 0, sda_test::device_stream());
  CHECK(sda_test::distance(sda_test::priors_and_operators(like), sda_test::priors_and_operators(host_array<double>(0, 0))) < 1e-9);
}

namespace sda_test {

/// How far run(problem) on the device is from the host's; a problem makes states of its kind of host numbers.
struct on_the_device {
  device_array<double> operator()(host_array<double> const& x) const { return to_device<double>(x); }
};
struct on_the_host {
  host_array<double> operator()(host_array<double> const& x) const { return x; }
};
template <class Run> double apart(Run const& run) { return distance(to_host(run(on_the_device{})), run(on_the_host{})); }

inline constexpr index_t ring = 12;
inline std::vector<std::int64_t> const sites{0, 3, 4, 8};
/// Every third or fourth number of a ring, its arctan seen.
template <class Make> auto seen_by(Make const& make) {
  auto const y = make(normals(1, 4, key{2}));
  return observation{composed{pointwise{arctan{}}, masked(y, std::span<std::int64_t const>(sites), ring)}, y, scalar_error{0.3}};
}
template <class Filter> double filters_apart(Filter const& filter) {
  return apart([&](auto const& make) {
    auto e = make(normals(7, ring, key{1}));
    filter.analyse(e, seen_by(make), key{3});
    return e;
  });
}
template <class Guide> double guided_apart(Guide const& guide) {
  return apart([&](auto const& make) {
    auto const variance = make(normals(1, ring, key{5}).square() + 0.2);
    return guide(gaussian{make(normals(1, ring, key{4})), variance}, seen_by(make))(make(normals(5, ring, key{6})), level{0.8, 0.6});
  });
}

}  // namespace sda_test

TEST_CASE("filters that have no kernels give on a device what they give on the host", "[cuda]") {
  using namespace sda_test;
  std::vector<double> const places(sites.begin(), sites.end());
  auto const between = localise(std::span<double const>(places), std::span<double const>(places), 4, ring_distance{double(ring)});
  CHECK(filters_apart(eakf{localise_ring(ring, sites, 4), between, {.factor = 1.05}}) < 1e-10);
  CHECK(filters_apart(denkf{}) < 1e-10);
  CHECK(filters_apart(enkf_n{}) < 1e-8);
  CHECK(filters_apart(ensf{.steps = 20}) < 1e-9);  // the walk in registers, from start to end
  CHECK(filters_apart(ensf{.steps = 20, .from = ensf::scores::all_members}) < 1e-9);
  CHECK(filters_apart(enff{.along = enff::path::noise_to_forecast}) < 1e-9);
  CHECK(filters_apart(paired_flow_filter{ring_taper{ring, 2}}) < 1e-8);
  CHECK(filters_apart(particle_filter{}) == 0);  // picks members
  CHECK(filters_apart(three_d_var{scalar_error{0.5}}) < 1e-9);
  CHECK(apart([](auto const& make) {
          auto e = make(normals(7, ring, key{1}));
          enff{}.analyse(e, make(normals(7, ring, key{7})), seen_by(make), key{3});
          return e;
        }) < 1e-9);
  CHECK(apart([](auto const& make) {
          auto e = make(normals(7, ring, key{1}));
          flow const model{lorenz96{}, 0.05};
          ienks{.iterations = 3}.analyse(e, [&](auto const& x) { return model(x); }, seen_by(make), key{3});
          return e;
        }) < 1e-8);
}

namespace sda_test {
/// Latents are halves.
struct halves {
  template <State S> S encode(S const& x) const {
    S z = sda::clone(x);
    lincomb(z, term{0.5, x});
    return z;
  }
  pointwise<scale> decoder() const { return {{2}}; }
};
}  // namespace sda_test

TEST_CASE("filters of latents and 4d-var give on a device what they give on the host", "[cuda]") {
  using namespace sda_test;
  CHECK(filters_apart(latent_filter{halves{}, etkf{}, true}) < 1e-10);
  CHECK(filters_apart(latent_filter{halves{}, ensf{.steps = 20}}) < 1e-9);
  CHECK(apart([](auto const& make) {
          trajectory_from const weak{flow{lorenz96{}, 0.05}, 3, false};
          auto const y = make(normals(1, 3 * ring, key{2})), background = make(normals(1, 3 * ring, key{4}));
          return gauss_newton{.outer = 2, .solve = {20}}(
              variational_problem{background, chain_error{scalar_error{2}, scalar_error{0.1}, 3}, observation{weak, y, scalar_error{0.04}}},
              background);
        }) < 1e-8);
}

TEST_CASE("diffda and what finishes trajectories give on a device what they give on the host", "[cuda]") {
  using namespace sda_test;
  CHECK(apart([](auto const& make) {
          gaussian const prior{make(host_array<double>::Zero(1, ring)), make(host_array<double>::Ones(1, ring))};
          masked const sight(prior.mean, std::span<std::int64_t const>(sites), ring);
          auto const spread_out = [sight](auto const& v) { return sight.adjoint(v); };
          diffda const filter{prior,
                              spread_out,
                              make(normals(1, ring, key{5}).abs().min(1)),
                              make(host_array<double>::Constant(1, ring, 0.6)),
                              uniform_grid(vp_cosine{}, 6),
                              1,
                              2,
                              ddpm};
          auto e = make(normals(3, ring, key{1}));
          filter.analyse(e, observation{sight, make(normals(1, 4, key{2})), scalar_error{0.3}}, key{3});
          return e;
        }) < 1e-9);
  CHECK(apart([](auto const& make) {
          std::vector<std::int64_t> const at{0, 2, 3, 5, 9, 11};
          auto const start = make(normals(1, 3, key{4}));
          dynamics const chain{linear(make(0.6 * normals(3, 3, key{1}))), start, scalar_error{1}, scalar_error{0.2},
                               observation{masked(start, std::span<std::int64_t const>(at), 15), make(normals(1, 6, key{5})), scalar_error{0.3}}};
          return exact_finish{2}(chain, make(normals(2, 15, key{6})), key{7});
        }) < 1e-9);
}

TEST_CASE("guidance without kernels gives on a device what it gives on the host", "[cuda]") {
  using namespace sda_test;
  CHECK(guided_apart([](auto prior, auto seen) { return cfg{prior, mmps{prior, seen, gmres{3}}, 1.5}; }) < 1e-9);
  CHECK(guided_apart([](auto prior, auto seen) { return projected{prior, onto{seen.op.f, seen.y, cg{3}}}; }) < 1e-9);
  CHECK(guided_apart([](auto prior, auto seen) { return latent_optimization{prior, seen, gauss_newton_cg{2, cg{4}}}; }) < 1e-9);
  CHECK(guided_apart([](auto prior, auto seen) { return latent_optimization{prior, seen, lbfgs{5}}; }) < 1e-8);
  CHECK(guided_apart([](auto prior, auto seen) { return latent_optimization{prior, seen, adam{5, 0.01}}; }) < 1e-9);
  CHECK(guided_apart([](auto prior, auto seen) { return daps{prior, seen, key{8}}; }) < 1e-9);
}

TEST_CASE("samplers that know what is seen give on a device what they give on the host", "[cuda]") {
  using namespace sda_test;
  auto const levels = uniform_grid(vp_cosine{}, 8);
  CHECK(apart([&](auto const& make) {
          gaussian const prior{make(normals(1, ring, key{4})), make(normals(1, ring, key{5}).square() + 0.2)};
          repaint const r{ddpm, make(normals(1, ring, key{9}).abs().min(1)), make(normals(1, ring, key{10}))};
          return sample(r, prior, std::span<level const>(levels), make(host_array<double>::Zero(3, ring)), key{3});
        }) < 1e-9);
  CHECK(apart([&](auto const& make) {
          gaussian const prior{make(normals(1, ring, key{4})), make(normals(1, ring, key{5}).square() + 0.2)};
          auto const y = make(normals(1, 4, key{2}));
          observation const seen{masked(y, std::span<std::int64_t const>(sites), ring), y, scalar_error{0.3}};
          return sample_particles(twisted{prior, seen}, std::span<level const>(levels), make(host_array<double>::Zero(6, ring)), key{3}).x;
        }) < 1e-8);
}

TEST_CASE("trajectories drawn window by window are on a device what they are on the host", "[cuda]") {
  using namespace sda_test;
  CHECK(apart([](auto const& make) {
          gaussian const prior{make(normals(1, ring, key{4})), make(normals(1, ring, key{5}).square() + 0.2)};
          auto const redraw = [&](held_window const&, auto const& x, key k) { return sample(ddpm, prior, vp_cosine{}, 4, x, k); };
          return alternating{alternating_plan{14, 6, 2}, 2, redraw}(make(host_array<double>::Zero(3, ring)), 2, key{3});
        }) < 1e-9);
}
