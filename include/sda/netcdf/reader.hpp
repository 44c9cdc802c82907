// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/netcdf/classic.hpp>
#include <sda/netcdf/file.hpp>

#include <concepts>
#include <cstdint>
#include <fstream>
#include <limits>
#include <optional>
#include <span>

namespace sda::netcdf {

/// Reads netCDF-3 and -4: numbers are unpacked (scale_factor, add_offset) in double, missing ones (_FillValue,
/// missing_value, outside valid_range) come as NaN. Every error names file and variable.
class reader {
 public:
  explicit reader(std::string path) : path_(std::move(path)), file_(open(path_)) {}

  std::string const& path() const { return path_; }

  std::vector<std::string> variables() const {
    lock const alone;
    int n = 0;
    netcdf::check(nc_inq_nvars(file_, &n), path_);
    std::vector<std::string> names;
    for (int v = 0; v < n; ++v) names.push_back(name_of(v));
    return names;
  }
  bool has(std::string const& variable) const {
    lock const alone;
    int v;
    return nc_inq_varid(file_, variable.c_str(), &v) == NC_NOERR;
  }
  /// The dimensions of a variable, slowest first; none for a scalar.
  std::vector<dimension> dimensions(std::string const& variable) const {
    lock const alone;
    int const v = find(variable);
    int n = 0, ids[NC_MAX_VAR_DIMS];
    check(nc_inq_var(file_, v, nullptr, nullptr, &n, ids, nullptr), variable);
    std::vector<dimension> out;
    for (int d = 0; d < n; ++d) {
      char name[NC_MAX_NAME + 1];
      std::size_t size = 0;
      check(nc_inq_dim(file_, ids[d], name, &size), variable);
      out.push_back({name, index_t(size)});
    }
    return out;
  }

  /// Names of a variable's attributes; of the file's own for "".
  std::vector<std::string> attribute_names(std::string const& variable) const {
    lock const alone;
    int const v = variable.empty() ? NC_GLOBAL : find(variable);
    int n = 0;
    check(v == NC_GLOBAL ? nc_inq_natts(file_, &n) : nc_inq_varnatts(file_, v, &n), variable);
    std::vector<std::string> names;
    for (int a = 0; a < n; ++a) {
      char name[NC_MAX_NAME + 1];
      check(nc_inq_attname(file_, v, a, name), variable);
      names.push_back(name);
    }
    return names;
  }
  /// A text attribute of a variable ("" names the file itself), if there is one.
  std::optional<std::string> text(std::string const& variable, std::string const& name) const {
    lock const alone;
    auto const [v, type, length] = find_attribute(variable, name);
    if (type == NC_STRING && length > 0) {
      std::vector<char*> strings(length);
      check(nc_get_att_string(file_, v, name.c_str(), strings.data()), variable, ":", name);
      std::string out = strings[0] ? strings[0] : "";
      nc_free_string(length, strings.data());
      return out;
    }
    if (type != NC_CHAR) return {};
    std::string out(length, '\0');
    if (length > 0) check(nc_get_att_text(file_, v, name.c_str(), out.data()), variable, ":", name);
    return std::string(out.c_str());  // some writers count the closing zero
  }
  /// The numbers of an attribute; none if it is absent or text.
  std::vector<double> numbers(std::string const& variable, std::string const& name) const {
    lock const alone;
    auto const [v, type, length] = find_attribute(variable, name);
    if (!is_number(type)) return {};
    std::vector<double> out(length);
    if (length > 0) check(nc_get_att_double(file_, v, name.c_str(), out.data()), variable, ":", name);
    return out;
  }
  std::optional<double> number(std::string const& variable, std::string const& name) const {
    auto const all = numbers(variable, name);
    return all.empty() ? std::nullopt : std::optional(all[0]);
  }

