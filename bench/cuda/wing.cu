// SPDX-License-Identifier: Apache-2.0
// The wing against the memory of its card: each verb's bytes (every input read once, the result written once) over its median
// time, beside a plain copy of the same run. Prints a table; `wing SCALE` divides all sizes, for a quick look.
#include "measured.cuh"

#include <sda/calculus/schedule.hpp>
#include <sda/calculus/solve.hpp>
#include <sda/cuda/graph.hpp>
#include <sda/cuda/kernels/metrics.cuh>
#include <sda/eigen.hpp>
#include <sda/filter/ensf.hpp>
#include <sda/filter/letkf.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/masked.hpp>
#include <sda/observation/pointwise.hpp>
#include <sda/prior/gaussian.hpp>
#include <sda/sampler/ddim.hpp>
#include <sda/sampler/heun.hpp>
#include <sda/sampler/sample.hpp>

#include <array>
#include <cstdlib>
#include <span>
#include <thread>

namespace bench {

struct squashed {
  template <class T> SDA_HD T operator()(T const& x) const { return x / (1 + x * x); }
};

template <class T> void bandwidth(char const* name, index_t r, index_t c) {
  double const n = double(r) * double(c), e = sizeof(T);
  std::string const of = std::string(" ") + name;
  auto out = drawn<T>(r, c, 1), x = drawn<T>(r, c, 2), y = drawn<T>(r, c, 3), z = drawn<T>(r, c, 4);
  device_array<double> coefficients(r, 1, stream());
  lincomb(coefficients, noise{1e-3, key{5}});
  row("cudaMemcpyAsync" + of, 2 * n * e,
      [&] { check_cuda(cudaMemcpyAsync(out.data(), x.data(), std::size_t(n) * sizeof(T), cudaMemcpyDeviceToDevice, stream())); });
  row("lincomb a x" + of, 2 * n * e, [&] { lincomb(out, term{0.5, x}); });
  row("lincomb a x + b y" + of, 3 * n * e, [&] { lincomb(out, term{0.5, x}, term{0.25, y}); });
  row("lincomb a x + b y + c z" + of, 4 * n * e, [&] { lincomb(out, term{0.5, x}, term{0.25, y}, term{-1.0, z}); });
  row("lincomb in place" + of, 3 * n * e, [&] { lincomb(out, term{0.9, out}, term{0.1, y}); });
  row("lincomb, a coefficient a row" + of, 3 * n * e, [&] { lincomb(out, term{each{coefficients}, x}, term{1.0, y}); });
  row("lincomb a x + b noise" + of, 2 * n * e, [&] { lincomb(out, term{0.5, x}, noise{0.1, key{7}}); });
  row("lincomb a x + b y + c noise" + of, 3 * n * e, [&] { lincomb(out, term{0.5, x}, term{0.25, y}, noise{0.1, key{7}}); });
  row("transform f(x)" + of, 2 * n * e, [&] { transform(out, squashed{}, x); });
  row("dot x.y" + of, 2 * n * e, [&] { dot(x, y); });
  auto const rr = dot(z, z);
  row("cg step" + of, 11 * n * e, [&] { cg_step(out, x, y, z, rr); });
  row("Heun's last combination" + of, 5 * n * e, [&] { lincomb(out, term{0.5, x}, term{0.25, y}, term{-1.0, z}, term{0.1, out}); });
}

void gathers(index_t c) {
  auto const x = drawn<float>(1, c, 1);
  auto out = zeros(x, 1, c), back = zeros_like(x);
  double const n = double(c);
  std::vector<std::int64_t> near(std::size_t(c / 2)), runs(std::size_t(c / 4096));
  for (std::size_t i = 0; i < near.size(); ++i) near[i] = std::int64_t(2 * i);
  for (std::size_t i = 0; i < runs.size(); ++i) runs[i] = std::int64_t(runs.size() - 1 - i);
  auto const every_second = indices_like(x, std::span<std::int64_t const>(near)), reversed = indices_like(x, std::span<std::int64_t const>(runs));
  auto half = zeros(x, 1, index_t(near.size())), whole = zeros(x, 1, index_t(runs.size()) * 4096);
  row("gather every second column", n / 2 * (4 + 4) + n * 4, [&] { lincomb(half, gathered{1.0, x, every_second}); });
  row("gather runs of 4096 columns", 2 * n * 4, [&] { lincomb(whole, gathered{1.0, x, reversed, 4096}); });
  row("y - gathered x (innovation)", n / 2 * (4 + 4 + 4) + n * 4, [&] { lincomb(half, term{1.0, half}, gathered{-1.0, x, every_second}); });
  row("scatter_add every second column", n / 2 * (4 + 12) + n * 4 * 2, [&] { scatter_add(back, half, every_second); });
}

void products(index_t scale) {
  for (auto const& [r, n, c] : {std::array<index_t, 3>{4096, 4096, 4096}, {64, 64, 4000000}, {40, 1000000, 40}}) {
    auto const x = drawn<float>(r, n / scale + 1, 1), m = drawn<float>(n / scale + 1, c, 2);
    auto out = zeros(x, r, c);
    double const s = seconds([&] { multiply(out, x, m); }, 5, 2), flop = 2.0 * double(r) * double(columns(x)) * double(c);
    fact("multiply " + std::to_string(r) + " x " + std::to_string(columns(x)) + " x " + std::to_string(c), flop / s * 1e-12, "TFLOP/s");
  }
}

// Reductions over members: the kernels, without the way of their results to the host.
void scores(index_t n, index_t c) {
  auto const e = drawn<float>(n, c, 1), truth = drawn<float>(1, c, 2);
  device_array<double> skill(1, c, stream()), spread(1, c, stream());
  device_array<unsigned long long> counts(1, n + 2, stream());
  check_cuda(cudaMemsetAsync(counts.data(), 0, sizeof(unsigned long long) * std::size_t(n + 2), stream()));
  auto const blocks = kernels::line((c + kernels::threads - 1) / kernels::threads);
  std::string const of = " of " + std::to_string(n) + " members";
  row("CRPS" + of, double(c) * (4 * double(n + 1) + 16), [&] {
    kernels::launch(kernels::crps_terms<24, float>, blocks, stream(), skill.data(), spread.data(), e.data(), truth.data(), std::int64_t(c), int(n),
                    1.0);
  });
  row("ranks" + of, double(c) * 4 * double(n + 1), [&] {
    kernels::launch(kernels::rank_counts<float>, blocks, stream(), counts.data(), e.data(), truth.data(), std::int64_t(c), int(n), key{3});
  });
}

// All columns are seen by the arctangent; noise is made on the way.
void score_filter(index_t c) {
  auto const forecast = drawn<float>(20, c, 1);
  observation const seen{pointwise{arctan{}}, drawn<float>(1, c, 2), scalar_error{0.05 * 0.05}};
  auto e = sda::clone(forecast);
  double const s = seconds([&] { ensf{}.analyse(e, seen, key{4}); }, 3, 1);
  fact("EnSF analysis, " + std::to_string(c) + " dimensions, 20 members, 500 steps", s, "s");
}

// Every second column is seen; each is analysed with the eight nearest, 40 members. On the host the same filter, on all its threads.
void local_analyses(index_t c) {
  localisation near;
  std::vector<std::int64_t> at;
  for (index_t i = 0; i < c / 2; ++i) at.push_back(2 * i);
  for (index_t i = 0; i < c; ++i) {
    std::vector<std::int64_t> eight;
    for (std::int64_t o = -4; o < 4; ++o) eight.push_back((i / 2 + o + c / 2) % (c / 2));
    std::sort(eight.begin(), eight.end());
    near.observation.insert(near.observation.end(), eight.begin(), eight.end());
    near.taper.insert(near.taper.end(), eight.size(), 0.5);
    near.first.push_back(std::int64_t(near.observation.size()));
  }
  std::string const of = std::to_string(c) + " columns, 40 members";
  auto x = drawn<float>(40, c, 1), shift = drawn<float>(1, c, 2);
  auto const seen = drawn<float>(40, c / 2, 3), innovation = drawn<float>(1, c / 2, 4);
  auto precision = zeros(x, 1, c / 2);
  std::vector<float> const ten(std::size_t(c / 2), 10.0f);
  load(precision, std::span<float const>(ten));
  auto const locally = [&] { algebra<device_array<float>>::analyse_columns(x, shift, near, seen, precision, innovation); };
  locally();
  fact("LETKF local analyses with their lists' upload, " + of, seconds_once(locally), "s");

  letkf const filter{near};
  auto const analyse = [&](auto& e, auto const& y) {
    filter.analyse(e, observation{masked(e, std::span<std::int64_t const>(at), c), y, scalar_error{0.1}}, key{5});
  };
  auto e = drawn<float>(40, c, 6);
  auto const y = drawn<float>(1, c / 2, 7);
  analyse(e, y);
  fact("LETKF analysis, " + of, seconds_once([&] { analyse(e, y); }), "s");
  host_array<float> host(40, c), host_y(1, c / 2);
  lincomb(host, noise{1.0, key{6}});
  lincomb(host_y, noise{1.0, key{7}});
  fact("... on the host, up to " + std::to_string(std::thread::hardware_concurrency()) + " threads", seconds_once([&] { analyse(host, host_y); }),
       "s");
}

// Lorenz-96 by size: 64 members of 40 columns, DDIM through an exact Gaussian denoiser.
void graphs() {
  auto mean = drawn<float>(1, 40, 1), variance = drawn<float>(1, 40, 2);
  lincomb(variance, weighted{1.0, variance, variance});
  gaussian const prior{mean, variance};
  int const steps = 256;
  auto const levels = uniform_grid(vp_cosine{}, steps);
  auto const run = [&](device_array<float> const& x) { return sample_from(heun{}, prior, std::span<level const>(levels), x, key{3}); };
  auto const start = drawn<float>(64, 40, 3);
  fact("small sampling, step by step", steps / seconds([&] { run(start); }, 5, 1), "steps/s");
  graphed replay(run, start);
  fact("small sampling, one graph", steps / seconds([&] { replay(start); }, 5, 1), "steps/s");
}

}  // namespace bench

int main(int argc, char** argv) {
  index_t const scale = argc > 1 ? std::atol(argv[1]) : 1;
  std::printf("| verb | ms | MB moved | GB/s | of the copy |\n|---|---|---|---|---|\n");
  index_t const width = (index_t{1} << 26) / scale / 4096 * 4096;  // arrays of a gigabyte in float and double
  bench::bandwidth<float>("float", 4, width);
  bench::bandwidth<__nv_bfloat16>("bfloat16", 4, width);
  bench::bandwidth<double>("double", 2, width);
  bench::gathers(4 * width);
  bench::scores(20, width / 4);
  std::printf("\n| what | measured |\n|---|---|\n");
  bench::products(scale);
  bench::score_filter(1000000 / scale);
  bench::local_analyses(1000000 / scale);
  bench::graphs();
}
