// SPDX-License-Identifier: Apache-2.0
#include "assimilate/residuals.hpp"

#include "weights/state_dict.hpp"

#include <sda/core/error.hpp>
#include <sda/torch/tensors.hpp>

#include <cmath>

namespace appa {

using sda::require;

sight residuals::beside(sight seen) const {
  auto const corners = std::size_t(seen.corners), channels = std::size_t(deviation.numel());
  auto const *const expected = mean.data_ptr<float>(), *const a = deviation.data_ptr<float>();
  for (std::size_t i = 0; i < seen.values.size(); ++i) {
    double value = seen.values[i], variance = seen.variances[i];
    for (std::size_t k = i * corners; k < (i + 1) * corners; ++k) {
      auto const column = std::size_t(seen.columns[k]);
      double const w = seen.weights.empty() ? 1 : seen.weights[k], left = w * a[column % channels];
      value -= w * expected[column], variance += left * left;
    }
    seen.values[i] = float(value), seen.variances[i] = float(variance);
  }
  return seen;
}

at::Tensor residuals::drawn(sda::key k, hours t, int step, double sign) const {
  index_t const count = fields.size(0), most = 1024;  // hours that are summed: to where ρ^j is 1e-3, or so many
  std::vector<double> w(static_cast<std::size_t>(count));
  double share = 1, squares = 0;
  for (index_t j = 0; j < most && share >= 1e-3; ++j, share *= correlation) {
    auto const at_hour = k.fold(std::uint64_t(t - j * step));
    for (index_t i = 0; i < count; ++i) w[std::size_t(i)] += share * sda::normal<double>(at_hour, 0, i);
    squares += share * share;
  }
  auto out = mean.clone();
  for (index_t i = 0; i < count; ++i) out.add_(fields[i], sign * w[std::size_t(i)] / std::sqrt(squares * double(count)));
  return out;
}

std::optional<residuals> read_residuals(std::filesystem::path const& dump, index_t points, index_t channels) {
  auto const file = dump / "residuals.safetensors";
  if (!std::filesystem::exists(file)) return {};
  auto const stored = read_tensors(file);
  auto const numbers = [&](char const* name, std::vector<std::int64_t> const& shape) {
    auto const x = sda::to_torch(stored[name]).to(at::kFloat);
    require(x.sizes() == shape, file.string(), ": ", name, " is ", c10::str(x.sizes()), ", of states of ", points, " points and ", channels,
            " channels it is ", c10::str(at::IntArrayRef(shape)));
    require(at::isfinite(x).all().item<bool>(), file.string(), ": not all numbers of ", name, " are finite");
    return x;
  };
  auto const& shape = stored["fields"].shape;
  index_t const count = shape.empty() ? 0 : index_t(shape.front());
  require(count > 0, file.string(), " has no fields");
  residuals const out{numbers("mean", {points, channels}), numbers("fields", {count, points, channels}), numbers("deviation", {channels}),
                      numbers("correlation", {}).item<double>()};
  require(out.deviation.min().item<double>() >= 0, file.string(), ": a deviation is ", out.deviation.min().item<double>());
  require(0 <= out.correlation && out.correlation < 1, file.string(), ": the correlation is ", out.correlation);
  return out;
}

}  // namespace appa
