// SPDX-License-Identifier: Apache-2.0
// Networks on a GPU through LibTorch 2, with random weights: the published Appa at full size, in bfloat16, against a large product of
// matrices of the same run; and guided sampling with the small network of Lorenz-96, step by step and as one graph. Prints a table.
// `networks cpu` runs it all in a small size where there is no GPU.
#include "../../examples/appa_era5/assimilate/streamed.hpp"
#include "../../examples/appa_era5/network/cae.hpp"
#include "../../examples/appa_era5/network/vidit.hpp"
#include "../../examples/lorenz96/network.hpp"

#include <sda/calculus/schedule.hpp>
#include <sda/guidance/mmps.hpp>
#include <sda/observation/masked.hpp>
#include <sda/observation/pointwise.hpp>
#include <sda/sampler/corrector.hpp>
#include <sda/sampler/ddim.hpp>
#include <sda/sampler/sample.hpp>

#include <chrono>
#include <cmath>
#include <cstdio>
#if defined(SDA_TORCH_CUDA)
#include <sda/torch/graph.hpp>
#endif

using namespace appa;

namespace {

struct machine {
  at::Device device;
  bool small;
  at::ScalarType type = at::kBFloat16;
  double rate = 0;  // operations a second of a product of matrices

  void wait() const {
    if (device.is_cuda()) torch::cuda::synchronize();
  }
  template <class F> double seconds_once(F const& f) const {
    wait();
    auto const begin = std::chrono::steady_clock::now();
    f();
    wait();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  /// Seconds of one call, the best of some after one to warm up.
  template <class F> double seconds(F const& f) const {
    seconds_once(f);
    double best = HUGE_VAL;
    for (int i = 0; i < (small ? 1 : 3); ++i) best = std::min(best, seconds_once(f));
    return best;
  }
  double gigabytes() const {
#if defined(SDA_TORCH_CUDA)
    std::size_t free = 0, all = 0;
    if (device.is_cuda() && cudaMemGetInfo(&free, &all) == cudaSuccess) return double(all - free) * 1e-9;
#endif
    return 0;
  }
  template <class F> void row(char const* what, double operations, F const& f) const {
    double const s = seconds(f), per_second = operations / s;
    std::printf("| %s | %.4g |", what, s);
    if (operations > 0) std::printf(" %.2f | %.1f | %.0f %% |", operations * 1e-12, per_second * 1e-12, rate > 0 ? 100 * per_second / rate : 100);
    else std::printf(" | | |");
    std::printf(" %.1f |\n", gigabytes());
    std::fflush(stdout);
  }
};

template <class Net> void put(Net& net, machine const& m) {
  net.to(m.device, m.type);
  net.eval();
  for (auto& p : net.parameters()) p.set_requires_grad(false);
}

/// An Appa with random weights, of the published size or a small one.
trained_system appa_of(machine const& m) {
  cae_options ae;
  vidit_options vit;
  ae.lat_channels = vit.state[2] = 128;
  if (m.small)
    ae.shape = {33, 64}, ae.resize = 8, ae.hid_channels = {8, 16, 32, 64}, ae.hid_blocks = {1, 1, 1, 1}, ae.lat_channels = vit.state[2] = 16;
  if (m.small) vit.hid_channels = 64, vit.hid_blocks = 2, vit.attention_heads = 4, vit.blanket_size = 4, vit.patch_size = {2, 1, 1};
  trained_system s;
  s.device = m.device, s.type = m.type;
  s.channels = published_channels(), s.where = regular_grid(ae.shape[1], ae.shape[0], true);
  s.space = std::make_shared<cae>(ae);
  s.space->initialise(sda::key{1});
  vit.state[0] = s.space->where().image[0], vit.state[1] = s.space->where().image[1];
  s.net = std::make_shared<vidit>(vit);
  s.net->initialise(sda::key{2});
  s.scale = {at::zeros({s.latents()}), at::ones({s.latents()}), 0};
  put(*s.space, m), put(*s.net, m);
  return s;
}

/// 10,000 stations that see four surface fields, and a satellite that sees one level along a meridian, 25 degrees wide.
sight seen_by_all(trained_system const& s, machine const& m) {
  index_t const channels = s.channels.size(), points = s.where.points(), stations = m.small ? 50 : 10000;
  sight out;
  for (index_t i = 0; i < stations; ++i)
    for (index_t c = 0; c < 4; ++c) out.columns.push_back(i * points / stations * channels + c);
  for (index_t p = 0; p < points; ++p)
    if (p % s.where.width() < s.where.width() * 25 / 360) out.columns.push_back(p * channels + channels / 2);
  out.values.assign(out.columns.size(), 0.5f), out.variances.assign(out.columns.size(), 0.01f);
  return out;
}

void published(machine& m) {
  index_t const n = m.small ? 512 : 8192;
  auto const a = at::randn({n, n}, at::TensorOptions(m.device).dtype(m.type)), b = at::randn_like(a);
  std::printf("| what | s | TFLOP | TFLOP/s | of the product | GB |\n|---|---|---|---|---|---|\n");
  m.row("product of matrices", 2 * double(n * n * n), [&] { at::mm(a, b); });
  m.rate = 2 * double(n * n * n) / m.seconds([&] { at::mm(a, b); });

  torch::NoGradGuard const off;
  auto const s = appa_of(m);
  auto const on = at::TensorOptions(m.device).dtype(m.type);
  auto const x = at::randn({1, s.where.points(), s.space->channels()}, on);
  auto const when = at::tensor({2021, 3, 21, 0}, at::kLong), z = s.space->encode(x, when);
  auto const of_net = s.net->denoising();
  double const coding = s.space->decoding().maps, denoising = of_net.maps + of_net.attention;
  m.row("encode a state", coding, [&] { s.space->encode(x, when); });
  m.row("decode a state", coding, [&] { s.space->decode(z, when); });

  index_t const states = s.length();
  auto const dates = at::tensor({2021, 3, 21, 0}, at::kLong).expand({states, 4});
  auto const prior = latent_prior{s.net, m.device, m.type}.at(dates);
  auto const w = at::randn({1, states * s.numbers()}, at::TensorOptions(m.device));
  sda::level const here{1, 1};
  m.row("denoise a window", denoising, [&] { prior(w, here); });
  m.row("denoise a window, and one vjp", 3 * denoising, [&] { sda::linearize(prior, w, here).vjp(w); });

  auto const look = std::make_shared<seen_state const>(s, seen_by_all(s, m));
  std::vector<seen_part> parts;
  for (index_t i = 0; i < states; ++i) parts.push_back({i, look});
  window_sight const sights(parts, states, s.numbers());
  window_observation const seen{sights, look->values.repeat({1, states}), sda::diagonal_error(look->variances.repeat({1, states}))};
  std::printf("(each state is seen %ld times)\n", long(look->count()));
  sda::mmps const posterior{prior, seen, sda::gmres{2}};
  m.row("MMPS, 2 iterations", 0, [&] { posterior(w, here); });

  // Appa's reanalysis of 24 hours: 32 steps from noise, each with 2 corrections, hence 96 evaluations of MMPS. Two steps are taken.
  int const steps = 32, taken = 2;
  auto const levels = sda::uniform_grid(sda::rectified{}, steps);
  sda::pc const sampler{sda::ddim{}, sda::langevin{0.1}, 2};
  auto const path = std::span<sda::level const>(levels).subspan(std::size_t(steps / 2), std::size_t(taken + 1));
  double const s2 = m.seconds_once([&] { sda::sample_from(sampler, posterior, path, w, sda::key{3}); });
  std::printf(
      "\nsteps %d and %d of %d of the reanalysis of a window, 2 corrections each: %.4g s; a member of 24 h, extrapolated as %d times that: %.4g s\n",
      steps / 2 + 1, steps / 2 + taken, steps, s2, steps / taken, s2 * steps / taken);
}

/// Steps a second of DDIM with MMPS, 64 windows of Lorenz-96, the arctan of every fourth number seen.
void small_network(machine const& m) {
  index_t const ring = 40, rows = m.small ? 2 : 64, steps = m.small ? 2 : 32;
  auto const net = std::make_shared<lorenz96::window_network>(lorenz96::network_shape{});
  net->to(m.device);
  for (auto& p : net->parameters()) p.set_requires_grad(false);
  index_t const width = net->shape.window * ring;
  auto const start = at::randn({rows, width}, at::TensorOptions(m.device));
  std::vector<std::int64_t> at;
  for (std::int64_t i = 0; i < width; i += 4) at.push_back(i);
  sda::torch_function const f{[net](at::Tensor const& x, double c) { return net->forward(x, c); }, m.device};
  sda::mmps const posterior{sda::preconditioned{f, 1.0, 0.25},
                            sda::observation{sda::composed{sda::pointwise{sda::arctan{}}, sda::masked<at::Tensor>{start, at, width}},
                                             at::zeros({1, std::ssize(at)}, start.options()), sda::scalar_error{0.01}},
                            sda::gmres{2}};
  auto const levels = sda::uniform_grid(sda::vp_cosine{}, steps);
  auto const run = [&] { return sda::sample_from(sda::ddim{}, posterior, std::span<sda::level const>(levels), start, sda::key{1}); };
  std::printf("\n| guided sampling, %ld windows of %ld | steps/s |\n|---|---|\n", long(rows), long(width));
  std::printf("| step by step | %.1f |\n", double(steps) / m.seconds(run));
#if defined(SDA_TORCH_CUDA)
  if (!m.device.is_cuda()) return;
  c10::cuda::CUDAStreamGuard const apart(c10::cuda::getStreamFromPool());
  sda::graphed replay(
      [&](at::Tensor const& x) { return sda::sample_from(sda::ddim{}, posterior, std::span<sda::level const>(levels), x, sda::key{1}); }, start,
      sda::torch_recorder);
  std::printf("| one graph | %.1f |\n", double(steps) / m.seconds([&] { replay(start); }));
#endif
}

}  // namespace

int main(int argc, char** argv) {
  try {
    bool const cpu = argc > 1 && std::string(argv[1]) == "cpu";
    machine m{cpu ? at::kCPU : at::kCUDA, cpu, cpu ? at::kFloat : at::kBFloat16};
    published(m);
    small_network(m);
  } catch (std::exception const& e) {
    std::fprintf(stderr, "networks: %s\n", e.what());
    return 1;
  }
}
