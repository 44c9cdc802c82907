// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/cuda/algebra.cuh>
#include <sda/cuda/kernels/metrics.cuh>
#include <sda/metrics/crps.hpp>
#include <sda/metrics/ranks.hpp>

namespace sda {

/// The parts of the CRPS of an ensemble on a device, one row a member, against a truth of one row; waits for the device.
template <device_element T> crps_terms crps_terms_of(device_array<T> const& e, device_array<T> const& truth, crps_kind kind = crps_kind::fair) {
  index_t const n = e.rows(), m = e.columns();
  require(truth.rows() == 1 && truth.columns() == m, "crps: a truth of ", truth.rows(), " x ", truth.columns(), " for an ensemble of ", n, " x ", m);
  require(n >= (kind == crps_kind::standard ? 1 : 2), "crps: ", n, " members have no fair spread");
  on_device::check_stream(truth, e);
  crps_terms out{std::vector<double>(static_cast<std::size_t>(m)), std::vector<double>(static_cast<std::size_t>(m))};
  if (m == 0) return out;
  double const pairs = double(n) * double(kind == crps_kind::fair ? n - 1 : n);
  device_array<double> skill(1, m, e.stream()), spread(1, m, e.stream());
  auto const go = [&]<int M> {
    kernels::launch(kernels::crps_terms<M, T>, kernels::line((m + kernels::threads - 1) / kernels::threads), e.stream(), skill.data(), spread.data(),
                    e.data(), truth.data(), std::int64_t(m), int(n), pairs);
  };
  n <= 8    ? go.template operator()<8>()
  : n <= 24 ? go.template operator()<24>()
  : n <= 64 ? go.template operator()<64>()
            : go.template operator()<0>();
  store(skill, std::span<double>(out.skill));
  store(spread, std::span<double>(out.spread));
  return out;
}

/// The CRPS of an ensemble on a device, column by column.
template <device_element T> std::vector<double> crps(device_array<T> const& e, device_array<T> const& truth, crps_kind kind = crps_kind::fair) {
  auto terms = crps_terms_of(e, truth, kind);
  for (std::size_t c = 0; c < terms.skill.size(); ++c) terms.skill[c] -= terms.spread[c] / 2;
  return std::move(terms.skill);
}

/// What rank_histogram::add counts, for an ensemble on a device: histogram.add_counts(rank_counts(e, truth, k)).
template <device_element T> std::vector<index_t> rank_counts(device_array<T> const& e, device_array<T> const& truth, key k) {
  index_t const n = e.rows(), m = e.columns();
  require(truth.rows() == 1 && truth.columns() == m, "ranks: a truth of ", truth.rows(), " x ", truth.columns(), " for an ensemble of ", n, " x ", m);
  on_device::check_stream(truth, e);
  std::vector<unsigned long long> raw(std::size_t(n) + 2);
  device_array<unsigned long long> counts(1, n + 2, e.stream());
  check_cuda(cudaMemsetAsync(counts.data(), 0, sizeof(unsigned long long) * raw.size(), e.stream()));
  if (m > 0)
    kernels::launch(kernels::rank_counts<T>, kernels::line((m + kernels::threads - 1) / kernels::threads), e.stream(), counts.data(), e.data(),
                    truth.data(), std::int64_t(m), int(n), k);
  check_cuda(cudaMemcpyAsync(raw.data(), counts.data(), sizeof(unsigned long long) * raw.size(), cudaMemcpyDeviceToHost, e.stream()));
  check_cuda(cudaStreamSynchronize(e.stream()));
  require(raw.back() == 0, "rank_histogram: a member is NaN in ", raw.back(), " columns");
  return {raw.begin(), raw.end() - 1};
}

}  // namespace sda
