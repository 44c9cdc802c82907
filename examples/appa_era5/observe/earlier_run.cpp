// SPDX-License-Identifier: Apache-2.0
#include "observe/earlier_run.hpp"

#include <sda/core/error.hpp>
#include <sda/netcdf/reader.hpp>

#include <cmath>

namespace appa {

std::function<background(hours)> believed_by(std::filesystem::path const& folder, scene const& s) {
  auto const mean = (folder / "mean.nc").string(), spread = (folder / "spread.nc").string();
  if (folder.empty() || !std::filesystem::exists(mean) || !std::filesystem::exists(spread)) return {};
  if (sda::netcdf::reader(mean).number("", "members").value_or(0) < 2) return {};
  struct files {
    archive mean, spread;
    statistics standard;
  };
  auto const all = std::make_shared<files const>(files{archive({mean}, s.channels), archive({spread}, s.channels), s.standard});
  sda::require(same(all->mean.where(), s.where), mean, " has ", text(all->mean.where()), ", the states ", text(s.where));
  return [all](hours t) {
    std::size_t const points = std::size_t(all->mean.where().points()), n = points * std::size_t(all->mean.channels().size());
    background out{std::vector<float>(n, 0), std::vector<float>(n, 1)};
    if (!all->mean.has(t) || !all->spread.has(t)) return out;
    all->mean.read(t, 1, 1, out.mean.data()), all->spread.read(t, 1, 1, out.spread.data());
    all->standard.standardise(out.mean, index_t(points));
    for (std::size_t i = 0; i < n; ++i) {
      bool const known = !std::isnan(out.mean[i]) && !std::isnan(out.spread[i]);
      out.mean[i] = known ? out.mean[i] : 0;
      out.spread[i] = known ? float(out.spread[i] / all->standard.deviation[i / points]) : 1;
    }
    return out;
  };
}

}  // namespace appa
