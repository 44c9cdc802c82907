// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <torch/torch.h>

#include "data/dates.hpp"

// What networks are told of time. Dates are int64 [..., 4]: year, month, day and hour, UTC; features are double.

namespace appa {

/// f(date) in an array of two for each date, written one after the other into [..., 2].
template <class F> at::Tensor of_each_date(at::Tensor const& dates, F const& f) {
  sda::require(dates.dim() >= 1 && dates.size(-1) == 4, "dates are [..., 4], not ", c10::str(dates.sizes()));
  auto const d = dates.to(at::kCPU, at::kLong).contiguous();
  auto shape = d.sizes().vec();
  shape.back() = 2;
  auto const out = at::empty(shape, at::kDouble);
  auto const* n = d.data_ptr<std::int64_t>();
  for (auto* to = out.data_ptr<double>(); to != out.data_ptr<double>() + out.numel(); n += 4) {
    date const when{int(n[0]), int(n[1]), int(n[2]), int(n[3])};
    (void)hours_of(when);  // refuses what is no date
    for (double const feature : f(when)) *to++ = feature;
  }
  return out;
}

/// Sine and cosine of the way through the year: [..., 2].
inline at::Tensor year_features(at::Tensor const& dates) { return of_each_date(dates, year_progress); }

/// Sine and cosine of the local solar time at n longitudes in degrees: [..., n, 2].
inline at::Tensor hour_features(at::Tensor const& dates, at::Tensor const& longitudes) {
  auto const east = longitudes.to(at::kCPU, at::kDouble).contiguous();
  std::vector<at::Tensor> columns;
  for (double const* at = east.data_ptr<double>(); at != east.data_ptr<double>() + east.numel(); ++at)
    columns.push_back(of_each_date(dates, [at](date const& d) { return local_time(d.hour, *at); }));
  return at::stack(columns, -2);
}

}  // namespace appa
