// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include <sda/torch/pushed.hpp>

#include <chrono>
#include <cstdio>
#include <numeric>

#include "assimilate/decoder_part.hpp"
#include "commands.hpp"
#include "network/cae.hpp"
#include "network/latent_prior.hpp"
#include "network/vidit.hpp"

// The published networks at their full size, with random weights: how fast, against a large matrix product, and in how much memory.

namespace {

using namespace appa;

struct settings {
  std::string module = "all";
  index_t channels = 128, blocks = 16;
};

/// Seconds on the clock, and of processors: the latter say how fast code is where other work shares the machine.
struct cost {
  double clock = 0, processor = 0;
};
cost now() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto const seconds = [](timeval const& t) { return double(t.tv_sec) + 1e-6 * double(t.tv_usec); };
  return {std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(),
          seconds(usage.ru_utime) + seconds(usage.ru_stime)};
}
cost cost_of(std::function<void()> const& f) {
  cost const begin = now();
  f();
  cost const end = now();
  return {end.clock - begin.clock, end.processor - begin.processor};
}

double peak_gigabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return double(usage.ru_maxrss) * 1024 / 1e9;
}

/// What a large product of matrices costs at its best, for each 1e12 floating-point operations.
cost product_cost() {
  index_t const n = 4096;
  auto const a = at::randn({n, n}), b = at::randn({n, n});
  auto c = at::mm(a, b);
  double const trillions = 2e-12 * double(n * n * n);
  cost best{1e300, 1e300};
  for (int i = 0; i < 3; ++i) {
    cost const one = cost_of([&] { at::mm_out(c, a, b); });
    best = {std::min(best.clock, one.clock / trillions), std::min(best.processor, one.processor / trillions)};
  }
  return best;
}

void report(char const* what, double operations, cost const& c, cost const& product) {
  double const trillions = operations * 1e-12;
  std::printf("%-34s %6.2f TFLOP %8.2f s, %7.1f GFLOP/s: %3.0f %% of a product; %8.2f s of processors: %3.0f %%; peak %.2f GB\n", what, trillions,
              c.clock, 1e3 * trillions / c.clock, 100 * product.clock * trillions / c.clock, c.processor,
              100 * product.processor * trillions / c.processor, peak_gigabytes());
  std::fflush(stdout);
}

/// A decoded state seen whole, and one product with its Jacobian each way, as assimilation streams them: nothing is kept in between.
void decoder_products(settings const& s, run_options const& run, cost const& product) {
  cae_options o;
  o.lat_channels = s.channels, o.checkpointing = true;
  auto const net = std::make_shared<cae>(o);
  net->initialise(sda::key{run.seed});
  net->eval();
  for (auto const& p : net->parameters()) p.set_requires_grad(false);
  std::vector<index_t> all(std::size_t(o.shape[0] * o.shape[1] * o.in_channels));
  std::iota(all.begin(), all.end(), index_t{0});
  decoder_part const decode(net, all);
  auto const z = at::randn({1, net->cells()[0] * net->cells()[1], s.channels}), v = at::randn_like(z);
  double const once = operations_of(o);
  at::Tensor u;
  report("decoder forward, dual numbers", 2 * once, cost_of([&] { u = sda::push_forward(decode, z, v).jvp; }), product);
  report("decoder forward and back", 3 * once, cost_of([&] { sda::traced(decode, z).vjp(u); }), product);
}

void run_benchmark(settings const& s, run_options const& run) {
  at::set_num_threads(run.threads > 0 ? run.threads : int(std::thread::hardware_concurrency()));
  torch::NoGradGuard const off;
  cost const product = product_cost();
  std::printf("%d threads, a product of matrices at %.1f GFLOP/s, %.1f per second of a processor\n", at::get_num_threads(), 1e3 / product.clock,
              1e3 / product.processor);
  if (s.module == "decoder") decoder_products(s, run, product);
  if (s.module == "all" || s.module == "autoencoder") {
    cae_options o;
    o.lat_channels = s.channels;
    cae net(o);
    net.initialise(sda::key{run.seed});
    net.eval();
    auto const x = at::randn({1, o.shape[0] * o.shape[1], o.in_channels});
    at::Tensor z;
    report("encode 71 x 721 x 1440", operations_of(o), cost_of([&] { z = net.encode(x); }), product);
    report("decode 71 x 721 x 1440", operations_of(o), cost_of([&] { net.decode(z); }), product);
  }
  if (s.module == "all" || s.module == "denoiser") {
    vidit_options o;
    o.state[2] = s.channels, o.hid_blocks = s.blocks;
    auto const net = std::make_shared<vidit>(o);
    net->initialise(sda::key{run.seed});
    net->eval();
    auto const dates = at::tensor({2021, 3, 21, 0}, at::kLong).expand({o.blanket_size, 4});
    auto const d = latent_prior{net}.at(dates);
    auto const x = at::randn({1, o.blanket_size * o.state[0] * o.state[1] * o.state[2]});
    report("denoise a window of 12,972 tokens", operations_of(o), cost_of([&] { d(x, sda::level{1, 1}); }), product);
  }
}

command const benchmark("benchmark", "the published networks at full size on this machine", [](CLI::App& app, run_options const& run) {
  auto s = std::make_shared<settings>();
  app.add_option("--module", s->module, "what to time")->check(CLI::IsMember({"all", "autoencoder", "decoder", "denoiser"}));
  app.add_option("--channels", s->channels, "of latents")->check(CLI::PositiveNumber);
  app.add_option("--blocks", s->blocks, "of the transformer")->check(CLI::PositiveNumber);
  app.callback([s, &run] { run_benchmark(*s, run); });
});

}  // namespace
