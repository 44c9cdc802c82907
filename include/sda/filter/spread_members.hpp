// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/model/simulate.hpp>
#include <sda/trajectory/communicator.hpp>

namespace sda {

/// A model whose members are carried by ranks in shares: every rank has the whole ensemble before and after a step, and makes
/// its rows of it. The numbers are those of one rank, and so are those of a filter that cycles with it: analyses, small beside
/// forecasts, are made by every rank alike.
template <class M, class C> struct spread_members {
  M model;
  C communicator;

  template <State S>
    requires Model<M, S> && Communicator<C, S>
  S operator()(S const& x, key k) const {
    auto const [first, last] = share(rows(x), communicator.rank(), communicator.size());
    S whole = zeros_like(x);
    if (last > first) {
      S const mine = advance(model, take_rows(x, first, last), k.from_row(first));
      copy_block(whole, first, 0, mine, 0, 0, last - first, columns(x));
    }
    communicator.all_gather(whole);
    return whole;
  }
};
template <class M, class C> spread_members(M, C) -> spread_members<M, C>;

}  // namespace sda
