// SPDX-License-Identifier: Apache-2.0
#include "sphere/synthesis.hpp"

#include "data/cds_writer.hpp"

#include <sda/core/error.hpp>
#include <sda/core/parallel.hpp>

#include <algorithm>
#include <future>
#include <memory>
#include <optional>

namespace appa {

namespace {

using sda::require;
char const* const about = "Idealised weather of a quasi-geostrophic atmosphere of three levels; no observation went into it.";

/// What a run must share with the one it goes on from.
std::string fingerprint(synthesis_settings const& s) {
  std::string words = sda::detail::text("seed ", s.seed, ", from ", text(s.over.first), ", degree ", s.model.truncation, ", spin-up ", s.spin_up, ", ", text(s.where),
                                        s.daily ? ", daily" : ", monthly", s.context ? ", context:" : ":");
  for (auto const& c : s.channels.list()) words.append(" ").append(label(c));
  return words;
}

void save(atmosphere const& model, std::string const& path, synthesis_settings const& s) {
  sda::netcdf::writer out(path);
  auto const& x = model.state();
  out.provenance("Memory of appa synthesize", about, s.command);
  out.describe({"run", fingerprint(s)});
  out.dimension("number", x.size());
  out.variable<double>("hour", {}, {{"long_name", "hours since 1970-01-01T00"}});
  out.variable<double>("state", {"number"}, {});
  out.put<double>("hour", {double(model.now())});
  out.put<double>("state", {x.data(), x.data() + x.size()});
  out.commit();
}

void restore(atmosphere& model, std::string const& path, synthesis_settings const& s) {
  sda::netcdf::reader const in(path);
  require(in.text("", "run") == fingerprint(s), path, " belongs to another run (", in.text("", "run").value_or("unknown"), "), not to ", fingerprint(s),
          "; choose another folder, or remove it");
  auto const x = in.read("state");
  require(index_t(x.size()) == model.state().size(), path, ": ", x.size(), " numbers where ", model.state().size(), " were expected");
  model.restore(hours(in.read("hour").at(0)), Eigen::Map<Eigen::MatrixXd const>(x.data(), model.state().rows(), model.state().cols()));
}

void write_invariant(weather const& made, synthesis_settings const& s) {
  std::vector<std::string> names;
  std::vector<float> fields;
  for (auto const& v : context_variables())
    if (v.name != "toa_incident_solar_radiation") {
      names.push_back(v.name);
      auto const field = made.context(v.name, s.over.first);
      fields.insert(fields.end(), field.begin(), field.end());
    }
  cds_writer out((s.folder / "invariant.nc").string(), {s.where, names, {}, 1, s.command, about, s.deflate});
  out.append(s.over.first, fields);
  out.commit();
}

/// The hours up to the end of t's day or month, or of the whole.
hours last_of_file(hours t, synthesis_settings const& s) {
  date const d = date_of(t);
  return std::min(s.over.last, hours_of({d.year, d.month, s.daily ? d.day : days_in(d.year, d.month), 23}));
}

struct hour_of_fields {
  hours when;
  std::vector<float> state, sun;
};

/// One file of single levels, one of pressure levels.
struct pair_of_files {
  std::unique_ptr<cds_writer> single, pressure;

  pair_of_files(hours first, hours last, synthesis_settings const& s) {
    std::string const when = text(first).substr(0, s.daily ? 10 : 7) + ".nc";
    auto singles = s.channels.surface;
    if (s.context) singles.push_back("toa_incident_solar_radiation");
    auto const open = [&](char const* name, std::vector<std::string> const& variables, std::vector<int> const& levels) {
      if (variables.empty()) return std::unique_ptr<cds_writer>();
      return std::make_unique<cds_writer>((s.folder / (name + when)).string(), cds_contents{s.where, variables, levels, last - first + 1, s.command, about, s.deflate});
    };
    single = open("single-levels-", singles, {}), pressure = open("pressure-levels-", s.channels.atmosphere, s.channels.levels);
  }
  void append(hour_of_fields const& x, std::size_t surface) {
    if (single) {
      std::vector<float> fields(x.state.begin(), x.state.begin() + std::ptrdiff_t(surface));
      fields.insert(fields.end(), x.sun.begin(), x.sun.end());
      single->append(x.when, fields);
    }
    if (pressure) pressure->append(x.when, std::span(x.state).subspan(surface));
  }
  void commit() {
    if (single) single->commit();
    if (pressure) pressure->commit();
  }
};

}  // namespace

void synthesize(synthesis_settings const& s) {
  require(s.over.size() > 0 && s.channels.size() > 0, "nothing to synthesize");
  std::filesystem::create_directories(s.folder);
  std::string const memory = (s.folder / "model.memory").string();
  atmosphere model(s.model, s.over.first - 24 * s.spin_up, sda::key{s.seed});
  weather const made(model, s.where, s.channels);
  hours const spin_up = 24 * s.spin_up, all = spin_up + s.over.size();
  auto const tell = [&] {
    if (s.progress) s.progress(model.now() - s.over.first + spin_up, all);
  };
  if (std::filesystem::exists(memory)) restore(model, memory, s);
  else
    while (model.now() < s.over.first) model.advance(), tell();
  if (s.context) write_invariant(made, s);

  std::size_t const surface = s.channels.surface.size() * std::size_t(s.where.points());
  index_t const numbers = s.channels.size() * s.where.points(), together = std::clamp<index_t>((index_t{1} << 22) / numbers, 1, 24);
  while (model.now() <= s.over.last) {
    hours const last = last_of_file(model.now(), s);
    pair_of_files files(model.now(), last, s);
    std::future<void> writing;   // some hours are written while the next are made
    while (model.now() <= last) {
      std::vector<atmosphere> seen;
      for (; model.now() <= last && index_t(seen.size()) < together; model.advance()) seen.push_back(model);
      std::vector<hour_of_fields> made_now(seen.size());
      sda::parallel_for(index_t(seen.size()), index_t(seen.size()) * numbers, [&](index_t i) {
        hours const t = seen[std::size_t(i)].now();
        made_now[std::size_t(i)] = {t, made.state(seen[std::size_t(i)]), s.context ? made.context("toa_incident_solar_radiation", t) : std::vector<float>{}};
      });
      if (writing.valid()) writing.get();
      writing = std::async(std::launch::async, [&files, surface, all_made = std::move(made_now)] {
        for (auto const& hour : all_made) files.append(hour, surface);
      });
      tell();
    }
    writing.get();
    files.commit();
    save(model, memory, s);
  }
}

}  // namespace appa
