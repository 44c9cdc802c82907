// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <zip.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

// Writes files as torch.save does, instruction by instruction, well formed or not.

namespace appa_test {

/// A pickle of protocol 2, built by appending.
struct pickled {
  std::string bytes = "\x80\x02";

  template <class T> pickled& raw(T x) {
    char b[sizeof(T)];
    std::memcpy(b, &x, sizeof(T));
    bytes.append(b, sizeof(T));
    return *this;
  }
  pickled& op(std::string const& s) { return bytes += s, *this; }
  pickled& text(std::string const& s) { return op("X").raw(std::uint32_t(s.size())).op(s); }
  pickled& integer(std::int64_t i) {
    if (i >= 0 && i < 256) return op("K").raw(std::uint8_t(i));
    if (i >= -2147483648LL && i < 2147483648LL) return op("J").raw(std::int32_t(i));
    return op("\x8a\x08").raw(i);
  }
  pickled& global(std::string const& module, std::string const& name) { return op("c" + module + "\n" + name + "\n"); }
  pickled& tuple(std::vector<std::int64_t> const& items) {
    op("(");
    for (auto const i : items) integer(i);
    return op("t");
  }
  /// torch._utils._rebuild_tensor_v2(storage, offset, sizes, strides, False, OrderedDict())
  pickled& tensor(std::string const& storage, std::string const& key, std::int64_t elements, std::int64_t offset,
                  std::vector<std::int64_t> const& sizes, std::vector<std::int64_t> const& strides) {
    global("torch._utils", "_rebuild_tensor_v2").op("((").text("storage").global("torch", storage).text(key).text("cpu").integer(elements).op("tQ");
    return integer(offset).tuple(sizes).tuple(strides).op("\x89").global("collections", "OrderedDict").op(")RtR");
  }
  pickled& stop() { return op("."); }
};

/// A ZIP archive of members; PyTorch's are not compressed.
inline void write_zip(std::filesystem::path const& path, std::map<std::string, std::string> const& members, bool compressed = false) {
  int failure = 0;
  zip_t* const zip = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &failure);
  sda::require(zip != nullptr, "cannot write ", path.string());
  for (auto const& [name, bytes] : members) {
    zip_source_t* const source = zip_source_buffer(zip, bytes.data(), bytes.size(), 0);
    auto const i = zip_file_add(zip, name.c_str(), source, ZIP_FL_ENC_UTF_8);
    sda::require(i >= 0, "cannot add ", name);
    zip_set_file_compression(zip, zip_uint64_t(i), compressed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
  }
  sda::require(zip_close(zip) == 0, "cannot finish ", path.string());
}

template <class T> std::string bytes_of(std::vector<T> const& x) { return {reinterpret_cast<char const*>(x.data()), x.size() * sizeof(T)}; }

}  // namespace appa_test
