// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/config.hpp>
#include <sda/core/error.hpp>
#include <sda/core/pending_file.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

/// Tensors in a file: 8 bytes of header length, a JSON header {name: {dtype, shape, data_offsets}, "__metadata__": {...}},
/// raw little-endian row-major data. Files are read as if an enemy had written them.
namespace sda::safetensors {

static_assert(std::endian::native == std::endian::little, "sda: safetensors holds little-endian numbers");

enum class dtype { boolean, u8, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64 };

namespace detail {

// Bits of the two short floating types; their values are floats.
struct half {
  std::uint16_t bits;
  operator float() const {
    std::uint32_t const magnitude = bits & 0x7fffu, sign = std::uint32_t(bits & 0x8000u) << 16;
    if (magnitude >= 0x7c00u) return std::bit_cast<float>(sign | magnitude << 13 | 0x7f800000u);
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude << 13) * 0x1p112f));
  }
};
struct bfloat {
  std::uint16_t bits;
  operator float() const { return std::bit_cast<float>(std::uint32_t(bits) << 16); }
};

struct kind {
  char const* name;
  std::size_t size;
};
inline constexpr kind kinds[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"U16", 2},  {"I16", 2}, {"U32", 4}, {"I32", 4},
                                 {"U64", 8},  {"I64", 8}, {"F16", 2}, {"BF16", 2}, {"F32", 4}, {"F64", 8}};

// Calls f with a value of the C++ type behind a dtype.
template <class F> decltype(auto) dispatch(dtype t, F&& f) {
  switch (t) {
    case dtype::boolean:
    case dtype::u8: return f(std::uint8_t{});
    case dtype::i8: return f(std::int8_t{});
    case dtype::u16: return f(std::uint16_t{});
    case dtype::i16: return f(std::int16_t{});
    case dtype::u32: return f(std::uint32_t{});
    case dtype::i32: return f(std::int32_t{});
    case dtype::u64: return f(std::uint64_t{});
    case dtype::i64: return f(std::int64_t{});
    case dtype::f16: return f(half{});
    case dtype::bf16: return f(bfloat{});
    case dtype::f32: return f(float{});
    default: return f(double{});
  }
}

template <class T> constexpr dtype dtype_of() {
  if constexpr (std::same_as<T, double>) return dtype::f64;
  else if constexpr (std::same_as<T, float>) return dtype::f32;
  else if constexpr (sizeof(T) == 8) return std::is_signed_v<T> ? dtype::i64 : dtype::u64;
  else if constexpr (sizeof(T) == 4) return std::is_signed_v<T> ? dtype::i32 : dtype::u32;
  else if constexpr (sizeof(T) == 2) return std::is_signed_v<T> ? dtype::i16 : dtype::u16;
  else return std::is_signed_v<T> ? dtype::i8 : dtype::u8;
}

}  // namespace detail

inline char const* name(dtype t) { return detail::kinds[std::size_t(t)].name; }
inline std::size_t size(dtype t) { return detail::kinds[std::size_t(t)].size; }

/// A number a tensor can be read as; bool is read as std::uint8_t.
template <class T> concept number = (std::integral<T> || std::same_as<T, float> || std::same_as<T, double>) && !std::same_as<T, bool>;

/// A tensor where it lies: borrowed bytes, possibly unaligned.
struct tensor {
  dtype type = dtype::f32;
  std::vector<index_t> shape;
  std::span<std::byte const> bytes;

  index_t elements() const { return index_t(bytes.size() / size(type)); }

  /// The elements as numbers of type T. Integer targets take integer tensors whose values fit; anything else is an sda::error.
  template <number T> std::vector<T> as() const {
    std::vector<T> out(bytes.size() / size(type));
    detail::dispatch(type, [&]<class E>(E) {
      require(std::floating_point<T> || std::integral<E>, "safetensors: a tensor of ", name(type), " cannot be read as integers");
      for (std::size_t i = 0; i < out.size(); ++i) {
        E e;
        std::memcpy(&e, bytes.data() + i * sizeof(E), sizeof(E));
        if constexpr (std::integral<T> && std::integral<E>) require(std::in_range<T>(e), "safetensors: ", +e, " does not fit the integer asked for");
        if constexpr (std::floating_point<T> || std::integral<E>) out[i] = T(e);
      }
    });
    return out;
  }
};

