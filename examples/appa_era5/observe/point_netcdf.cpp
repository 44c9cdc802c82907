// SPDX-License-Identifier: Apache-2.0
#include "observe/point_netcdf.hpp"

#include "data/axes.hpp"
#include "data/isolated.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <sstream>

namespace appa {

namespace {

using sda::require;
using sda::netcdf::reader;

std::vector<std::string> words_of(std::string const& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

// A file of discrete samples: elements of its data variables, and which number of a coordinate belongs to each.
class samples {
 public:
  samples(std::string const& path, int from) : file_(path), axes_(find_axes(file_)), from_(from) {
    for (auto const& v : file_.variables()) {   // ragged arrays: a variable over instances counts samples, or one over samples names instances
      if (auto const dimension = file_.text(v, "sample_dimension")) counts_[*dimension] = v;
      if (file_.text(v, "instance_dimension") && file_.dimensions(v).size() == 1) instances_[file_.dimensions(v)[0].name] = v;
    }
    for (axis const a : {axis::time, axis::latitude, axis::longitude})
      require(axes_.coordinate.count(a), path, ": no ", a == axis::time ? "time" : a == axis::latitude ? "latitude" : "longitude",
              " of observations was found: looked for ", looked_for(a));
  }

  point_file read() {
    if (file_.has("variable") && file_.has("value")) read_list();
    else read_variables();
    return std::move(out_);
  }

 private:
  reader file_;
  file_axes axes_;
  std::map<std::string, std::string> counts_, instances_;   // by the dimension of samples
  int from_;
  point_file out_;

  // The number of a coordinate's element that belongs to every element of `variable`.
  std::vector<std::size_t> places_of(std::string const& coordinate, std::string const& variable) const {
    auto const over = file_.dimensions(variable), own = file_.dimensions(coordinate);
    std::size_t n = 1;
    for (auto const& d : over) n *= std::size_t(d.size);
    std::vector<std::size_t> out(n, 0);
    if (own.empty()) return out;
    std::size_t stride = n;
    for (auto const& d : over) {
      stride /= std::size_t(std::max<index_t>(d.size, 1));
      auto const along = [&](std::size_t e) { return e / stride % std::size_t(d.size); };
      if (d.name == own[0].name) {
        for (std::size_t e = 0; e < n; ++e) out[e] = along(e);
        return out;
      }
      if (auto const instance = instance_of(d.name, own[0].name); !instance.empty()) {
        for (std::size_t e = 0; e < n; ++e) out[e] = instance[along(e)];
        return out;
      }
    }
    throw sda::error(file_.path() + ": " + coordinate + ", over " + own[0].name + ", says nothing of " + variable);
  }

  // Of ragged arrays: the instance of every sample; none if there are none of that dimension.
  std::vector<std::size_t> instance_of(std::string const& samples_dimension, std::string const& instances_dimension) const {
    std::vector<std::size_t> out;
    if (auto const index = instances_.find(samples_dimension); index != instances_.end()) {
      if (file_.text(index->second, "instance_dimension") != instances_dimension) return {};
      for (double const i : file_.read(index->second)) {
        require(i >= 0, file_.path(), ": ", index->second, " names instance ", i);
        out.push_back(std::size_t(i));
      }
    } else if (auto const count = counts_.find(samples_dimension); count != counts_.end()) {
      auto const over = file_.dimensions(count->second);
      if (over.size() != 1 || over[0].name != instances_dimension) return {};
      std::size_t instance = 0;
      for (double const n : file_.read(count->second)) {
        require(n >= 0 && n < 1e9, file_.path(), ": ", count->second, " counts ", n, " samples");
        out.insert(out.end(), std::size_t(n), instance++);
      }
    }
    return out;
  }

  std::vector<double> spread_over(std::string const& coordinate, std::string const& variable) const {
    auto const numbers = file_.read(coordinate);
    auto const places = places_of(coordinate, variable);
    std::vector<double> out;
    for (std::size_t const p : places) {
      require(p < numbers.size(), file_.path(), ": ", variable, " has more samples than ", coordinate, " tells of");
      out.push_back(numbers[p]);
    }
    return out;
  }
  std::vector<double> coordinate(axis a, std::string const& variable) const {
    auto const at = axes_.coordinate.find(a);
    return at == axes_.coordinate.end() ? std::vector<double>() : spread_over(at->second, variable);
  }

  // What all variables over the same dimensions share.
  struct context {
    std::vector<double> latitude, longitude, level;
    std::vector<std::int64_t> seconds;
    std::vector<char> has_time;
    std::vector<std::size_t> platform;
  };
  context context_of(std::string const& variable) const {
    context c{coordinate(axis::latitude, variable), coordinate(axis::longitude, variable), coordinate(axis::level, variable), {}, {}, {}};
    if (!c.level.empty() && file_.text(axes_.coordinate.at(axis::level), "units") == "Pa")
      for (double& p : c.level) p /= 100;
    auto times = coordinate(axis::time, variable);
    for (double& t : times) c.has_time.push_back(std::isfinite(t)), t = std::isfinite(t) ? t : 0;
    auto const& time = axes_.coordinate.at(axis::time);
    c.seconds = decode_seconds(times, file_.text(time, "units").value_or(""), file_.text(time, "calendar").value_or(""));
    c.platform = platforms_of(variable);
    return c;
  }

  std::vector<std::size_t> platforms_of(std::string const& variable) const {
    auto const over = file_.dimensions(variable);
    for (auto const& d : over) {
      if (auto const count = counts_.find(d.name); count != counts_.end()) return instance_of(d.name, file_.dimensions(count->second)[0].name);
      if (auto const index = instances_.find(d.name); index != instances_.end()) return instance_of(d.name, *file_.text(index->second, "instance_dimension"));
    }
    auto const places = places_of(axes_.coordinate.at(axis::latitude), variable);
    return over.size() > 1 ? places : std::vector<std::size_t>(places.size(), 0);
  }

  void add(context const& c, std::size_t e, variable const& what, conversion const& to, double value, double error, std::string const& name) {
    if (std::isnan(value)) return;   // a gap
    ++out_.count.read;
    auto const lose = [&](char const* why) { out_.count.lose(why, name + "[" + std::to_string(e) + "]"); };
    timed_report r;
    r.from = from_, r.what = &what, r.where = {c.latitude[e], c.longitude[e]};
    r.level = c.level.empty() || std::isnan(c.level[e]) ? 0 : c.level[e];
    r.value = to.scale * value + to.offset, r.error = to.scale * error;
    r.seconds = c.seconds[e], r.platform = std::int64_t(c.platform[e]);
    if (!c.has_time[e]) lose("without a time");
    else if (!(std::abs(r.where.latitude) <= 90) || !(std::abs(r.where.longitude) <= 720)) lose("without a place on the globe");
    else if (!std::isfinite(r.value)) lose("without a value");
    else if (!std::isnan(r.error) && !(r.error > 0 && std::isfinite(r.error))) lose("with an error that is no positive number");
    else out_.reports.push_back(r);
  }

  // As write_observations has it: a variable's number, its value and error in a row; what another run did not assimilate counts too.
  void read_list() {
    auto const meanings = words_of(file_.text("variable", "flag_meanings").value_or(""));
    auto const values = file_.numbers("variable", "flag_values");
    require(!meanings.empty() && values.size() == meanings.size(), file_.path(), ": variable has ", values.size(), " flag_values and ", meanings.size(),
            " flag_meanings");
    auto const c = context_of("value");
    auto const which = spread_over("variable", "value"), value = file_.read("value");
    auto const error = file_.has("error") ? spread_over("error", "value") : std::vector<double>(value.size(), std::nan(""));
    for (std::size_t e = 0; e < value.size(); ++e) {
      auto const at = std::find(values.begin(), values.end(), which[e]) - values.begin();
      auto const* const what = std::size_t(at) < meanings.size() ? find_variable(meanings[std::size_t(at)]) : nullptr;
      if (what) add(c, e, *what, {}, value[e], error[e], "value");
      else if (!std::isnan(value[e])) ++out_.count.read, out_.count.lose("of unknown variables", sda::detail::text("value[", e, "]"));
    }
  }

  variable const* meant_by(std::string const& name) const {
    if (auto const* const v = find_variable(name)) return v;
    auto const standard = file_.text(name, "standard_name").value_or("");
    for (auto const& v : axes_.coordinate.count(axis::level) ? atmospheric_variables() : surface_variables())
      if (!standard.empty() && v.standard_name == standard) return &v;
    if (standard == "geopotential_height") return &variable_of("geopotential");
    return nullptr;
  }
  std::string error_of(std::string const& name) const {
    for (auto const& other : words_of(file_.text(name, "ancillary_variables").value_or("")))
      if (file_.has(other) && (other.find("error") != std::string::npos || file_.text(other, "standard_name").value_or("").find("standard_error") != std::string::npos))
        return other;
    return file_.has(name + "_error") ? name + "_error" : "";
  }

  void read_variables() {
    std::set<std::string> described, sampled;   // variables that belong to others; dimensions of samples
    for (axis const a : {axis::time, axis::latitude})
      for (auto const& d : file_.dimensions(axes_.coordinate.at(a))) sampled.insert(d.name);
    for (auto const* const ragged : {&counts_, &instances_})
      for (auto const& [dimension, variable] : *ragged) sampled.insert(dimension);
    for (auto const& [a, name] : axes_.coordinate) described.insert(name);
    for (auto const& name : file_.variables()) {
      for (auto const& other : words_of(file_.text(name, "ancillary_variables").value_or(""))) described.insert(other);
      for (auto const& other : words_of(file_.text(name, "coordinates").value_or(""))) described.insert(other);
      described.insert(name + "_error");
    }
    bool any = false;
    for (auto const& name : file_.variables()) {
      auto const over = file_.dimensions(name);
      bool const is_sampled = std::any_of(over.begin(), over.end(), [&](auto const& d) { return sampled.count(d.name) == 1; });
      if (described.count(name) || !is_sampled || file_.text(name, "sample_dimension") || file_.text(name, "instance_dimension")) continue;
      any |= read_variable(name);
    }
    require(any, file_.path(), " holds no observations: nothing in it depends on the time of samples and has units");
  }
  bool read_variable(std::string const& name) {
    auto const unit = file_.text(name, "units");
    auto const* const what = meant_by(name);
    if (!unit && !what) return false;   // a number, a flag
    auto const values = file_.read(name);
    auto const present = index_t(std::count_if(values.begin(), values.end(), [](double v) { return !std::isnan(v); }));
    auto const to = what ? to_units_of(*what, unit.value_or("")) : conversion{};
    if (!what || !to) {
      out_.count.read += present;
      if (present > 0) out_.count.lose(!what ? "of unknown variables" : "in units that are not known", name + (to ? "" : " in " + *unit), present);
      return true;
    }
    auto const c = context_of(name);
    auto const error = error_of(name);
    auto const errors = error.empty() ? std::vector<double>(values.size(), std::nan("")) : spread_error(error, name, values.size());
    for (std::size_t e = 0; e < values.size(); ++e) add(c, e, *what, *to, values[e], errors[e], name);
    return true;
  }
  std::vector<double> spread_error(std::string const& error, std::string const& of, std::size_t n) const {
    auto numbers = file_.read(error);
    if (numbers.size() == 1) numbers.resize(n, numbers[0]);
    require(numbers.size() == n, file_.path(), ": ", error, " has ", numbers.size(), " numbers, ", of, " has ", n);
    return numbers;
  }
};

}  // namespace

point_file points_of_netcdf(std::string const& path, int from) {
  rehearse(path, [&] { samples(path, from).read(); });
  return samples(path, from).read();
}

}  // namespace appa
