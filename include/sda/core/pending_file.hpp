// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/config.hpp>
#include <sda/core/error.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <span>
#include <utility>

namespace sda {

/// A file that takes its name only when complete: it is written beside it under a name of its own, which goes away if anything
/// fails; what stood under the name stays until commit(). Every failure is an sda::error.
class pending_file {
 public:
  explicit pending_file(std::filesystem::path path) : path_(std::move(path)) {
    // renaming would replace a device by a file
    require(!std::filesystem::exists(path_) || std::filesystem::is_regular_file(path_), path_.string(), " cannot be written: it is no regular file");
    static std::atomic<unsigned> count{0};
    temporary_ = path_;
    temporary_ += detail::text(".", ::getpid(), ".", count++, ".partial");
    file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    check(file_ >= 0, "created");
  }
  ~pending_file() {
    if (file_ >= 0) ::close(file_);
    if (!done_) ::unlink(temporary_.c_str());
  }
  pending_file(pending_file const&) = delete;
  pending_file& operator=(pending_file const&) = delete;

  void write(std::span<std::byte const> bytes) {
    while (!bytes.empty()) {
      ::ssize_t const n = ::write(file_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      check(n > 0, "written");
      bytes = bytes.subspan(std::size_t(n));
    }
  }
  /// Puts the bytes on disk and the file in place.
  void commit() {
    check(::fsync(file_) == 0, "written");
    check(::close(std::exchange(file_, -1)) == 0, "written");
    check(::rename(temporary_.c_str(), path_.c_str()) == 0, "put in place");
    done_ = true;
    // The new name itself survives a crash once its folder is on disk.
    int const folder = ::open(path_.has_parent_path() ? path_.parent_path().c_str() : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
      ::fsync(folder);
      ::close(folder);
    }
  }

 private:
  void check(detail::condition c, char const* what) const { require(c, path_.string(), " cannot be ", what, ": ", std::strerror(errno)); }
  std::filesystem::path path_, temporary_;
  int file_ = -1;
  bool done_ = false;
};

}  // namespace sda
