// SPDX-License-Identifier: Apache-2.0
#include "state_dict.hpp"

#include "pickle.hpp"

#include <sda/core/error.hpp>

#include <zip.h>

#include <fstream>

namespace appa {
namespace {

using sda::index_t;
using sda::require;
namespace st = sda::safetensors;

using buffer = std::vector<std::byte>;

// A ZIP archive whose members lie in it as they are: PyTorch compresses none, so no member is larger than the file.
class zip_file {
 public:
  explicit zip_file(std::filesystem::path const& path) : path_(path.string()), length_(std::filesystem::file_size(path)) {
    int failure = 0;
    zip_.reset(zip_open(path_.c_str(), ZIP_RDONLY, &failure));
    if (!zip_) {
      zip_error_t e;
      zip_error_init_with_code(&e, failure);
      std::string const text = zip_error_strerror(&e);
      zip_error_fini(&e);
      throw sda::error(path_ + " is no ZIP archive: " + text);
    }
    for (zip_int64_t i = 0; i < zip_get_num_entries(zip_.get(), 0); ++i)
      if (char const* const name = zip_get_name(zip_.get(), zip_uint64_t(i), ZIP_FL_ENC_RAW)) members_[name] = zip_uint64_t(i);
  }

  std::map<std::string, zip_uint64_t> const& members() const { return members_; }

  buffer read(std::string const& member) {
    auto const found = members_.find(member);
    require(found != members_.end(), path_, " has no member ", member);
    zip_stat_t about;
    zip_stat_init(&about);
    require(zip_stat_index(zip_.get(), found->second, 0, &about) == 0 &&
                (about.valid & (ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD)) == (ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD),
            path_, ": ", member, " cannot be found");
    require(about.comp_method == ZIP_CM_STORE, path_, ": ", member, " is compressed, which PyTorch does not do");
    require(about.size <= length_ && (read_ += about.size) <= length_, path_, ": ", member, " claims ", about.size, " bytes in a file of ", length_);
    std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> const in(zip_fopen_index(zip_.get(), found->second, 0), zip_fclose);
    require(in != nullptr, path_, ": ", member, " cannot be opened: ", zip_strerror(zip_.get()));
    buffer out(about.size);
    for (std::size_t done = 0; done < out.size();) {
      auto const n = zip_fread(in.get(), out.data() + done, out.size() - done);
      require(n > 0, path_, ": ", member, " is damaged: ", zip_file_strerror(in.get()));
      done += std::size_t(n);
    }
    std::byte beyond;
    require(zip_fread(in.get(), &beyond, 1) == 0, path_, ": ", member,
            " is damaged: ", zip_file_strerror(in.get()));  // the checksum is compared here
    return out;
  }

 private:
  struct closer {
    void operator()(zip_t* z) const { zip_discard(z); }
  };
  std::string path_;
  std::uint64_t length_, read_ = 0;
  std::unique_ptr<zip_t, closer> zip_;
  std::map<std::string, zip_uint64_t> members_;
};

// Walks a document and gathers its tensors.
class gatherer {
 public:
  gatherer(zip_file& zip, std::string folder, stored_tensors& out) : zip_(zip), folder_(std::move(folder)), out_(out) {
    auto const kept = std::make_shared<std::map<std::string, buffer>>();
    buffers_ = kept.get();
    out_.kept = kept;
  }

  void visit(pickle::reference o, std::string const& name, int depth = 0) {
    require(depth <= 32 && name.size() < 4096 && ++visited_ <= 1'000'000, out_.path.string(), ": nests too deep or endlessly at ", name);
    auto const below = [&](std::string const& key) { return name.empty() ? key : name + "." + key; };
    if (auto const* const d = std::get_if<pickle::dictionary>(&o->value)) {
      for (auto const& [key, value] : d->items) visit(value, below(key_of(key)), depth + 1);
    } else if (auto const* const l = std::get_if<pickle::list>(&o->value)) {
      for (std::size_t i = 0; i < l->items.size(); ++i) visit(l->items[i], below(std::to_string(i)), depth + 1);
    } else if (auto const* const t = std::get_if<pickle::tensor>(&o->value)) {
      auto const whole = name.empty() ? "tensor" : name;
      require(out_.tensors.emplace(whole, read(*t, whole)).second, out_.path.string(), " has two tensors called ", whole);
    } else {
      out_.words[name.empty() ? "value" : name] = words(*o);
    }
  }

 private:
  zip_file& zip_;
  std::string folder_;
  stored_tensors& out_;
  std::map<std::string, buffer>* buffers_;
  index_t visited_ = 0;
  std::size_t copied_ = 0, read_ = 0;

  std::string key_of(pickle::reference key) const {
    bool const word = std::holds_alternative<std::string>(key->value) || std::holds_alternative<std::int64_t>(key->value);
    require(word, out_.path.string(), ": a dictionary with a key that is no word");
    return words(*key);
  }
  static std::string words(pickle::object const& o) {
    if (auto const* s = std::get_if<std::string>(&o.value)) return *s;
    if (auto const* i = std::get_if<std::int64_t>(&o.value)) return std::to_string(*i);
    if (auto const* x = std::get_if<double>(&o.value)) return sda::detail::text(*x);
    if (auto const* b = std::get_if<bool>(&o.value)) return *b ? "true" : "false";
    return "none";
  }

