// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <span>

namespace appa {

/// The ranks that train together: alone, or those that a launcher of MPI started.
struct job {
  int here = 0, count = 1;
  std::function<void(std::span<float>)> sum_floats;
  std::function<void(std::span<double>)> sum_doubles;

  int rank() const { return here; }
  int size() const { return count; }
  /// What only one rank does: files, words on the terminal.
  bool first() const { return here == 0; }
  /// The sum over ranks of a flat tensor, in their order, the same bits on each.
  template <class Tensor>
    requires requires(Tensor x) { x.nbytes(); }
  void all_reduce(Tensor& x) const {
    auto on_host = x.cpu().contiguous();
    auto const n = std::size_t(on_host.numel());
    if (on_host.element_size() == sizeof(double)) sum_doubles({static_cast<double*>(on_host.data_ptr()), n});
    else sum_floats({static_cast<float*>(on_host.data_ptr()), n});
    x.copy_(on_host);
  }
};

/// Which of so many cards is this rank's, by its number among the ranks of its machine, as mpirun, srun and their like tell it.
int own_card(int cards);

/// Runs body once, or on every rank if the program was started by mpirun or srun and knows MPI.
void on_job(std::function<void(job const&)> const& body);

}  // namespace appa
