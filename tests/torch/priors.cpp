// SPDX-License-Identifier: Apache-2.0
#include <torch_test.hpp>

#include <on_any_state.hpp>
#include <sda/sda.hpp>
#include <sda/torch.hpp>

using namespace sda_test;

TEST_CASE("priors, operators and error covariances on tensors are those on arrays") {
  auto const on_arrays = priors_and_operators(sda::host_array<float>(1, 1)), on_tensors = priors_and_operators(at::zeros({1, 1}));
  CHECK(distance(on_tensors, on_arrays) <= 1e-4);  // single precision, amplified by a solve
}

namespace {

// A saturating instrument looks at a chain of 12 numbers; what each sampler draws under each guidance, in one piece or in windows.
template <class S> record members(S const& none) {
  using namespace sda;
  S y = zeros(none, 1, 3);
  load(y, std::span<float const>(std::vector{0.3f, -0.2f, 0.5f}));
  std::vector<std::int64_t> const at{1, 4, 9};
  observation const seen{composed{pointwise{arctan{}}, masked<S>{none, at, 12}}, y, scalar_error{0.05}};
  auto const prior = gaussian_ar1(zeros(none, 1, 12), 12, 1, 0.8);
  record out;
  auto const draw = [&](auto const& sampler, auto const& denoiser) { out(sample(sampler, denoiser, vp_cosine{}, 8, zeros(none, 5, 12), key{3})); };
  draw(ddpm, mmps{prior, seen});
  draw(heun{}, mmps{prior, seen});
  draw(adams_bashforth<3>{}, gamma_likelihood{prior, seen});
  draw(exponential_x<2>{}, dps{prior, seen});
  draw(pc{ddim{}, adaptive_langevin{.limit = 10}, 1}, gamma_likelihood{prior, seen});
  draw(euler_maruyama{}, prior);
  draw(ddim{}, latent_optimization{prior, seen, lbfgs{5}});
  draw(ddim{}, mmps{windowed{window_plan{12, 1, 6, 2}, gaussian_ar1(zeros(none, 1, 6), 6, 1, 0.8)}, seen});
  return out;
}

}  // namespace

TEST_CASE("samplers, guidance and windows give on tensors what they give on arrays") {
  CHECK(distance(members(at::zeros({1, 1})), members(sda::host_array<float>(1, 1))) <= 1e-4);
}

TEST_CASE("tensors on a card are as good as those on the host") {
  if (!torch::cuda::is_available()) SDA_SKIP("no CUDA device");
  auto const there = at::zeros({1, 1}, at::kCUDA);
  CHECK(distance(priors_and_operators(there), priors_and_operators(sda::host_array<float>(1, 1))) <= 1e-4);
  CHECK(distance(members(there), members(sda::host_array<float>(1, 1))) <= 1e-4);
}