  /// All of a variable, in the order of its dimensions.
  template <std::floating_point T = double> std::vector<T> read(std::string const& variable) const {
    std::vector<index_t> start, count;
    for (auto const& d : dimensions(variable)) start.push_back(0), count.push_back(d.size);
    return read<T>(variable, start, count);
  }
  /// The block of `count` elements from `start` along each dimension.
  template <std::floating_point T = double>
  std::vector<T> read(std::string const& variable, std::span<index_t const> start, std::span<index_t const> count) const {
    lock const alone;
    auto const shape = dimensions(variable);
    require(start.size() == shape.size() && count.size() == shape.size(), where(variable), ": a block of ", start.size(), " and ", count.size(),
            " numbers for ", shape.size(), " dimensions");
    std::vector<std::size_t> first, size;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      require(start[d] >= 0 && count[d] >= 0 && start[d] <= shape[d].size && count[d] <= shape[d].size - start[d], where(variable), ": [", start[d],
              ", ", start[d], " + ", count[d], ") of dimension ", shape[d].name, " of ", shape[d].size);
      first.push_back(std::size_t(start[d])), size.push_back(std::size_t(count[d]));
    }
    int const v = find(variable);
    nc_type type;
    check(nc_inq_vartype(file_, v, &type), variable);
    require(is_number(type), where(variable), " holds text, not numbers");
    codec const c = codec_of(variable, type);
    std::size_t const n = volume(size, where(variable));
    if (type == type_of<T>::id) return decoded<T>(v, variable, first, size, n, c);
    auto const wide = decoded<double>(v, variable, first, size, n, c);
    return std::vector<T>(wide.begin(), wide.end());
  }

 private:
  // How stored numbers become values: which mean "missing", then scale and offset.
  struct codec {
    std::vector<double> missing;
    double low = -std::numeric_limits<double>::infinity(), high = -low, scale = 1, offset = 0;
    double operator()(double stored) const {
      for (double const m : missing)
        if (stored == m) return std::numeric_limits<double>::quiet_NaN();
      return stored >= low && stored <= high ? stored * scale + offset : std::numeric_limits<double>::quiet_NaN();
    }
  };

  std::string path_;
  handle file_;

  static handle open(std::string const& path) {
    check_classic(path);
    lock const alone;
    int id = -1;
    int const status = nc_open(path.c_str(), NC_NOWRITE, &id);
    if (status != NC_NOERR) {
      char magic[4] = {};
      std::ifstream(path, std::ios::binary).read(magic, 4);
      require(std::string(magic, 4) != std::string("PK\3\4", 4), "cannot read ", path,
              ": it is a ZIP archive, not NetCDF; unpack it and name the files inside");
    }
    netcdf::check(status, "cannot read ", path);
    return handle(id);
  }
  template <class... W> void check(int status, W const&... what) const { netcdf::check(status, path_, ": ", what...); }
  std::string where(std::string const& variable) const { return path_ + ": variable " + variable; }
  static bool is_number(nc_type t) { return t != NC_NAT && t != NC_CHAR && t < NC_STRING; }

  std::string name_of(int v) const {
    char name[NC_MAX_NAME + 1];
    netcdf::check(nc_inq_varname(file_, v, name), path_);
    return name;
  }
  int find(std::string const& variable) const {
    int v = -1;
    if (nc_inq_varid(file_, variable.c_str(), &v) != NC_NOERR) {
      std::string known;
      for (auto const& name : variables()) known += " " + name;
      throw error(path_ + ": there is no variable " + variable + "; there are:" + known);
    }
    return v;
  }
  struct found {
    int variable;
    nc_type type;
    std::size_t length;
  };
  found find_attribute(std::string const& variable, std::string const& name) const {
    found f{variable.empty() ? NC_GLOBAL : find(variable), NC_NAT, 0};
    if (nc_inq_att(file_, f.variable, name.c_str(), &f.type, &f.length) != NC_NOERR) f.type = NC_NAT;
    return f;
  }
  codec codec_of(std::string const& variable, nc_type type) const {
    codec c;
    c.missing = numbers(variable, "missing_value");
    if (auto const fill = number(variable, "_FillValue")) c.missing.push_back(*fill);
    else if (type == NC_FLOAT || type == NC_DOUBLE) c.missing.push_back(type == NC_FLOAT ? double(NC_FILL_FLOAT) : NC_FILL_DOUBLE);
    c.low = number(variable, "valid_min").value_or(c.low);
    c.high = number(variable, "valid_max").value_or(c.high);
    if (auto const range = numbers(variable, "valid_range"); range.size() == 2) c.low = range[0], c.high = range[1];
    c.scale = number(variable, "scale_factor").value_or(1);
    c.offset = number(variable, "add_offset").value_or(0);
    return c;
  }
  template <class T>
  std::vector<T> decoded(int v, std::string const& variable, std::vector<std::size_t> const& first, std::vector<std::size_t> const& size,
                         std::size_t n, codec const& c) const {
    std::vector<T> x(n);
    if (n == 0) return x;
    int const status = type_of<T>::get(file_, v, first.data(), size.data(), x.data());
    check(status == NC_ERANGE ? NC_NOERR : status, "variable ", variable, ", ", shape_text(size), " numbers");
    for (T& value : x) value = T(c(double(value)));
    return x;
  }
};

}  // namespace sda::netcdf
