// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <string>

namespace appa {

/// What some work puts out in a child process, where a library that crashes or never ends on a hostile file does no harm: either, as
/// whatever the work throws, is an sda::error for the parent, which reads.
class isolated {
 public:
  /// The child's end.
  class output {
   public:
    /// Bytes for the parent. From one call to the next the child may use so many seconds of the processor as `isolated` was given, and
    /// ten times as many of the clock.
    void put(void const* from, std::size_t bytes) const;

   private:
    friend isolated;
    int to_, seconds_;
    output(int to, int seconds);
  };

  /// `what` begins the messages: "cannot read FILE".
  isolated(std::string what, int seconds, std::function<void(output const&)> const& work);
  isolated(isolated const&) = delete;
  ~isolated();

  /// The next bytes that the work put.
  void get(void* to, std::size_t bytes);

 private:
  // An end of a pipe, closed with it.
  struct end {
    int number = -1;
    end() = default;
    end(end const&) = delete;
    ~end() { close(); }
    void close();
  };

  std::string what_;
  int patience_;
  pid_t child_ = -1;
  end from_, complaints_;

  [[noreturn]] void complain();
};

/// Reads a file, or what may fail of it, a first time in a process of its own, if it is HDF5's or of an unknown kind: the claims of
/// netCDF-3 are checked by sda::netcdf::reader. What was read so once is not again, until it is written to.
void rehearse(std::string const& path, std::function<void()> const& read);

}  // namespace appa
