// SPDX-License-Identifier: Apache-2.0
#include <torch_test.hpp>

#include <sda/calculus/schedule.hpp>
#include <sda/torch/denoising.hpp>
#include <sda/torch/trainer.hpp>
#include <temporary.hpp>

using namespace sda;

namespace {

// A small regression whose batches are functions of the step alone.
struct regression : torch::nn::Module {
  torch::nn::Linear first{nullptr}, second{nullptr};
  regression() {
    first = register_module("first", torch::nn::Linear(3, 8));
    second = register_module("second", torch::nn::Linear(8, 1));
  }
  at::Tensor loss(std::int64_t step, std::int64_t part = 0, std::int64_t parts = 1) {
    auto const x = at::randn({12, 3}, generator(key{5}.fold(std::uint64_t(step)), at::kCPU)).chunk(parts)[std::size_t(part)];
    return (second(at::silu(first(x))) - x.sin().sum(1, true)).square().mean();
  }
};
std::shared_ptr<regression> made() {
  torch::manual_seed(3);
  return std::make_shared<regression>();
}

// The ranks of a job as the trainer sees them; rank 1's gradients are ones.
struct two_ranks {
  int rank() const { return 0; }
  int size() const { return 2; }
  void all_reduce(at::Tensor x) const { x.add_(1); }
};

}  // namespace

TEST_CASE("a run resumed from a checkpoint goes on bit by bit") {
  sda_test::temporary_folder const folder;
  auto const a = made(), b = made();
  trainer whole({a.get()}, 0.9), part({b.get()}, 0.9);
  for (int i = 0; i < 5; ++i) whole.step([&](std::size_t) { return a->loss(whole.steps()); }, 1e-2);
  whole.save(folder / "c", {{"name", "test"}});
  for (int i = 0; i < 5; ++i) whole.step([&](std::size_t) { return a->loss(whole.steps()); }, 1e-2);
  safetensors::archive const stored(folder / "c");
  CHECK(nlohmann::json::parse(stored.metadata().at("config")).at("name") == "test");
  part.resume(stored);
  CHECK(part.steps() == 5);
  for (int i = 0; i < 5; ++i) part.step([&](std::size_t) { return b->loss(part.steps()); }, 1e-2);
  CHECK(at::equal(whole.parameters().values(), part.parameters().values()));
  for (auto const& [name, t] : whole.average()) CHECK(at::equal(t, part.average().at(name)));
}

TEST_CASE("a checkpoint of another network is refused with every difference") {
  sda_test::temporary_folder const folder;
  write_tensors(folder / "c", {{"first.weight", at::zeros({8, 4})}, {"first.bias", at::zeros({8})}, {"other", at::zeros({1})}});
  safetensors::archive const stored(folder / "c");
  std::string said;
  try {
    read_tensors(stored, state_of(*made()));
  } catch (error const& e) {
    said = e.what();
  }
  for (auto const* part : {"first.weight: stored as [8, 4], needed as [8, 3]", "missing: second.weight", "missing: second.bias", "not needed: other"})
    CHECK(said.find(part) != std::string::npos);
}

TEST_CASE("a batch without a finite gradient changes nothing and is counted") {
  auto const net = made();
  trainer run({net.get()}, 0.9);
  auto const before = run.parameters().values().clone();
  for (double bad : {std::nan(""), HUGE_VAL}) run.step([&](std::size_t) { return net->loss(0) * bad; }, 1e-2);
  CHECK(run.skipped() == 2);
  CHECK(at::equal(run.parameters().values(), before));
  run.step([&](std::size_t) { return net->loss(0); }, 1e-2);
  CHECK(run.skipped() == 2);
  CHECK(run.parameters().values().isfinite().all().item<bool>());
  CHECK_FALSE(at::equal(run.parameters().values(), before));
}

TEST_CASE("workers that share a batch compute the gradient of the whole") {
  auto const alone = made(), first = made(), second = made(), third = made();
  trainer one({alone.get()}, 0.9), three({first.get(), second.get(), third.get()}, 0.9);
  for (int i = 0; i < 20; ++i) {
    auto const a = one.step([&](std::size_t) { return alone->loss(i); }, 1e-2);
    auto const b = three.step([&](std::size_t p) { return (p == 0 ? first : p == 1 ? second : third)->loss(i, std::int64_t(p), 3); }, 1e-2);
    CHECK(a.loss == Approx(b.loss).epsilon(1e-4));   // float sums in another order, through twenty steps
    CHECK(a.gradient == Approx(b.gradient).epsilon(1e-4));
  }
}

