// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <torch/torch.h>

#include <vector>

#include "data/dates.hpp"

// What networks are told of time. Dates are int64 [..., 4]: year, month, day and hour, UTC; features are double.

namespace appa {

/// Dates one after the other, all of which there are.
inline std::vector<date> dates_in(at::Tensor const& dates) {
  sda::require(dates.dim() >= 1 && dates.size(-1) == 4, "dates are [..., 4], not ", c10::str(dates.sizes()));
  auto const d = dates.to(at::kCPU, at::kLong).contiguous();
  std::vector<date> out;
  for (auto const* n = d.data_ptr<std::int64_t>(); std::ssize(out) < d.numel() / 4; n += 4) {
    out.push_back({int(n[0]), int(n[1]), int(n[2]), int(n[3])});
    (void)hours_of(out.back());  // refuses what is no date
  }
  return out;
}

/// Dates as networks take them, [n, 4].
inline at::Tensor to_tensor(std::vector<date> const& dates) {
  auto const out = at::empty({std::ssize(dates), 4}, at::kLong);
  auto* to = out.data_ptr<std::int64_t>();
  for (auto const& d : dates)
    for (int const n : {d.year, d.month, d.day, d.hour}) *to++ = n;
  return out;
}

/// Sine and cosine of the way through the year: [..., 2].
inline at::Tensor year_features(at::Tensor const& dates) {
  auto shape = dates.sizes().vec();
  shape.back() = 2;
  auto const out = at::empty(shape, at::kDouble);
  auto* to = out.data_ptr<double>();
  for (auto const& d : dates_in(dates))
    for (double const feature : year_progress(d)) *to++ = feature;
  return out;
}

/// Sine and cosine of the local solar time at n longitudes in degrees: [..., n, 2].
inline at::Tensor hour_features(at::Tensor const& dates, at::Tensor const& longitudes) {
  auto const east = longitudes.to(at::kCPU, at::kDouble).contiguous();
  auto shape = dates.sizes().vec();
  shape.back() = east.numel();
  shape.push_back(2);
  auto const out = at::empty(shape, at::kDouble);
  auto* to = out.data_ptr<double>();
  for (auto const& d : dates_in(dates))
    for (auto const* at = east.data_ptr<double>(); at != east.data_ptr<double>() + east.numel(); ++at)
      for (double const feature : local_time(d.hour, *at)) *to++ = feature;
  return out;
}

}  // namespace appa
