// SPDX-License-Identifier: Apache-2.0
// A whole assimilation on the least of states: what compiles here asks of a state no more than the concept says.
#include <archetype.hpp>
#include <sda/sda.hpp>
#include <sda_test.hpp>

using namespace sda;

namespace {

// What the library has of each concept passes the check that names the faults of others (tests/compile_fail).
using least_state = sda_test::archetype<double>;
using chain_prior = decltype(gaussian_ar1(std::declval<least_state>(), 1, 1, 0.5));
static_assert(check_sde<rectified>() && check_sde<vp_cosine>());
static_assert(check_differentiable_denoiser<chain_prior, least_state>());
static_assert(check_operator<masked<least_state>, least_state>() && check_operator<pointwise<arctan>, least_state>());
static_assert(check_error_covariance<scalar_error, least_state>());
static_assert(check_sampler<ddim, chain_prior, least_state>() && check_sampler<adams_bashforth<3>, chain_prior, least_state>());
static_assert(check_communicator<solo, least_state>());

// A chain of `steps` numbers, some of them seen by a nonlinear instrument; the members that a sampler draws.
template <class S, class Sampler> std::vector<double> members(S const& none, Sampler const& sampler, auto const& guide) {
  index_t const steps = columns(none);
  std::vector<std::int64_t> const at{1, 4, 5, 9};
  S y = zeros(none, 1, 4);
  load(y, std::span<double const>(std::vector{0.3, -0.2, 0.5, 0.1}));
  observation seen{composed{pointwise{arctan{}}, masked<S>{none, at, steps}}, std::move(y), scalar_error{0.05}};
  auto const posterior = guide(gaussian_ar1(zeros_like(none), steps, 1, 0.8), std::move(seen));
  S const x = sample(sampler, posterior, rectified{}, 12, zeros(none, 5, steps), key{3});
  std::vector<double> out(std::size_t(5 * steps));
  store(x, std::span(out));
  return out;
}

template <class Sampler> void agree(Sampler const& sampler, auto const& guide) {
  auto const least = members(sda_test::archetype<double>(1, 12), sampler, guide);
  auto const host = members(host_array<double>(host_array<double>::Zero(1, 12)), sampler, guide);
  double worst = 0, size = 0;
  for (std::size_t i = 0; i < host.size(); ++i) worst = std::max(worst, std::abs(least[i] - host[i])), size = std::max(size, std::abs(host[i]));
  CHECK(size > 0.1);
  CHECK(worst <= 1e-9 * size);  // rounding, amplified by twelve steps
}

constexpr auto by_moments = [](auto prior, auto seen) { return mmps{std::move(prior), std::move(seen)}; };

}  // namespace

TEST_CASE("every sampler gives on the least of states what it gives on host arrays") {
  agree(ddim{}, by_moments);
  agree(ddpm, by_moments);
  agree(heun{}, by_moments);
  agree(adams_bashforth<3>{}, by_moments);
  agree(euler_maruyama{}, by_moments);
  agree(pc{}, by_moments);
}

TEST_CASE("every guidance gives on the least of states what it gives on host arrays") {
  agree(ddim{}, [](auto prior, auto seen) { return mmps{std::move(prior), std::move(seen), cg{2}, solve_in::states}; });
  agree(ddim{}, [](auto prior, auto seen) { return mmps{std::move(prior), std::move(seen), bicgstab{2}}; });
  agree(ddim{}, [](auto prior, auto seen) { return gamma_likelihood{std::move(prior), std::move(seen)}; });
  agree(ddim{}, [](auto prior, auto seen) { return jfps{std::move(prior), std::move(seen)}; });
  agree(ddim{}, [](auto prior, auto seen) { return diffpir{std::move(prior), std::move(seen)}; });
  agree(ddim{}, [](auto, auto seen) {
    auto of_six = gaussian_ar1(zeros(seen.y, 1, 6), 6, 1, 0.8);
    return mmps{windowed{window_plan{12, 1, 6, 3}, std::move(of_six)}, std::move(seen)};
  });
}