TEST_CASE("gradients are averaged over ranks before they are clipped") {
  auto const net = made();
  trainer run({net.get()}, 0.9);
  net->loss(0).backward();
  double const expected = ((run.parameters().gradients() + 1) / 2).norm().item<double>();
  CHECK(run.step([&](std::size_t) { return net->loss(0); }, 1e-2, two_ranks{}).gradient == Approx(expected).epsilon(1e-6));
}

TEST_CASE("averaged parameters stand in for the trained ones only while asked to") {
  auto const net = made();
  trainer run({net.get()}, 0.5);
  for (int i = 0; i < 3; ++i) run.step([&](std::size_t) { return net->loss(i); }, 1e-1);
  auto const trained = net->first->weight.clone();
  run.with_average([&] { CHECK(at::equal(net->first->weight, run.average().at("first.weight"))); });
  CHECK(at::equal(net->first->weight, trained));
  CHECK_FALSE(at::equal(trained, run.average().at("first.weight")));
}

TEST_CASE("a moving average with a steady input approaches it as its decay says") {
  moving_average m;
  m.decay = 0.9;
  m.update(at::zeros({1}, at::kDouble));
  double expected = 0;
  for (int n = 1; n < 40; ++n) {
    m.update(at::ones({1}, at::kDouble));
    double const decay = std::min(0.9, (1.0 + n) / (10.0 + n));
    expected = decay * expected + 1 - decay;
    CHECK(m.average.item<double>() == Approx(expected).epsilon(1e-12));
  }
}

TEST_CASE("learning rates warm up, then fall as asked") {
  learning_rate const line{2.0, 0.0, 3, 13, learning_rate::shape::linear}, wave{2.0, 1.0, 0, 10, learning_rate::shape::cosine};
  CHECK(line(0) == 0.5);
  CHECK(line(2) == 1.5);
  CHECK(line(3) == 2.0);
  CHECK(line(8) == Approx(1.0));
  CHECK(line(13) == 0.0);
  CHECK(wave(0) == 2.0);
  CHECK(wave(5) == Approx(1.5));
  CHECK(wave(10) == 1.0);
}

TEST_CASE("the denoising loss of a perfect denoiser of N(0, 1) is the variance of the posterior") {
  // x̂ = α x_t / (α² + σ²), whose mean squared error is σ² / (α² + σ²): with Karras's weight the loss is 1 at every level.
  std::int64_t const n = 4000;
  auto const x0 = at::randn({n, 50}, generator(key{1}, at::kCPU)), eps = at::randn({n, 50}, generator(key{2}, at::kCPU));
  auto const form = [](level l) { return network_form{0, 1, l.alpha / (l.alpha * l.alpha + l.sigma * l.sigma), 0}; };
  auto const identity = [](at::Tensor const& x, at::Tensor const&) { return x; };
  for (auto const& levels : {draw_levels(vp_cosine{}, n, key{3}), draw_levels(log_logit{1e-2, 1e2}, n, key{4})})
    CHECK(denoising_loss(identity, form, weight_of_f{}, x0, eps, levels).item<double>() == Approx(1).margin(4 * std::sqrt(2.0 / (50.0 * double(n)))));
}

TEST_CASE("levels are drawn evenly over a schedule, and again from the same key") {
  auto const levels = draw_levels(log_linear{1e-2, 1e2}, 100, key{7});
  for (int i = 0; i < 100; ++i) {
    double const u = std::log(levels[std::size_t(i)].sigma / 1e-2) / std::log(1e4);
    CHECK((u > i / 100.0 - 1e-12 && u < (i + 1) / 100.0 + 1e-12));
  }
  CHECK((draw_levels(log_linear{1e-2, 1e2}, 100, key{7}) == levels));
}

TEST_CASE("tensors of every type survive a file, but for types files have not") {
  sda_test::temporary_folder const folder;
  named_tensors all;
  for (auto type : {at::kBool, at::kByte, at::kChar, at::kShort, at::kInt, at::kLong, at::kHalf, at::kBFloat16, at::kFloat, at::kDouble})
    all[c10::toString(type)] = at::randn({3, 4}).mul(2).abs().to(type).t();
  write_tensors(folder / "a", all);
  safetensors::archive const stored(folder / "a");
  for (auto const& [name, t] : all) CHECK(at::equal(to_torch(stored[name]), t));
  CHECK_THROWS_AS(write_tensors(folder / "a", {{"c", at::zeros({2}, at::kComplexFloat)}}), error);
}
