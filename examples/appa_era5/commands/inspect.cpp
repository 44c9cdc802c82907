// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "weights/state_dict.hpp"

#include <sda/netcdf.hpp>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <memory>

namespace {

using namespace appa;

struct settings {
  std::string file;
  bool values = false;
};

std::string shape_of(auto const& shape) {
  std::string out;
  for (auto const n : shape) out += (out.empty() ? "" : " x ") + std::to_string(n);
  return out.empty() ? "1" : out;
}
void print_values(std::vector<double> const& x) {
  double low = std::numeric_limits<double>::infinity(), high = -low, sum = 0, squares = 0;
  std::size_t bad = 0;
  for (double const v : x)
    if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v), sum += v, squares += v * v;
    else ++bad;
  double const n = double(x.size() - bad), mean = sum / n;
  if (n > 0) std::printf("  %11.4g %11.4g %11.4g %11.4g", low, high, mean, std::sqrt(std::max(0.0, squares / n - mean * mean)));
  if (bad > 0) std::printf("  %zu not finite", bad);
}
void print_head(bool values) {
  std::printf("%-52s %-6s %-22s %12s", "name", "type", "shape", "elements");
  if (values) std::printf("  %11s %11s %11s %11s", "least", "most", "mean", "std");
  std::printf("\n");
}

void inspect_tensors(settings const& s) {
  auto const all = read_tensors(s.file);
  print_head(s.values);
  sda::index_t elements = 0;
  std::size_t bytes = 0;
  for (auto const& [name, t] : all.tensors) {
    std::printf("%-52s %-6s %-22s %12td", name.c_str(), sda::safetensors::name(t.type), shape_of(t.shape).c_str(), t.elements());
    if (s.values) print_values(t.as<double>());
    std::printf("\n");
    elements += t.elements(), bytes += t.bytes.size();
  }
  std::printf("%zu tensors, %td elements, %.1f MB\n", all.tensors.size(), elements, double(bytes) / 1e6);
  for (auto const& [word, value] : all.words)
    std::printf("%s: %s\n", word.c_str(), value.size() > 2000 ? (value.substr(0, 2000) + " ...").c_str() : value.c_str());
}

void inspect_netcdf(settings const& s) {
  sda::netcdf::reader const file(s.file);
  print_head(s.values);
  for (auto const& name : file.variables()) {
    std::vector<sda::index_t> shape;
    sda::index_t n = 1;
    std::string over;
    for (auto const& d : file.dimensions(name)) shape.push_back(d.size), n *= d.size, over += (over.empty() ? "" : ", ") + d.name;
    std::printf("%-52s %-6s %-22s %12td", name.c_str(), "", shape_of(shape).c_str(), n);
    if (s.values && n > 0 && n <= 100'000'000) {
      try {
        print_values(file.read(name));
      } catch (sda::error const&) {  // text
      }
    }
    std::printf("  (%s)%s%s\n", over.c_str(), file.text(name, "units") ? " " : "", file.text(name, "units").value_or("").c_str());
  }
  for (auto const& a : file.attribute_names("")) std::printf("%s: %s\n", a.c_str(), file.text("", a).value_or("").c_str());
}

void inspect(settings const& s) {
  char begin[8] = {};
  std::ifstream(s.file, std::ios::binary).read(begin, 8);
  std::string const magic(begin, 4);
  magic == "\x89HDF" || magic.rfind("CDF", 0) == 0 ? inspect_netcdf(s) : inspect_tensors(s);
}

command const inspect_file("inspect", "lists what a file of weights (.pth, .safetensors), NetCDF or HDF5 holds",
                           [](CLI::App& app, run_options const&) {
                             auto s = std::make_shared<settings>();
                             app.add_option("file", s->file, "the file")->required()->check(CLI::ExistingFile);
                             app.add_flag("--values", s->values, "also least, most, mean and standard deviation");
                             app.callback([s] { inspect(*s); });
                           });

}  // namespace
