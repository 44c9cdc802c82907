// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/fill_normal.hpp>
#include <sda/core/parallel.hpp>
#include <sda_test.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace conformance {
using namespace sda;
using sda::clone;  // not the system call

template <class M> using state_of = decltype(M::make(1, 1));
template <class M> using value_of = value_t<state_of<M>>;

template <class S> auto numbers(S const& x) {
  std::vector<value_t<S>> out(std::size_t(rows(x) * columns(x)));
  store(x, std::span(out));
  return out;
}
/// What scalars of the states of M hold.
template <class M> auto doubles(scalars_t<state_of<M>> const& c) {
  std::vector<double> out(std::size_t(rows(c) * columns(c)));
  algebra<state_of<M>>::store(c, std::span(out));
  return out;
}
template <class M> auto from(index_t r, index_t c, std::vector<value_of<M>> const& v) {
  auto x = M::make(r, c);
  load(x, std::span<value_of<M> const>(v));
  return x;
}
/// Normal numbers, made on the host.
template <class M> auto random(index_t r, index_t c, std::uint64_t seed) {
  std::vector<value_of<M>> v(std::size_t(r * c));
  for (index_t i = 0; i < r; ++i) fill_normal(v.data() + i * c, key{seed}, i, 0, c);
  return from<M>(r, c, v);
}
/// Whole numbers from -4 to 4: sums of their products are exact in any order.
template <class M> auto whole(index_t r, index_t c, std::uint64_t seed) {
  std::vector<value_of<M>> v(std::size_t(r * c));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = value_of<M>(int(key{seed}(0, std::uint32_t(i)).w[0] % 9) - 4);
  return from<M>(r, c, v);
}
/// One coefficient a row.
template <class M> auto scalars(std::vector<value_of<M>> const& v) {
  index_t const n = index_t(v.size());
  return dot(from<M>(n, 1, v), from<M>(n, 1, std::vector<value_of<M>>(v.size(), 1)));
}
/// A state with the one row of x repeated.
template <class S> S tall(S const& x, index_t n) {
  S y = zeros(x, n, columns(x));
  for (index_t r = 0; r < n; ++r) copy_block(y, r, 0, x, 0, 0, 1, columns(x));
  return y;
}
template <class M> auto indices(std::vector<std::int64_t> const& i) { return indices_like(M::make(1, 1), std::span<std::int64_t const>(i)); }

struct half_square {
  template <class T> SDA_HD T operator()(T const& x) const { return x * x * 0.5f; }
};
struct product {
  template <class T> SDA_HD T operator()(T const& x, T const& y) const { return x * y; }
};
struct blend {
  template <class T> SDA_HD T operator()(T const& x, T const& y, T const& z) const { return x * y + z; }
};

}  // namespace conformance
