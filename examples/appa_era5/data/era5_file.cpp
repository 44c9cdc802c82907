// SPDX-License-Identifier: Apache-2.0
#include "data/era5_file.hpp"

#include "data/isolated.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <numeric>

namespace appa {

namespace {

using sda::require;

// How NetCDF-C opens it: a folder is a Zarr store.
std::string url_of(std::string const& path) {
  std::error_code failure;
  if (!std::filesystem::is_directory(path, failure)) return path;
  bool const nc = std::filesystem::exists(path + "/.nczgroup") || std::filesystem::exists(path + "/.nczattrs");
  return "file://" + std::filesystem::absolute(path).string() + (nc ? "#mode=nczarr,file" : "#mode=xarray,zarr,file");
}

// By name, else by the GRIB parameter number that CDS files carry.
variable const* recognise(sda::netcdf::reader const& file, std::string const& stored) {
  if (auto const* const v = find_variable(stored)) return v;
  auto const parameter = file.number(stored, "GRIB_paramId");
  for (std::span<variable const> const known : {surface_variables(), atmospheric_variables(), context_variables()})
    for (auto const& v : known)
      if (stored == v.ncar_name || parameter == double(v.parameter)) return &v;
  return nullptr;
}

// "m**2 s**-2", "m2/s2" and "m2 s-2" are one.
std::string normal_units(std::string const& units) {
  std::string plain;
  bool below = false;
  for (char const c : units) {
    if (c == '/') below = true;
    else if (std::isdigit(static_cast<unsigned char>(c)) && below) plain.push_back('-'), plain.push_back(c), below = false;
    else if (c != '*' && c != '^' && c != ' ') plain.push_back(c);
  }
  if (below) plain += "-1";
  return plain;
}

std::string listed(std::vector<std::string> const& words) {
  std::string all;
  for (auto const& w : words) all += " " + w;
  return all;
}

}  // namespace

bool era5_file::field::over(axis a) const { return std::find(axes.begin(), axes.end(), a) != axes.end(); }

era5_file::era5_file(std::string const& path) : path_(path) {
  rehearse(path, [&] { open(); });
  open();
}

void era5_file::open() {
  file_ = std::make_unique<sda::netcdf::reader>(url_of(path_));
  auto const axes = find_axes(*file_);
  find_fields(axes);
  find_grid(axes);
  find_times(axes);
  find_levels(axes);
  find_members(axes);
}

std::vector<std::string> era5_file::variables() const {
  std::vector<std::string> names;
  for (auto const& [name, f] : fields_) names.push_back(name);
  return names;
}

era5_file::field const& era5_file::field_of(std::string const& variable) const {
  auto const at = fields_.find(variable);
  require(at != fields_.end(), path_, " holds no ", variable, "; it holds", listed(variables()));
  return at->second;
}

void era5_file::find_fields(file_axes const& axes) {
  bool flat = false;
  std::string dimensions;
  for (auto const& stored : file_->variables()) {
    auto const* const v = recognise(*file_, stored);
    auto const over = file_->dimensions(stored);
    if (!v || over.size() < 2) continue;
    field f{stored, {}, {}};
    for (auto const& d : over) {
      f.axes.push_back(axes[d.name]), f.sizes.push_back(d.size);
      dimensions += " " + d.name + "(" + std::to_string(d.size) + ")";
    }
    flat = true;
    if (!f.over(axis::latitude) || !f.over(axis::longitude)) continue;
    for (std::size_t d = 0; d < over.size(); ++d) {
      bool const twice = std::count(f.axes.begin(), f.axes.end(), f.axes[d]) > 1;
      require((f.axes[d] != axis::other && !twice) || f.sizes[d] == 1, path_, ": variable ", stored, " has the dimension ", over[d].name, " of ",
              over[d].size, twice ? ", a second of its kind" : ", which is no time, level, latitude, longitude, member or expver");
    }
    bool const aloft = std::any_of(atmospheric_variables().begin(), atmospheric_variables().end(), [&](auto const& a) { return a.name == v->name; });
    if (aloft && !f.over(axis::level) && !axes.coordinate.count(axis::level)) continue;   // a surface field of the same name: orography
    check_units(stored, *v);
    fields_[v->name] = f;
  }
  require(flat, path_, " holds no variable known here by name or GRIB parameter; it holds", listed(file_->variables()));
  for (axis const a : {axis::latitude, axis::longitude})
    require(axes.coordinate.count(a), path_, ": no ", a == axis::latitude ? "latitude" : "longitude", " was found: looked for ", looked_for(a),
            "; the fields have the dimensions", dimensions);
  require(!fields_.empty(), path_, ": no field has both latitude and longitude, and a pressure level where it needs one (looked for ",
          looked_for(axis::level), "); the fields have the dimensions", dimensions);
}

void era5_file::check_units(std::string const& stored, variable const& v) const {
  auto const given = file_->text(stored, "units");
  if (!given || v.standard_name.empty()) return;
  std::string const plain = normal_units(*given), wanted = normal_units(v.units);
  bool const number = v.name == "land_sea_mask" && (plain == "1" || plain == "0-1" || plain == "~" || plain.empty());
  bool const ratio = wanted == "kgkg-1" && (plain == "1" || plain == "dimensionless");
  require(plain == wanted || number || ratio, path_, ": variable ", stored, " is in ", *given, " where ", v.units, " is needed");
}

std::vector<double> era5_file::numbers_of(file_axes const& axes, axis which) const {
  auto const at = axes.coordinate.find(which);
  if (at == axes.coordinate.end()) return {};
  for (auto const& d : file_->dimensions(at->second))   // a damaged header may claim anything
    require(d.size <= 10'000'000, path_, ": ", at->second, " has ", d.size, " numbers");
  return file_->read(at->second);
}

void era5_file::find_grid(file_axes const& axes) {
  auto const latitudes = numbers_of(axes, axis::latitude);
  auto longitudes = numbers_of(axes, axis::longitude);
  require(latitudes.size() >= 2 && longitudes.size() >= 2 && latitudes.size() <= 100'000 && longitudes.size() <= 100'000, path_, ": a grid of ", longitudes.size(), " x ", latitudes.size(), " points");
  for (double const y : latitudes) require(std::abs(y) <= 90.001, path_, ": a latitude of ", y);
  for (double& x : longitudes) {
    require(std::abs(x) <= 720, path_, ": a longitude of ", x);
    x = std::fmod(x + 720, 360);
    if (x > 359.9995) x = 0;   // a float's 360
  }
  auto const order = [](std::vector<double> const& v, auto before) {
    std::vector<index_t> sorted(v.size()), place(v.size());
    std::iota(sorted.begin(), sorted.end(), index_t{0});
    std::sort(sorted.begin(), sorted.end(), [&](index_t a, index_t b) { return before(v[std::size_t(a)], v[std::size_t(b)]); });
    for (std::size_t i = 0; i < sorted.size(); ++i) place[std::size_t(sorted[i])] = index_t(i);
    return place;
  };
  rows_ = order(latitudes, std::greater<>()), columns_ = order(longitudes, std::less<>());
  grid_.latitudes.resize(latitudes.size()), grid_.longitudes.resize(longitudes.size());
  for (std::size_t i = 0; i < latitudes.size(); ++i) grid_.latitudes[std::size_t(rows_[i])] = std::clamp(latitudes[i], -90.0, 90.0);
  for (std::size_t j = 0; j < longitudes.size(); ++j) grid_.longitudes[std::size_t(columns_[j])] = longitudes[j];
  auto const even = [](std::vector<double> const& v) {
    for (std::size_t i = 2; i < v.size(); ++i)
      if (std::abs((v[i] - v[i - 1]) - (v[1] - v[0])) > 2e-3) return false;
    return v[1] != v[0];
  };
  bool const wraps = !even(grid_.longitudes);   // an area across Greenwich: from its western edge
  if (wraps) {
    auto const& x = grid_.longitudes;
    std::size_t west = 0;
    for (std::size_t j = 1; j < x.size(); ++j)
      if (x[j] - x[j - 1] > x[west] - (west ? x[west - 1] : x[0])) west = j;
    std::vector<double> turned;
    for (std::size_t j = 0; j < x.size(); ++j) turned.push_back(x[(west + j) % x.size()] - (west + j < x.size() ? 360 : 0));
    grid_.longitudes = turned;
    for (index_t& c : columns_) c = (c - index_t(west) + index_t(x.size())) % index_t(x.size());
  }
  require(even(grid_.latitudes) && even(grid_.longitudes), path_, ": its latitudes or longitudes are not evenly spaced");
  for (auto const& [name, f] : fields_)
    for (std::size_t d = 0; d < f.axes.size(); ++d) {
      require(f.axes[d] != axis::latitude || f.sizes[d] == grid_.height(), path_, ": ", f.stored, " has ", f.sizes[d], " rows, its latitudes ", grid_.height());
      require(f.axes[d] != axis::longitude || f.sizes[d] == grid_.width(), path_, ": ", f.stored, " has ", f.sizes[d], " columns, its longitudes ", grid_.width());
    }
}

void era5_file::find_times(file_axes const& axes) {
  bool const needed = std::any_of(fields_.begin(), fields_.end(), [](auto const& f) { return f.second.over(axis::time); });
  auto const at = axes.coordinate.find(axis::time);
  require(!needed || at != axes.coordinate.end(), path_, ": no time was found: looked for ", looked_for(axis::time), "; there are the variables",
          listed(file_->variables()));
  if (at == axes.coordinate.end()) return;
  auto const units = file_->text(at->second, "units");
  if (!needed && !units) return;
  require(units.has_value(), path_, ": the times ", at->second, " have no units");
  try {
    times_ = decode_times(numbers_of(axes, axis::time), *units, file_->text(at->second, "calendar").value_or(""));
  } catch (sda::error const& e) {
    throw sda::error(path_ + ": " + e.what());
  }
  for (auto const& [name, f] : fields_)
    for (std::size_t d = 0; d < f.axes.size(); ++d)
      require(f.axes[d] != axis::time || f.sizes[d] == index_t(times_.size()), path_, ": ", f.stored, " has ", f.sizes[d], " times, ", at->second, " ", times_.size());
}

void era5_file::find_levels(file_axes const& axes) {
  levels_ = numbers_of(axes, axis::level);
  if (levels_.empty()) return;
  std::string const& name = axes.coordinate.at(axis::level);
  std::string const units = file_->text(name, "units").value_or("hPa");
  require(units != "m" && units != "1" && units != "K", path_, ": the levels ", name, " are in ", units, ", not in hPa");
  for (double& p : levels_) {
    if (units == "Pa") p /= 100;
    require(p > 0 && p < 1200, path_, ": a pressure level of ", p, " hPa");
  }
  for (auto const& [variable, f] : fields_)
    for (std::size_t d = 0; d < f.axes.size(); ++d)
      require(f.axes[d] != axis::level || f.sizes[d] == index_t(levels_.size()), path_, ": ", f.stored, " has ", f.sizes[d], " levels, ", name, " ", levels_.size());
}

void era5_file::find_members(file_axes const& axes) {
  index_t versions = 1;
  members_ = 0;
  for (auto const& [name, f] : fields_)
    for (std::size_t d = 0; d < f.axes.size(); ++d) {
      if (f.axes[d] == axis::version) versions = std::max(versions, f.sizes[d]);
      if (f.axes[d] != axis::member) continue;
      require(members_ == 0 || f.sizes[d] == members_, path_, ": ", f.stored, " has ", f.sizes[d], " members, others ", members_);
      members_ = f.sizes[d];
    }
  members_ = std::max(members_, index_t{1});
  if (versions == 1) return;
  auto const numbers = numbers_of(axes, axis::version);
  require(numbers.empty() || index_t(numbers.size()) == versions, path_, ": expver has ", numbers.size(), " numbers for ", versions, " versions");
  versions_.resize(std::size_t(versions));
  std::iota(versions_.begin(), versions_.end(), index_t{0});
  if (!numbers.empty())
    std::sort(versions_.begin(), versions_.end(), [&](index_t a, index_t b) { return numbers[std::size_t(a)] < numbers[std::size_t(b)]; });
}

void era5_file::read(std::string const& variable, index_t first, index_t count, std::span<index_t const> levels, index_t member, float* out) const {
  field const& f = field_of(variable);
  index_t const all_levels = std::max(index_t(levels.size()), index_t{1});
  require(!f.over(axis::time) || (first >= 0 && count >= 0 && first + count <= index_t(times_.size())), path_, ": times [", first, ", ", first + count,
          ") of ", times_.size());
  require(member >= 0 && member < members_, path_, ": member ", member, " of ", members_);
  require(!f.over(axis::level) || !levels.empty(), path_, ": ", f.stored, " has levels, and none is asked for");
  for (index_t l = 0; l < all_levels;) {   // neighbouring levels are read together
    index_t run = 1;
    index_t const from = levels.empty() ? 0 : levels[std::size_t(l)];
    if (f.over(axis::level))
      while (l + run < all_levels && levels[std::size_t(l + run)] == from + run) ++run;
    for (std::size_t v = 0; v < (f.over(axis::version) ? versions_.size() : 1); ++v)
      read_block(f, {first, count, from, run, member, versions_[v]}, v > 0, all_levels, out + l * grid_.points());
    l += run;
  }
}

void era5_file::read_block(field const& f, block const& b, bool only_missing, index_t all_levels, float* out) const {
  std::size_t const n = f.axes.size();
  std::vector<index_t> start(n, 0), count = f.sizes;
  std::vector<std::vector<index_t>> offset(n);   // what a place along a dimension adds to the place in `out`
  index_t const width = grid_.width();
  for (std::size_t d = 0; d < n; ++d) {
    auto const choose = [&](index_t first, index_t size) { start[d] = first, count[d] = size; };
    if (f.axes[d] == axis::time) choose(b.first_time, b.times);
    if (f.axes[d] == axis::level) choose(b.first_level, b.levels);
    if (f.axes[d] == axis::member) choose(b.member, 1);
    if (f.axes[d] == axis::version) choose(b.version, 1);
    for (index_t i = 0; i < count[d]; ++i)
      offset[d].push_back(f.axes[d] == axis::time        ? i * all_levels * grid_.points()
                          : f.axes[d] == axis::level     ? i * grid_.points()
                          : f.axes[d] == axis::latitude  ? rows_[std::size_t(i)] * width
                          : f.axes[d] == axis::longitude ? columns_[std::size_t(i)]
                                                         : 0);
  }
  auto const stored = file_->read<float>(f.stored, start, count);
  std::vector<index_t> at(n, 0);
  for (std::size_t k = 0; k < stored.size();) {
    index_t base = 0;
    for (std::size_t d = 0; d + 1 < n; ++d) base += offset[d][std::size_t(at[d])];
    for (index_t const last : offset[n - 1]) {
      float& to = out[base + last];
      if (!only_missing || std::isnan(to)) to = stored[k];
      ++k;
    }
    for (std::size_t d = n - 1; d-- > 0;) {
      if (++at[d] < count[d]) break;
      at[d] = 0;
    }
  }
}

}  // namespace appa