/// Numbers in memory as a tensor that can be written; they are borrowed.
template <number T> tensor view(std::span<T const> numbers, std::vector<index_t> shape) {
  return {detail::dtype_of<T>(), std::move(shape), std::as_bytes(numbers)};
}

/// A file open for reading, mapped into memory; its tensors live as long as it does. Every number of the header is checked
/// at the door: what the constructor accepts can be read without further checks.
class archive {
 public:
  explicit archive(std::filesystem::path path) : path_(std::move(path)) {
    try {
      map();
      parse();
    } catch (...) {
      unmap();
      throw;
    }
  }
  ~archive() { unmap(); }
  archive(archive&& o) noexcept
      : path_(std::move(o.path_)), mapped_(std::exchange(o.mapped_, {})), tensors_(std::move(o.tensors_)), metadata_(std::move(o.metadata_)) {}
  archive& operator=(archive&&) = delete;

  std::filesystem::path const& path() const { return path_; }
  std::map<std::string, tensor> const& tensors() const& { return tensors_; }
  std::map<std::string, tensor> const& tensors() && = delete;  // they would outlive their bytes
  std::map<std::string, std::string> const& metadata() const { return metadata_; }
  bool contains(std::string const& tensor_name) const { return tensors_.count(tensor_name) != 0; }

  /// The tensor of that name; sda::error if there is none.
  tensor const& operator[](std::string const& tensor_name) const {
    auto const found = tensors_.find(tensor_name);
    check(found != tensors_.end(), "has no tensor \"", tensor_name, "\" among its ", tensors_.size());
    return found->second;
  }

 private:
  static constexpr std::size_t longest_header = 100'000'000;  // as other readers have it

  template <class... T> void check(sda::detail::condition c, T const&... what) const { require(c, "safetensors: ", path_.string(), " ", what...); }

  void map() {
    int const file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    check(file >= 0, "cannot be opened: ", std::strerror(errno));
    struct stat about{};
    bool const regular = ::fstat(file, &about) == 0 && S_ISREG(about.st_mode);
    std::size_t const length = regular ? std::size_t(about.st_size) : 0;
    void* const at = length >= 8 ? ::mmap(nullptr, length, PROT_READ, MAP_PRIVATE, file, 0) : nullptr;
    int const cause = errno;
    ::close(file);
    check(regular, "is not a regular file");
    check(length >= 8, "has ", length, " bytes, fewer than the 8 of its header length");
    check(at != MAP_FAILED, "cannot be mapped: ", std::strerror(cause));
    mapped_ = {static_cast<std::byte const*>(at), length};
  }
  void unmap() {
    if (!mapped_.empty()) ::munmap(const_cast<std::byte*>(mapped_.data()), mapped_.size());
    mapped_ = {};
  }

  void parse() {
    std::uint64_t length;
    std::memcpy(&length, mapped_.data(), 8);
    check(length <= longest_header && length <= mapped_.size() - 8, "announces a header of ", length, " bytes in a file of ", mapped_.size());
    nlohmann::json const header = read_json(reinterpret_cast<char const*>(mapped_.data()) + 8, std::size_t(length));
    auto const data = mapped_.subspan(8 + std::size_t(length));
    for (auto const& [key, entry] : header.items()) {
      check(entry.is_object(), "describes \"", key, "\" by something that is no object");
      if (key == "__metadata__")
        for (auto const& [word, value] : entry.items()) {
          check(value.is_string(), "has a metadata value \"", word, "\" that is no string");
          metadata_[word] = value.get<std::string>();
        }
      else tensors_[key] = describe(key, entry, data);
    }
    check_tiling(data.size());
  }

  // nlohmann-json keeps the last of two equal names: look for them while it parses. No valid header nests deeper than three.
  nlohmann::json read_json(char const* text, std::size_t length) const {
    std::set<std::string> seen[2];
    try {
      auto header = nlohmann::json::parse(text, text + length, [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
        check(depth <= 3, "has a header that nests too deep");
        if (event == nlohmann::json::parse_event_t::object_start && depth == 1) seen[1].clear();
        if (event == nlohmann::json::parse_event_t::key && depth <= 2)
          check(seen[depth - 1].insert(value.get<std::string>()).second, "names \"", value.get<std::string>(), "\" twice");
        return true;
      });
      check(header.is_object(), "has a header that is no object");
      return header;
    } catch (nlohmann::json::exception const& e) {
      throw error(sda::detail::text("safetensors: ", path_.string(), " has a header that is no JSON: ", e.what()));
    }
  }