  st::tensor read(pickle::tensor const& t, std::string const& name) {
    std::size_t const size = st::size(t.of.type);
    auto const& bytes = storage(t.of);
    index_t elements = 1;
    for (index_t const n : t.shape) elements *= n;
    if (contiguous(t))
      return {t.of.type, t.shape, std::span(bytes).subspan(elements ? std::size_t(t.offset) * size : 0, std::size_t(elements) * size)};
    copied_ += std::size_t(elements) * size;
    require(copied_ <= 8 * read_, out_.path.string(), ": ", name, " makes the tensors many times larger than the file");
    auto& copy = (*buffers_)["/" + name];
    copy.resize(std::size_t(elements) * size);
    std::vector<index_t> at(t.shape.size());
    for (index_t i = 0; i < elements; ++i) {
      index_t from = t.offset;
      for (std::size_t d = 0; d < at.size(); ++d) from += at[d] * t.strides[d];
      std::memcpy(copy.data() + std::size_t(i) * size, bytes.data() + std::size_t(from) * size, size);
      for (std::size_t d = at.size(); d-- > 0 && ++at[d] == t.shape[d];) at[d] = 0;
    }
    return {t.of.type, t.shape, copy};
  }
  static bool contiguous(pickle::tensor const& t) {
    index_t step = 1;
    for (std::size_t d = t.shape.size(); d-- > 0; step *= t.shape[d])
      if (t.shape[d] != 1 && t.strides[d] != step && step != 0) return false;
    return true;
  }
  buffer const& storage(pickle::storage const& s) {
    auto const found = buffers_->find(s.key);
    if (found == buffers_->end()) {
      auto bytes = zip_.read(folder_ + "data/" + s.key);
      read_ += bytes.size();
      (*buffers_)[s.key] = std::move(bytes);
    }
    auto const& bytes = (*buffers_)[s.key];
    require(bytes.size() >= std::size_t(s.elements) * st::size(s.type), out_.path.string(), ": storage ", s.key, " has ", bytes.size(),
            " bytes, not ", s.elements, " elements of ", st::name(s.type));
    return bytes;
  }
};

std::string first_bytes(std::filesystem::path const& file, std::size_t n) {
  require(std::filesystem::is_regular_file(file), "cannot read ", file.string());
  std::string out(n, '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(out.data(), std::streamsize(n));
  out.resize(std::size_t(std::max<std::streamsize>(in.gcount(), 0)));
  return out;
}

}  // namespace

stored_tensors::tensor const& stored_tensors::operator[](std::string const& name) const {
  auto const found = tensors.find(name);
  if (found != tensors.end()) return found->second;
  std::string known;
  for (auto const& [other, t] : tensors)
    if (known.size() < 500) known += " " + other;
  throw sda::error(path.string() + " has no tensor " + name + "; it has" + known);
}

stored_tensors read_state_dict(std::filesystem::path const& file) {
  auto const begin = first_bytes(file, 4);
  require(begin.rfind("\x80\x02", 0) != 0, file.string(), " was written by PyTorch before 1.6; save it again with a newer one");
  require(begin == std::string("PK\3\4", 4), file.string(), " is no file of torch.save: it does not begin as a ZIP archive");
  zip_file zip(file);
  std::string folder;
  int found = 0;
  for (auto const& [name, i] : zip.members())
    if (std::string const pickled = "data.pkl";
        name == pickled || (name.size() > pickled.size() && name.substr(name.size() - pickled.size() - 1) == "/" + pickled))
      folder = name.substr(0, name.size() - pickled.size()), ++found;
  require(found == 1, file.string(), " has ", found, " members called data.pkl, not one: it is not of torch.save");
  if (zip.members().count(folder + "byteorder")) {
    auto const order = zip.read(folder + "byteorder");
    require(std::string(reinterpret_cast<char const*>(order.data()), order.size()) == "little", file.string(), " holds big-endian numbers");
  }
  auto const bytes = zip.read(folder + "data.pkl");
  stored_tensors out;
  out.path = file;
  try {
    auto const document = pickle::parse(bytes);
    gatherer(zip, folder, out).visit(document.root, "");
  } catch (sda::error const& e) { throw sda::error(std::string(e.what()).rfind(file.string(), 0) == 0 ? e.what() : file.string() + ": " + e.what()); }
  return out;
}

stored_tensors read_tensors(std::filesystem::path const& file) {
  if (first_bytes(file, 2) == "PK") return read_state_dict(file);
  auto const archive = std::make_shared<st::archive>(file);
  stored_tensors out;
  out.path = file, out.tensors = archive->tensors(), out.words = archive->metadata(), out.kept = archive;
  return out;
}

}  // namespace appa
