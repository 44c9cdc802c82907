// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "instrument.hpp"
#include "observing.hpp"

#include <sda/calculus/ode.hpp>
#include <sda/model/lorenz96.hpp>
#include <sda/model/simulate.hpp>
#include <sda/netcdf.hpp>
#include <sda/version.hpp>

namespace lorenz96 {

/// The world an experiment takes place in: a ring, stepped by Runge-Kutta, cut into windows.
struct world {
  index_t ring = 40;
  double forcing = 8;
  double step = 0.05;   // model time from one state to the next; 0.05 is thought of as six hours
  index_t length = 64;  // steps in a window
  index_t windows = 4;
  std::uint64_t seed = 1;
};

/// A truth, if it is known, and what was seen of it: windows * length steps of a ring.
struct scene {
  trajectory truth, seen;  // truth: no rows when nobody knows it
  std::string through = "identity";
  double error = 1, step = 0.05, forcing = 8;

  index_t steps() const { return seen.rows(); }
  index_t ring() const { return seen.cols(); }
};

/// Runge-Kutta steps, 0.05 long at most, that make a step of model time.
inline int runge_kutta_steps(double step) { return std::max(1, int(std::ceil(step / 0.05 - 1e-9))); }

/// Independent runs on the attractor, `steps` states each, `step` apart.
inline std::vector<trajectory> model_runs(world const& w, index_t runs, index_t steps, sda::key k) {
  sda::require(w.ring >= 4, "a ring of ", w.ring, " sites; at least 4");
  sda::require(steps >= 1 && runs >= 1, "runs: ", runs, " of ", steps, " steps");
  sda::require(w.step > 0 && w.step <= 1, "a step of ", w.step, " model time units; (0, 1] is possible");
  int const inner = runge_kutta_steps(w.step);
  sda::flow const model{sda::lorenz96{w.forcing}, w.step / inner, inner};
  trajectory x(runs, w.ring);
  sda::lincomb(x, sda::noise{0.1, k});
  x += w.forcing;
  for (double spin_up = 0; spin_up < 50; spin_up += w.step) x = model(x);
  trajectory const all = sda::simulate(model, std::move(x), steps, k);
  std::vector<trajectory> out;
  for (index_t r = 0; r < runs; ++r) out.push_back(Eigen::Map<trajectory const>(all.data() + r * all.cols(), steps, w.ring));
  return out;
}

/// One run of the model through all windows, and what the network sees of it.
inline scene simulate(world const& w, network const& net) {
  sda::require(w.length >= 1 && w.windows >= 1, "windows: ", w.windows, " of ", w.length, " steps");
  sda::key const k{w.seed};
  scene s;
  s.through = net.through, s.error = net.error, s.step = w.step, s.forcing = w.forcing;
  s.truth = model_runs(w, 1, w.length * w.windows, k.fold(0)).front();
  s.seen = with_instrument(net.through, [&](auto const& read) { return observe(net, s.truth, w.length, read, k.fold(1)); });
  return s;
}

inline std::string lorenz96_source() {
  return sda::detail::text("Lorenz-96 model, sda ", SDA_VERSION_MAJOR, '.', SDA_VERSION_MINOR, '.', SDA_VERSION_PATCH);
}

/// Dimensions and variables every file of this program has.
inline void define_scene(sda::netcdf::writer& out, scene const& s, std::string const& title, std::string const& command) {
  out.provenance(title, lorenz96_source(), command);
  out.describe({"references", "Lorenz (1996), Predictability: a problem partly solved"});
  out.describe({"comment", "one model time unit counts as five days (Lorenz, 1996)"});
  out.describe({"step_in_model_time", s.step});
  out.describe({"forcing", s.forcing});
  out.describe({"observation_operator", s.through});
  out.describe({"observation_error", s.error});
  out.dimension("time", sda::netcdf::unlimited);
  out.dimension("site", s.ring());
  out.variable<double>(
      "time", {"time"},
      {{"standard_name", "time"}, {"long_name", "time"}, {"units", "hours since 2000-01-01 00:00:00"}, {"calendar", "standard"}, {"axis", "T"}});
  out.variable<int>("site", {"site"}, {{"long_name", "position on the ring"}, {"units", "1"}});
  if (s.truth.rows() > 0) out.variable<float>("truth", {"time", "site"}, {{"long_name", "state of the model"}, {"units", "1"}});
  out.variable<float>("observation", {"time", "site"},
                      {{"long_name", s.through + " of the state, with errors; missing where nothing was observed"}, {"units", "1"}});
}

inline std::vector<float> as_floats(trajectory const& x) { return {x.data(), x.data() + x.size()}; }

inline void write_scene(sda::netcdf::writer& out, scene const& s) {
  std::vector<double> hours;
  for (index_t t = 0; t < s.steps(); ++t) hours.push_back(double(t) * s.step * 120);
  std::vector<int> site(std::size_t(s.ring()));
  std::iota(site.begin(), site.end(), 0);
  out.put("time", hours);
  out.put("site", site);
  if (s.truth.rows() > 0) out.put("truth", as_floats(s.truth));
  out.put("observation", as_floats(s.seen));
}

/// A file as `simulate` writes it; `truth` may be absent. NaN or missing observations count as not made.
inline scene read_scene(std::string const& path) {
  sda::netcdf::reader const in(path);
  auto const field = [&](std::string const& name) {
    auto const shape = in.dimensions(name);
    sda::require(shape.size() == 2, path, ": variable ", name, " has ", shape.size(), " dimensions, not (time, site)");
    auto const values = in.read(name);
    trajectory x(shape[0].size, shape[1].size);
    std::copy(values.begin(), values.end(), x.data());
    return x;
  };
  auto const attribute = [&](std::string const& name) {
    auto const value = in.number("", name);
    sda::require(value.has_value(), path, ": there is no attribute ", name);
    return *value;
  };
  scene s;
  s.seen = field("observation");
  s.through = in.text("", "observation_operator").value_or("identity");
  s.error = attribute("observation_error"), s.step = attribute("step_in_model_time"), s.forcing = attribute("forcing");
  sda::require(s.error > 0, path, ": observation_error = ", s.error, " is not positive");
  if (in.has("truth")) {
    s.truth = field("truth");
    sda::require(s.truth.rows() == s.seen.rows() && s.truth.cols() == s.seen.cols(), path, ": truth of ", s.truth.rows(), " x ", s.truth.cols(),
                 ", observations of ", s.seen.rows(), " x ", s.seen.cols());
    sda::require(s.truth.isFinite().all(), path, ": the truth has missing values");
  }
  return s;
}

}  // namespace lorenz96
