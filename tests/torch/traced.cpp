// SPDX-License-Identifier: Apache-2.0
#include <torch_test.hpp>

#include <sda/prior/denoiser.hpp>
#include <sda/torch.hpp>

using namespace sda;

namespace {

// f(x) = sin(x) A, with the exact Jacobian cos(x) ⊙ A.
struct sine_mix {
  at::Tensor a;
  at::Tensor operator()(at::Tensor const& x) const { return at::mm(x.sin(), a.to(x.scalar_type())); }
};
struct shrink {
  at::Tensor operator()(at::Tensor const& x, level l) const { return at::tanh(x) / (1 + l.sigma * l.sigma); }
};

static_assert(DifferentiableDenoiser<torch_function<shrink>, at::Tensor>);
static_assert(DifferentiableDenoiser<torch_function<shrink>, host_array<float>>);
static_assert(DifferentiableDenoiser<torch_function<shrink>, host_array<double>>);

}  // namespace

TEST_CASE("both products with the Jacobian are exact, as often as wanted") {
  auto const a = at::randn({5, 3}, at::kDouble), x = at::randn({4, 5}, at::kDouble);
  torch_function<sine_mix> const f{{a}, at::kCPU, at::kDouble};
  auto const at_x = linearize(f, x);
  CHECK(at::equal(at_x.value(), at::mm(x.sin(), a)));
  for (int i = 0; i < 3; ++i) {
    auto const u = at::randn({4, 3}, at::kDouble), v = at::randn({4, 5}, at::kDouble);
    CHECK(at::allclose(at_x.vjp(u), at::mm(u, a.t()) * x.cos(), 1e-14, 1e-14));
    CHECK(at::allclose(at_x.jvp(v), at::mm(v * x.cos(), a), 1e-14, 1e-14));
  }
}

TEST_CASE("a linearisation outlives changes of the point it was made at, and the caller's inference mode") {
  torch_function<sine_mix> const f{{at::eye(2, at::kDouble)}, at::kCPU, at::kDouble};
  c10::InferenceMode const inference;
  at::Tensor x = at::full({1, 2}, 0.5, at::kDouble);
  auto const at_x = linearize(f, x);
  lincomb(x, term{2.0, x});
  CHECK(at::allclose(at_x.vjp(at::ones({1, 2}, at::kDouble)), at::full({1, 2}, std::cos(0.5), at::kDouble), 1e-15));
}

TEST_CASE("a function that ignores its argument has zero derivatives") {
  auto const constant = [](at::Tensor const& x) { return at::ones({x.size(0), 3}); };
  torch_function const f{constant};
  auto const at_x = linearize(f, at::Tensor(at::randn({2, 5})));
  CHECK(at::equal(at_x.vjp(at::ones({2, 3})), at::zeros({2, 5})));
  CHECK(at::equal(at_x.jvp(at::ones({2, 5})), at::zeros({2, 3})));
}

TEMPLATE_TEST_CASE("states of other libraries go through a torch function and its derivatives", "", float, double) {
  auto const x = sda_test::normals<TestType>(3, 4, key{1}), u = sda_test::normals<TestType>(3, 4, key{2});
  torch_function const d{shrink{}};
  level const l{1, 0.5};
  auto const at_x = linearize(d, x, l);
  host_array<double> const t = x.template cast<double>().tanh(), slope = (1 - t.square()) / 1.25;
  CHECK(sda_test::distance(d(x, l), t / 1.25) < 1e-6);  // the function computes in float
  CHECK((at_x.value() == d(x, l)).all());
  CHECK(sda_test::distance(at_x.vjp(u), slope * u.template cast<double>()) < 1e-6);
  CHECK(sda_test::distance(at_x.jvp(u), slope * u.template cast<double>()) < 1e-6);
}