  tensor describe(std::string const& key, nlohmann::json const& entry, std::span<std::byte const> data) const {
    auto const sizes = [&](char const* what) {
      check(entry.contains(what) && entry[what].is_array(), "gives no list of ", what, " for \"", key, "\"");
      std::vector<index_t> out;
      for (auto const& n : entry[what]) {
        check(n.is_number_unsigned() && n.get<std::uint64_t>() <= std::uint64_t(std::numeric_limits<index_t>::max()), "has the number ",
              n.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace), " among the ", what, " of \"", key, "\"");
        out.push_back(n.get<index_t>());
      }
      return out;
    };
    check(entry.contains("dtype") && entry["dtype"].is_string(), "gives no dtype for \"", key, "\"");
    auto const type_name = entry["dtype"].get<std::string>();
    auto const kind = std::find_if(std::begin(detail::kinds), std::end(detail::kinds), [&](auto const& k) { return k.name == type_name; });
    check(kind != std::end(detail::kinds), "has \"", key, "\" of the unknown dtype ", type_name);

    auto const shape = sizes("shape"), offsets = sizes("data_offsets");
    check(offsets.size() == 2 && offsets[0] <= offsets[1] && std::size_t(offsets[1]) <= data.size(), "places \"", key, "\" outside its ", data.size(),
          " bytes of data");
    index_t length = index_t(kind->size);
    for (index_t const n : shape) check(!__builtin_mul_overflow(length, n, &length), "has \"", key, "\" of a shape beyond 64 bits");
    check(length == offsets[1] - offsets[0], "gives \"", key, "\" ", offsets[1] - offsets[0], " bytes where its shape needs ", length);
    return {dtype(kind - std::begin(detail::kinds)), shape, data.subspan(std::size_t(offsets[0]), std::size_t(length))};
  }

  // Tensors lie end to end: nothing shared, nothing hidden between them, nothing cut off or appended.
  void check_tiling(std::size_t length) const {
    std::vector<std::pair<std::byte const*, std::size_t>> parts;
    for (auto const& [key, t] : tensors_) parts.emplace_back(t.bytes.data(), t.bytes.size());
    std::sort(parts.begin(), parts.end());
    std::byte const* const start = mapped_.data() + mapped_.size() - length;
    std::size_t next = 0;
    for (auto const& [at, bytes] : parts) {
      check(std::size_t(at - start) == next, std::size_t(at - start) < next ? "has tensors that overlap" : "has bytes no tensor owns", " at byte ",
            next, " of its data");
      next += bytes;
    }
    check(next == length, "has ", length, " bytes of data where its tensors need ", next);
  }

  std::filesystem::path path_;
  std::span<std::byte const> mapped_;
  std::map<std::string, tensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// Writes a file that appears complete or not at all; what stood under its name stays until then. sda::error when it cannot.
inline void write(std::filesystem::path const& path, std::map<std::string, tensor> const& tensors,
                  std::map<std::string, std::string> const& metadata = {}) {
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t offset = 0;
  for (auto const& [key, t] : tensors) {
    index_t length = index_t(size(t.type));
    for (index_t const n : t.shape)
      require(n >= 0 && !__builtin_mul_overflow(length, n, &length), "safetensors: \"", key, "\" has an impossible shape");
    require(std::size_t(length) == t.bytes.size(), "safetensors: \"", key, "\" has ", t.bytes.size(), " bytes where its shape needs ", length);
    require(key != "__metadata__", "safetensors: no tensor can be called __metadata__");
    header[key] = {{"dtype", name(t.type)}, {"shape", t.shape}, {"data_offsets", {offset, offset + t.bytes.size()}}};
    offset += t.bytes.size();
  }
  std::string text;
  try {
    text = header.dump();
  } catch (nlohmann::json::exception const& e) {
    throw error(sda::detail::text("safetensors: ", path.string(), " cannot hold a name or text that is no UTF-8: ", e.what()));
  }
  text.append((8 - text.size() % 8) % 8, ' ');  // the data stays aligned
  std::uint64_t const length = text.size();
  pending_file file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(std::as_bytes(std::span(text)));
  for (auto const& [key, t] : tensors) file.write(t.bytes);
  file.commit();
}

}  // namespace sda::safetensors
