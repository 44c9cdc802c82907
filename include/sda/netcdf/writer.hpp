// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/netcdf/file.hpp>

#include <unistd.h>

#include <atomic>
#include <concepts>
#include <ctime>
#include <filesystem>
#include <limits>
#include <map>
#include <span>

namespace sda::netcdf {

/// How a variable is stored.
struct storage {
  int deflate = 1;                  // zlib 0 (none) to 9; bytes are shuffled first
  std::vector<index_t> chunk = {};  // one number a dimension; empty: NetCDF's choice
};

/// Writes a netCDF-4 (classic model) file under a temporary name beside `path`; commit() makes it appear. A writer that
/// goes out of scope before that, as when an error passes through, leaves nothing behind.
class writer {
 public:
  explicit writer(std::string path) : path_(std::move(path)), temporary_(temporary_name(path_)), file_(create(path_, temporary_)) {}
  writer(writer const&) = delete;
  ~writer() {
    if (!committed_) {
      file_.close();
      std::error_code ignored;
      std::filesystem::remove(temporary_, ignored);
    }
  }

  void dimension(std::string const& name, index_t size) {
    require(size >= 0, path_, ": dimension ", name, " of ", size);
    lock const alone;
    int id;
    define(true);
    check(nc_def_dim(file_, name.c_str(), size == unlimited ? NC_UNLIMITED : std::size_t(size), &id), "dimension ", name);
    dimensions_[name] = {id, size};
  }
  /// A variable over dimensions defined before, slowest first. One named like its only dimension is a coordinate; the
  /// floating-point others get _FillValue = NaN, so NaN means missing.
  template <storable T>
  void variable(std::string const& name, std::vector<std::string> const& over, attributes const& about, storage const& how = {}) {
    lock const alone;
    std::vector<int> ids;
    for (auto const& d : over) {
      require(dimensions_.count(d) == 1, path_, ": variable ", name, " over dimension ", d, ", which is not defined");
      ids.push_back(dimensions_.at(d).id);
    }
    define(true);
    int v;
    check(nc_def_var(file_, name.c_str(), type_of<T>::id, int(ids.size()), ids.data(), &v), "variable ", name);
    variables_[name] = {v, over, 0};
    if constexpr (std::floating_point<T>) {
      T const fill = std::numeric_limits<T>::quiet_NaN();
      if (over != std::vector{name}) check(nc_def_var_fill(file_, v, NC_FILL, &fill), "variable ", name);
    }
    if (!over.empty() && how.deflate > 0) check(nc_def_var_deflate(file_, v, 1, 1, how.deflate), "variable ", name);
    if (!how.chunk.empty()) {
      require(how.chunk.size() == over.size(), path_, ": variable ", name, " of ", over.size(), " dimensions in chunks of ", how.chunk.size());
      std::vector<std::size_t> const size(how.chunk.begin(), how.chunk.end());
      check(nc_def_var_chunking(file_, v, NC_CHUNKED, size.data()), "chunks of variable ", name);
    }
    for (auto const& a : about) put_attribute(v, name, a);
  }
  /// An attribute of the whole file.
  void describe(attribute const& a) {
    lock const alone;
    define(true);
    put_attribute(NC_GLOBAL, "the file", a);
  }
  /// Conventions, title, source and history: what every file of this library says about where it came from.
  void provenance(std::string const& title, std::string const& source, std::string const& command) {
    std::time_t const now = std::time(nullptr);
    char when[32];
    std::strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
    for (auto const& [name, value] :
         {std::pair<std::string, std::string>{"Conventions", "CF-1.8"}, {"title", title}, {"source", source}, {"history", when + (" " + command)}})
      describe({name, value});
  }

  /// All of a variable whose dimensions are fixed, or its first records: as many as the values fill.
  template <storable T> void put(std::string const& name, std::vector<T> const& values) {
    entry& e = find(name);
    std::size_t const n = record_size(e, name);
    bool const grows = is_record(e);
    require(grows ? values.size() % n == 0 : values.size() == n, path_, ": variable ", name, ": ", values.size(), " values for ", n,
            grows ? " a record" : "");
    put_block(e, name, 0, grows ? values.size() / n : 1, values.data());
    e.records = grows ? values.size() / n : 0;
  }
  /// The next record of a variable whose first dimension is unlimited.
  template <storable T> void append(std::string const& name, std::span<T const> record) {
    entry& e = find(name);
    require(is_record(e), path_, ": variable ", name, " has no unlimited dimension to append along");
    std::size_t const n = record_size(e, name);
    require(record.size() == n, path_, ": variable ", name, ": a record of ", record.size(), " values, not ", n);
    put_block(e, name, e.records++, 1, record.data());
  }
  template <storable T> void append(std::string const& name, std::vector<T> const& record) { append(name, std::span<T const>(record)); }

