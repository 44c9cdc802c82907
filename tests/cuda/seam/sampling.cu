// SPDX-License-Identifier: Apache-2.0
#include "sampling.hpp"

#include <sda/calculus/schedule.hpp>
#include <sda/calculus/solve.hpp>
#include <sda/cuda/algebra.cuh>
#include <sda/guidance/mmps.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/masked.hpp>
#include <sda/sampler/ddim.hpp>
#include <sda/sampler/sample.hpp>

namespace sda_test {

std::vector<std::vector<float>> sampled(foreign_denoiser const& d, std::function<sda::graph_recorder()> const& recorder,
                                        std::function<void()> const& between) {
  using namespace sda;
  cudaStream_t stream = nullptr;
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  std::vector<std::vector<float>> out;
  {
    device_array<float> start(4, 16, stream), other(4, 16, stream);
    lincomb(start, noise{1.0, key{1}});
    lincomb(other, noise{1.0, key{2}});
    std::vector<std::int64_t> const at{0, 2, 4, 6, 8, 10, 12, 14};
    mmps const posterior{d, observation{masked(start, std::span<std::int64_t const>(at), 16), zeros(start, 1, 8), scalar_error{0.1}}, gmres{2}};
    auto const levels = uniform_grid(vp_cosine{}, 6);
    auto const run = [&](device_array<float> const& x) { return sample_from(ddpm, posterior, std::span<level const>(levels), x, key{3}); };
    auto const keep = [&](device_array<float> const& x) {
      out.emplace_back(std::size_t(x.size()));
      store(x, std::span<float>(out.back()));
    };
    keep(run(start));
    graphed replay(run, other, recorder);
    keep(replay(start));
    between();
    keep(replay(start));
  }
  check_cuda(cudaStreamSynchronize(stream));
  check_cuda(cudaStreamDestroy(stream));
  return out;
}

}  // namespace sda_test
