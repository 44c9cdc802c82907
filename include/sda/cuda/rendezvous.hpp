// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/error.hpp>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sda {

/// Who this process is among those that a launcher started.
struct launched {
  int rank = 0, size = 1;
  int local_rank = 0;  ///< its number on its machine: the device it takes
  std::string address = "127.0.0.1";
  int port = 29500;  ///< where rank 0 can be met
};

namespace on_device {

inline int number_from(std::initializer_list<char const*> names, int otherwise) {
  for (char const* name : names)
    if (char const* text = std::getenv(name); text && *text) {
      char* end = nullptr;
      long const value = std::strtol(text, &end, 10);
      require(*end == '\0' && value >= 0 && value < 1 << 30, "launch: ", name, " = '", text, "' is no number");
      return int(value);
    }
  return otherwise;
}

// A socket, closed when it goes out of scope.
class connection {
 public:
  explicit connection(int handle) : handle_(handle) {}
  connection(connection&& o) noexcept : handle_(std::exchange(o.handle_, -1)) {}
  ~connection() {
    if (handle_ >= 0) ::close(handle_);
  }
  int handle() const { return handle_; }
  explicit operator bool() const { return handle_ >= 0; }

 private:
  int handle_;
};

class deadline {
 public:
  explicit deadline(double seconds)
      : end_(std::chrono::steady_clock::now() +
             std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(seconds))) {}
  int milliseconds_left() const {
    auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - std::chrono::steady_clock::now()).count();
    return left > 0 ? int(left) : 0;
  }

 private:
  std::chrono::steady_clock::time_point end_;
};

inline void transfer(connection const& c, char* memory, std::size_t bytes, bool sends, deadline const& until, char const* who) {
  while (bytes > 0) {
    pollfd ready{c.handle(), short(sends ? POLLOUT : POLLIN), 0};
    require(::poll(&ready, 1, until.milliseconds_left()) > 0, "rendezvous: ", who, " does not answer");
    ssize_t const done = sends ? ::send(c.handle(), memory, bytes, MSG_NOSIGNAL) : ::recv(c.handle(), memory, bytes, 0);
    require(done > 0, "rendezvous: ", who, " went away");
    memory += done, bytes -= std::size_t(done);
  }
}

inline connection open_socket(launched const& me, bool listens, deadline const& until) {
  addrinfo wish{}, *found = nullptr;
  wish.ai_family = AF_INET, wish.ai_socktype = SOCK_STREAM, wish.ai_flags = listens ? AI_PASSIVE : 0;
  int const e = ::getaddrinfo(listens ? nullptr : me.address.c_str(), std::to_string(me.port).c_str(), &wish, &found);
  require(e == 0, "rendezvous: ", me.address, ": ", ::gai_strerror(e));
  for (;;) {
    connection c(::socket(found->ai_family, found->ai_socktype, found->ai_protocol));
    int const on = 1;
    bool ok = false;
    if (listens) {
      ::setsockopt(c.handle(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      ok = ::bind(c.handle(), found->ai_addr, found->ai_addrlen) == 0 && ::listen(c.handle(), 1024) == 0;
    } else {
      int const left = until.milliseconds_left() + 1;  // or a machine that swallows packets keeps us for minutes
      timeval const most{left / 1000, left % 1000 * 1000};
      ::setsockopt(c.handle(), SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
      ok = ::connect(c.handle(), found->ai_addr, found->ai_addrlen) == 0;
    }
    if (ok || until.milliseconds_left() == 0) {
      ::freeaddrinfo(found);
      require(ok, "rendezvous: rank ", me.rank, " of ", me.size, " cannot ",
              listens ? "listen at port " : ("meet rank 0 at " + me.address + ":").c_str(), me.port);
      return c;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));  // rank 0 may not be up yet
  }
}

// The first machine of a list as Slurm writes it: "gpu[07-09,12],login" begins with gpu07.
inline std::string first_machine(std::string const& list) {
  std::size_t const bracket = list.find('['), end = list.find(',');
  if (bracket == std::string::npos || end < bracket) return list.substr(0, end);
  std::size_t const number = bracket + 1, after = list.find_first_of("-,]", number), close = list.find(']', number);
  require(close != std::string::npos, "launch: '", list, "' is no list of machines");
  return list.substr(0, bracket) + list.substr(number, after - number) + list.substr(close + 1, list.find(',', close) - close - 1);
}

}  // namespace on_device

/// Reads the variables of torchrun (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT), Open MPI's mpirun, MPICH's, and
/// srun, in this order; a process that none of them started is alone. Rank 0 is met one port above torchrun's own, or
/// one that srun's job number gives; without MASTER_ADDR on the first of srun's machines, or on this one.
inline launched launched_by_environment() {
  using on_device::number_from;
  launched me;
  me.rank = number_from({"RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"}, 0);
  me.size = number_from({"WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS"}, 1);
  me.local_rank = number_from({"LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"}, 0);
  int const usual = 20000 + number_from({"SLURM_JOB_ID"}, 9500) % 10000;  // 29500; jobs that share a machine have ports of their own
  me.port = number_from({"MASTER_PORT"}, usual) + 1;
  char const *const address = std::getenv("MASTER_ADDR"), *const machines = std::getenv("SLURM_STEP_NODELIST");
  if (address && *address) me.address = address;
  else if (machines && *machines) me.address = on_device::first_machine(machines);
  require(me.size > 0 && me.rank < me.size, "launch: rank ", me.rank, " of ", me.size);
  return me;
}

/// Gives every process the bytes of rank 0, over TCP: how a world begins where there is no MPI. Throws within `patience` seconds
/// on every rank when one does not come, comes twice, or believes in another size of the world.
inline void rendezvous(launched const& me, void* memory, std::size_t bytes, double patience = 50) {
  struct greeting {
    std::uint32_t rank, size;
  };
  if (me.size == 1) return;
  on_device::deadline const until(patience);
  auto* const data = static_cast<char*>(memory);
  if (me.rank > 0) {
    auto const c = on_device::open_socket(me, false, until);
    greeting hello{std::uint32_t(me.rank), std::uint32_t(me.size)};
    on_device::transfer(c, reinterpret_cast<char*>(&hello), sizeof hello, true, until, "rank 0");
    return on_device::transfer(c, data, bytes, false, until, "rank 0");
  }
  auto const door = on_device::open_socket(me, true, until);
  std::vector<on_device::connection> met;
  std::vector<bool> seen(std::size_t(me.size));
  while (int(met.size()) + 1 < me.size) {
    pollfd ready{door.handle(), POLLIN, 0};
    require(::poll(&ready, 1, until.milliseconds_left()) > 0, "rendezvous: only ", met.size() + 1, " of ", me.size, " ranks came within ", patience,
            " s");
    on_device::connection c(::accept(door.handle(), nullptr, nullptr));
    greeting hello{};
    on_device::transfer(c, reinterpret_cast<char*>(&hello), sizeof hello, false, until, "a rank");
    require(hello.size == std::uint32_t(me.size) && hello.rank > 0 && hello.rank < hello.size, "rendezvous: rank ", hello.rank, " of ", hello.size,
            " came to a world of ", me.size);
    require(!seen[hello.rank], "rendezvous: two ranks say they are ", hello.rank);
    seen[hello.rank] = true;
    met.push_back(std::move(c));
  }
  for (auto const& c : met) on_device::transfer(c, data, bytes, true, until, "a rank");
}

}  // namespace sda
