// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include <sda/torch.hpp>

#include <chrono>
#include <cstdio>

#include "commands.hpp"
#include "network/cae.hpp"
#include "network/latent_prior.hpp"
#include "network/vidit.hpp"

// The published networks at their full size, with random weights: how fast, against a large matrix product, and in how much memory.

namespace {

using namespace appa;

struct settings {
  std::string module = "all";
  index_t channels = 128;
};

double seconds_of(std::function<void()> const& f) {
  auto const begin = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double peak_gigabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return double(usage.ru_maxrss) * 1024 / 1e9;
}

/// The best rate of a large product of matrices, 1e9 floating-point operations a second.
double product_rate() {
  index_t const n = 4096;
  auto const a = at::randn({n, n}), b = at::randn({n, n});
  auto c = at::mm(a, b);
  double best = 1e300;
  for (int i = 0; i < 5; ++i) best = std::min(best, seconds_of([&] { at::mm_out(c, a, b); }));
  return 2e-9 * double(n * n * n) / best;
}

/// Operations of all convolutions of the encoder, and of the decoder, two for each product and sum.
double operations_of(cae_options const& o) {
  auto const conv = [](index_t in, index_t out, index_t pixels) { return 18. * double(in) * double(out) * double(pixels); };
  index_t const f = o.resize, h = (o.shape[0] + f - 1) / f * f, w = (o.shape[1] + f - 1) / f * f + 2 * f;
  double total = 0;
  for (std::size_t i = 0; i < o.hid_channels.size(); ++i) {
    index_t const pixels = (h / o.patch_size[0] >> i) * (w / o.patch_size[1] >> i), c = o.hid_channels[i];
    index_t const finer = i ? 4 * o.hid_channels[i - 1] : o.patch_size[0] * o.patch_size[1] * o.in_channels;
    total += conv(finer, c, pixels) + double(o.hid_blocks[i]) * 2 * conv(c, o.ffn_factor * c, pixels);
    if (i + 1 == o.hid_channels.size()) total += conv(c, o.lat_channels, pixels);
  }
  return total;
}

/// Operations of all linear maps and of full attention.
double operations_of(vidit_options const& o) {
  double const tokens = double(o.blanket_size / o.patch_size[0] * (o.state[0] / o.patch_size[1]) * (o.state[1] / o.patch_size[2]));
  double const width = double(o.hid_channels), patch = double(o.patch_size[0] * o.patch_size[1] * o.patch_size[2]), channels = double(o.state[2]);
  double const maps = patch * (channels + 4 * double(o.blanket_size)) * width + patch * channels * width + 3 * width * width +
                      double(o.hid_blocks) * (4 + 2 * double(o.ffn_factor)) * width * width;
  return 2 * tokens * maps + double(o.hid_blocks) * 4 * tokens * tokens * width;
}

void report(char const* what, double operations, double seconds, double product) {
  double const rate = operations / seconds * 1e-9;
  std::printf("%-34s %8.2f TFLOP %9.2f s %9.1f GFLOP/s %6.0f %% of a product %8.2f GB peak\n", what, operations * 1e-12, seconds, rate,
              100 * rate / product, peak_gigabytes());
  std::fflush(stdout);
}

void run_benchmark(settings const& s, run_options const& run) {
  at::set_num_threads(run.threads > 0 ? run.threads : int(std::thread::hardware_concurrency()));
  torch::NoGradGuard const off;
  double const product = product_rate();
  std::printf("%d threads, a product of matrices at %.1f GFLOP/s\n", at::get_num_threads(), product);
  if (s.module != "denoiser") {
    cae_options o;
    o.lat_channels = s.channels;
    cae net(o);
    net.initialise(sda::key{run.seed});
    net.eval();
    auto const x = at::randn({1, o.shape[0] * o.shape[1], o.in_channels});
    at::Tensor z;
    report("encode 71 x 721 x 1440", operations_of(o), seconds_of([&] { z = net.encode(x); }), product);
    report("decode 71 x 721 x 1440", operations_of(o), seconds_of([&] { net.decode(z); }), product);
  }
  if (s.module != "autoencoder") {
    vidit_options o;
    o.state[2] = s.channels;
    auto const net = std::make_shared<vidit>(o);
    net->initialise(sda::key{run.seed});
    net->eval();
    auto const dates = at::tensor({2021, 3, 21, 0}, at::kLong).expand({o.blanket_size, 4});
    auto const d = latent_prior{net}.at(dates);
    auto const x = at::randn({1, o.blanket_size * o.state[0] * o.state[1] * o.state[2]});
    report("denoise a window of 12,972 tokens", operations_of(o), seconds_of([&] { d(x, sda::level{1, 1}); }), product);
  }
  std::printf("peak memory %.2f GB\n", peak_gigabytes());
}

command const benchmark("benchmark", "the published networks at full size on this machine", [](CLI::App& app, run_options const& run) {
  auto s = std::make_shared<settings>();
  app.add_option("--module", s->module, "what to time")->check(CLI::IsMember({"all", "autoencoder", "denoiser"}));
  app.add_option("--channels", s->channels, "of latents")->check(CLI::PositiveNumber);
  app.callback([s, &run] { run_benchmark(*s, run); });
});

}  // namespace
