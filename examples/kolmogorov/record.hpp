// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "runs.hpp"

#include <sda/netcdf.hpp>
#include <sda/version.hpp>

#include <numbers>

namespace kolmogorov {

/// What one case of the experiment saw and found.
struct record {
  std::string name, command;
  coarse_view const& view;
  std::string reading;   // how the instrument's means were read
  double error;          // standard deviation of the observations' errors
  states const &truth, &seen, &members;
};

/// Fills a netCDF file with truth, observations and members: vorticity [(member,) time, y, x], observations [seen_time, component, seen_y, seen_x], each
/// at the middle of its block.
inline void write_record(sda::netcdf::writer& out, record const& r) {
  auto const& s = r.view.shape();
  bool const velocity = s.field == coarse_view::of::velocity;
  out.provenance("Kolmogorov flow: " + r.name,
                 sda::detail::text("Kolmogorov flow, sda ", SDA_VERSION_MAJOR, '.', SDA_VERSION_MINOR, '.', SDA_VERSION_PATCH), r.command);
  out.describe({"references", "Rozet & Louppe (2023), Score-based data assimilation, arXiv:2306.10574"});
  out.describe({"observation_operator", r.reading});
  out.describe({"observation_error", r.error});

  auto const line = [&](char const* name, index_t n, char const* about, double first, double step) {
    out.dimension(name, n);
    out.variable<double>(name, {name}, {{"long_name", about}, {"units", "1"}});
    std::vector<double> at(static_cast<std::size_t>(n));
    for (index_t i = 0; i < n; ++i) at[std::size_t(i)] = first + step * double(i);
    out.put(name, at);
  };
  double const cell = 2 * std::numbers::pi / double(s.points), wide = cell * double(s.block);
  double const middle = cell * (double(s.first()) + (double(s.block) - 1) / 2);   // of the patch's first block
  line("time", s.frames, "model time", 0, spacing);
  for (char const* name : {"y", "x"}) line(name, s.points, "position, of 2 pi", 0, cell);
  line("seen_time", s.times(), "model time of observations", 0, spacing * double(s.every));
  for (char const* name : {"seen_y", "seen_x"}) line(name, s.side, "middle of a block", middle, wide);
  out.dimension("member", r.members.rows());
  out.dimension("component", s.fields());
  out.variable<float>("truth", {"time", "y", "x"}, {{"long_name", "vorticity of the truth"}, {"units", "1"}});
  out.variable<float>("vorticity", {"member", "time", "y", "x"}, {{"long_name", "vorticity of the ensemble"}, {"units", "1"}});
  out.variable<float>("observation", {"seen_time", "component", "seen_y", "seen_x"},
                      {{"long_name", r.reading + (velocity ? " of mean velocity u, v, with errors" : " of mean vorticity, with errors")}, {"units", "1"}});
  auto const floats = [](states const& x) { return std::vector<float>(x.data(), x.data() + x.size()); };
  out.put("truth", floats(r.truth));
  out.put("vorticity", floats(r.members));
  out.put("observation", floats(r.seen));
  out.commit();
}

}  // namespace kolmogorov