  /// What was appended so far reaches the disk.
  void flush() {
    lock const alone;
    define(false);
    check(nc_sync(file_), "flush");
  }
  /// Closes the file and gives it its name, replacing what stood there.
  void commit() {
    lock const alone;
    define(false);
    check(file_.close(), "close");
    std::error_code failure;
    std::filesystem::rename(temporary_, path_, failure);
    require(!failure, "cannot write ", path_, ": ", failure.message());
    committed_ = true;
  }

 private:
  struct extent {
    int id;
    index_t size;
  };
  struct entry {
    int id;
    std::vector<std::string> over;
    std::size_t records;
  };
  std::string path_, temporary_;
  handle file_;
  std::map<std::string, extent> dimensions_;
  std::map<std::string, entry> variables_;
  bool defining_ = true, committed_ = false;

  static std::string temporary_name(std::string const& path) {
    static std::atomic<int> count{0};
    return path + "." + std::to_string(::getpid()) + "-" + std::to_string(count++) + ".tmp";
  }
  static handle create(std::string const& path, std::string const& temporary) {
    auto const folder = std::filesystem::path(path).parent_path();
    require(!std::filesystem::is_directory(path), "cannot write ", path, ": it is a folder");
    require(!std::filesystem::exists(path) || std::filesystem::is_regular_file(path), "cannot write ", path, ": it is no regular file");
    require(folder.empty() || std::filesystem::is_directory(folder), "cannot write ", path, ": there is no folder ", folder.string());
    lock const alone;
    int id = -1;
    netcdf::check(nc_create(temporary.c_str(), NC_CLOBBER | NC_NETCDF4 | NC_CLASSIC_MODEL, &id), "cannot write ", path);
    return handle(id);
  }
  template <class... W> void check(int status, W const&... what) const { netcdf::check(status, "cannot write ", path_, ": ", what...); }

  // NetCDF's classic model has two modes, definitions and data: enter the one that is needed.
  void define(bool on) {
    if (on == defining_) return;
    check(on ? nc_redef(file_) : nc_enddef(file_), "header");
    defining_ = on;
  }
  void put_attribute(int v, std::string const& of, attribute const& a) {
    int status = NC_NOERR;
    char const* const name = a.name.c_str();
    if (auto const* s = std::get_if<std::string>(&a.value)) status = nc_put_att_text(file_, v, name, s->size(), s->data());
    if (auto const* x = std::get_if<double>(&a.value)) status = nc_put_att_double(file_, v, name, NC_DOUBLE, 1, x);
    if (auto const* i = std::get_if<int>(&a.value)) status = nc_put_att_int(file_, v, name, NC_INT, 1, i);
    if (auto const* all = std::get_if<std::vector<int>>(&a.value)) status = nc_put_att_int(file_, v, name, NC_INT, all->size(), all->data());
    check(status, "attribute ", a.name, " of ", of);
  }
  entry& find(std::string const& name) {
    auto const at = variables_.find(name);
    require(at != variables_.end(), path_, ": variable ", name, " is not defined");
    return at->second;
  }
  bool is_record(entry const& e) const { return !e.over.empty() && dimensions_.at(e.over[0]).size == unlimited; }
  std::size_t record_size(entry const& e, std::string const& name) const {
    std::size_t n = 1;
    for (std::size_t d = is_record(e) ? 1 : 0; d < e.over.size(); ++d) {
      index_t const size = dimensions_.at(e.over[d]).size;
      require(size > 0, path_, ": variable ", name, ": only its first dimension may be unlimited");
      n *= std::size_t(size);
    }
    return n;
  }
  template <class T> void put_block(entry const& e, std::string const& name, std::size_t first, std::size_t n, T const* values) {
    std::vector<std::size_t> start, count;
    for (auto const& d : e.over) start.push_back(0), count.push_back(std::size_t(dimensions_.at(d).size));
    if (is_record(e)) start[0] = first, count[0] = n;
    if (n == 0) return;
    lock const alone;
    define(false);
    check(type_of<T>::put(file_, e.id, start.data(), count.data(), values), "variable ", name, ", ", shape_text(count), " values");
  }
};

}  // namespace sda::netcdf
