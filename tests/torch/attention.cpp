// SPDX-License-Identifier: Apache-2.0
#include <torch_test.hpp>

#include <sda/torch.hpp>
#include <sda/torch/attention.hpp>
#include <sda/torch/sparse_attention.hpp>

using sda::detail::tensor_list;

namespace {

at::Tensor random(std::vector<std::int64_t> const& shape, double scale = 1) { return scale * at::randn(shape, at::kDouble); }

double distance(at::Tensor const& a, at::Tensor const& b) { return ((a - b).abs().max() / b.abs().max()).item<double>(); }

/// Value and both products with the Jacobian of f, a sum of attention to its one argument, against those of plain operations.
template <class F, class G> void same_derivatives(F const& f, G const& plain, at::Tensor const& x, double tolerance) {
  sda::traced const a(f, x), b(plain, x);
  auto const u = at::randn_like(a.value()), v = at::randn_like(x);
  CHECK(distance(a.value(), b.value()) < tolerance);
  CHECK(distance(a.vjp(u), b.vjp(u)) < tolerance);
  CHECK(distance(a.jvp(v), b.jvp(v)) < tolerance);
}

}  // namespace

TEST_CASE("what is checkpointed has the gradients of plain code, arguments that depend on one another included, and those of gradients") {
  torch::manual_seed(1);
  auto const w = random({4, 4}).requires_grad_();
  auto const f = [&](tensor_list const& a) { return at::tanh(at::mm(a[0], w)) * a[1].square(); };
  auto const x = random({3, 4}).requires_grad_();
  auto const twice = [&](bool checkpointing) {
    auto const y = x.sin();
    auto const out = checkpointing ? sda::checkpointed(f, {x, y}, {w}) : f({x, y});
    auto const first = torch::autograd::grad({out.sum()}, {x, w}, {}, true, true);
    auto const second = torch::autograd::grad({first[0].square().sum()}, {x, w});
    return at::cat({out.flatten(), first[0].flatten(), first[1].flatten(), second[0].flatten(), second[1].flatten()});
  };
  CHECK(distance(twice(true), twice(false)) < 1e-13);
}

TEST_CASE("attention by tiles is attention, and so are its derivatives") {
  torch::manual_seed(2);
  auto const q = random({1, 1, 2100, 3}), k = random({1, 1, 2100, 3}), v = random({1, 1, 2100, 2});  // more than one tile
  auto const plain = [](at::Tensor const& a, at::Tensor const& b, at::Tensor const& c) {
    return at::matmul(at::softmax(at::matmul(a, b.transpose(-2, -1)) / std::sqrt(3.), -1), c);
  };
  same_derivatives([&](at::Tensor const& s) { return sda::attention(q * s, k + s, v * s); },
                   [&](at::Tensor const& s) { return plain(q * s, k + s, v * s); }, random({1, 1, 1, 1}), 1e-11);
}

TEST_CASE("the value of attention without gradients is that of floats with them, and of doubles") {
  torch::manual_seed(4);
  auto const q = random({2, 3, 150, 20}), k = random({2, 3, 70, 20}), v = random({2, 3, 70, 9});
  auto const single = [](at::Tensor const& t) { return t.to(at::kFloat); };
  auto const kept = sda::attention(single(q), single(k), single(v));
  torch::NoGradGuard const off;
  auto const value = sda::attention(single(q), single(k), single(v));
  CHECK(value.sizes() == kept.sizes());
  CHECK(distance(value.to(at::kDouble), sda::attention(q, k, v)) < 1e-6);
  CHECK(distance(value, kept) < 1e-6);
}

TEST_CASE("attention to neighbours is attention under a mask, and who sees nobody becomes zero") {
  torch::manual_seed(3);
  std::int64_t const m = 40, n = 30, d = 4;
  auto const mask = at::rand({m, n}) < 0.2;
  mask[7].zero_(), mask[0].fill_(1);
  auto const edges = at::nonzero(mask);
  sda::neighbourhoods const seen(edges.index_select(0, at::randperm(edges.size(0))), m, n);
  auto const q = random({2, 3, m, d}), k = random({2, 3, n, d}), v = random({2, 3, n, d});
  auto const plain = [&](at::Tensor const& a, at::Tensor const& b, at::Tensor const& c) {
    auto const weights = at::softmax((at::matmul(a, b.transpose(-2, -1)) / std::sqrt(double(d))).masked_fill(mask.logical_not(), -1e300), -1);
    return at::matmul(weights * mask.any(1, true), c);
  };
  auto const s = random({2, 1, 1, d});
  same_derivatives([&](at::Tensor const& x) { return sda::sparse_attention(q * x, k + x, v * x, seen); },
                   [&](at::Tensor const& x) { return plain(q * x, k + x, v * x); }, s, 1e-11);
  CHECK(sda::sparse_attention(q, k, v, seen).select(2, 7).abs().max().item<double>() == 0);
}

TEST_CASE("edges that lead nowhere, and shapes that do not fit, are errors") {
  CHECK_THROWS_AS(sda::neighbourhoods(at::tensor({0, 5}, at::kLong).view({1, 2}), 3, 5), sda::error);
  CHECK_THROWS_AS(sda::neighbourhoods(at::tensor({-1, 0}, at::kLong).view({1, 2}), 3, 5), sda::error);
  CHECK_THROWS_AS(sda::attention(random({2, 5, 4}), random({2, 6, 3}), random({2, 6, 4})), sda::error);
}
