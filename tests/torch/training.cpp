// SPDX-License-Identifier: Apache-2.0
#include <torch_test.hpp>

#include <sda/calculus/schedule.hpp>
#include <sda/torch/algebra.hpp>
#include <sda/torch/denoising.hpp>
#include <sda/torch/soap.hpp>
#include <sda/torch/trainer.hpp>
#include <sda/trajectory/thread_communicator.hpp>
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
  write_tensors(folder / "c", {{"first.weight", at::zeros({8, 4})}, {"first.bias", at::zeros({8}, at::kLong)}, {"other", at::zeros({1})}});
  safetensors::archive const stored(folder / "c");
  std::string said;
  try {
    read_tensors(stored, state_of(*made()));
  } catch (error const& e) { said = e.what(); }
  for (auto const* part : {"first.weight: stored as [8, 4], needed as [8, 3]", "first.bias: stored as I64, needed as Float",
                           "missing: second.weight", "missing: second.bias", "not needed: other"})
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
    CHECK(a.loss == Approx(b.loss).epsilon(1e-4));  // float sums in another order, through twenty steps
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

TEST_CASE("learning rates fall as asked, and warm up") {
  using shape = learning_rate::shape;
  learning_rate const line{2.0, 0.0, 3, 10, shape::linear}, wave{2.0, 1.0, 0, 10, shape::cosine}, fall{2.0, 0.0, 0, 10, shape::exponential};
  CHECK(line(0) == 0.5);
  CHECK(line(1) == Approx(1.0 * 0.9));
  CHECK(line(5) == Approx(1.0));
  CHECK(line(10) == 0.0);
  CHECK(wave(0) == 2.0);
  CHECK(wave(5) == Approx(1.5));
  CHECK(wave(10) == 1.0);
  CHECK(fall(5) == Approx(2e-3));
}

TEST_CASE("parts taken one after the other, by two workers or on two ranks are the same batch, bit for bit") {
  auto const together = made(), first = made(), second = made();
  trainer one({together.get()}, 0.9), two({first.get(), second.get()}, 0.9);
  one.accumulation = 2;
  std::vector<std::shared_ptr<regression>> nets{made(), made()};
  for (int i = 0; i < 5; ++i) {
    one.step([&](std::size_t p) { return together->loss(i, std::int64_t(p), 2); }, 1e-2);
    two.step([&](std::size_t p) { return (p ? second : first)->loss(i, std::int64_t(p), 2); }, 1e-2);
  }
  CHECK(at::equal(one.parameters().values(), two.parameters().values()));

  std::vector<at::Tensor> shared(2);
  on_threads(2, [&](thread_communicator const& ranks) {
    auto const r = std::size_t(ranks.rank());
    trainer mine({nets[r].get()}, 0.9);
    for (int i = 0; i < 5; ++i) mine.step([&](std::size_t) { return nets[r]->loss(i, std::int64_t(r), 2); }, 1e-2, ranks);
    shared[r] = mine.parameters().values();
  });
  CHECK(at::equal(shared[0], shared[1]));
  CHECK(at::equal(shared[0], one.parameters().values()));
}

TEST_CASE("a run with SOAP resumes bit by bit, bases and all, whatever its threads") {
  sda_test::temporary_folder const folder;
  using method = one_of<adamw, soap>;
  auto const a = made(), b = made();
  trainer whole({a.get()}, 0.9, method{soap{.frequency = 3}}), part({b.get()}, 0.9, method{soap{.frequency = 3, .threads = 3}});
  auto const go = [](auto& run, auto& net, int n) {
    for (int i = 0; i < n; ++i) run.step([&](std::size_t) { return net->loss(run.steps()); }, 1e-2);
  };
  go(whole, a, 5);
  whole.save(folder / "c", {});
  go(whole, a, 6);
  part.resume(safetensors::archive(folder / "c"));
  go(part, b, 6);
  CHECK(at::equal(whole.parameters().values(), part.parameters().values()));
}

TEST_CASE("training in bfloat16 follows training in float") {
  auto const a = made(), b = made();
  trainer plain({a.get()}, 0.9), shorter({b.get()}, 0.9);
  shorter.precision = at::kBFloat16;
  double last[2] = {};
  for (int i = 0; i < 30; ++i) {
    last[0] = plain.step([&](std::size_t) { return a->loss(i); }, 1e-2).loss;
    last[1] = shorter.step([&](std::size_t) { return b->loss(i); }, 1e-2).loss;
  }
  CHECK(last[1] != last[0]);
  CHECK(last[1] == Approx(last[0]).epsilon(0.1));  // 8 bits of mantissa, averaged over sums of twelve
  CHECK(b->first->weight.scalar_type() == at::kFloat);
}

TEST_CASE("the loss scale halves on overflow and grows back after steps that were fine") {
  loss_scale s{8, 3};
  s.update(false);
  CHECK(s.value == 4);
  for (int i = 0; i < 3; ++i) s.update(true);
  CHECK(s.value == 8);
  for (int i = 0; i < 9; ++i) s.update(false);
  CHECK(s.value == 1);
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
