// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <torch/torch.h>

#include <chrono>
#include <numbers>

// What networks are told of time. Dates are int64 [..., 4]: year, month, day and hour, UTC.

namespace appa {

namespace detail {
inline at::Tensor sine_and_cosine(at::Tensor const& turns) {
  auto const angle = 2 * std::numbers::pi * turns;
  return at::stack({angle.sin(), angle.cos()}, -1);
}
}  // namespace detail

/// Sine and cosine of the way through the year, leap or not: [..., 2], double.
inline at::Tensor year_features(at::Tensor const& dates) {
  using namespace std::chrono;
  sda::require(dates.dim() >= 1 && dates.size(-1) == 4, "dates are [..., 4], not ", c10::str(dates.sizes()));
  auto const d = dates.to(at::kCPU, at::kLong).reshape({-1, 4}).contiguous();
  auto turns = at::empty({d.size(0)}, at::kDouble);
  for (std::int64_t i = 0; i < d.size(0); ++i) {
    auto const* const n = d.data_ptr<std::int64_t>() + 4 * i;
    year_month_day const day{year(int(n[0])), month(unsigned(n[1])), std::chrono::day(unsigned(n[2]))};
    sda::require(day.ok() && n[3] >= 0 && n[3] < 24, "no date: year ", n[0], ", month ", n[1], ", day ", n[2], ", hour ", n[3]);
    auto const begin = sys_days(day.year() / January / 1), end = sys_days((day.year() + years(1)) / January / 1);
    turns.data_ptr<double>()[i] = double(24 * (sys_days(day) - begin).count() + n[3]) / double(24 * (end - begin).count());
  }
  return detail::sine_and_cosine(turns.view(dates.sizes().slice(0, std::size_t(dates.dim() - 1))));
}

/// Sine and cosine of the local solar time at n longitudes in degrees east: [..., n, 2], double.
inline at::Tensor hour_features(at::Tensor const& dates, at::Tensor const& longitudes) {
  auto const hour = dates.select(-1, 3).to(at::kCPU, at::kDouble).unsqueeze(-1);
  auto const east = longitudes.to(at::kCPU, at::kDouble).remainder(360);
  return detail::sine_and_cosine((hour + 24 * east / 360).remainder(24) / 24);
}

}  // namespace appa
