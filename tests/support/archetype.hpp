// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/state/state.hpp>

#include <algorithm>
#include <memory>
#include <vector>

namespace sda_test {
using namespace sda;

/// The least a state can be: it moves, is neither copied nor default-constructed, and its algebra has the required
/// members and no other. A template that compiles with it asks no more of a state than the concept says.
template <class T> struct archetype {
  archetype(index_t r, index_t c) : height(r), width(c), elements(new T[std::size_t(r * c)]()) {}
  index_t size() const { return height * width; }
  T& at(index_t r, index_t c) const { return elements[std::size_t((height == 1 ? 0 : r) * width + c)]; }

  index_t height, width;
  std::unique_ptr<T[]> elements;
};

struct archetype_indices {
  std::vector<std::int64_t> at;
};

/// The verbs as their definitions read, an element at a time.
template <class T> struct archetype_algebra {
  using S = archetype<T>;
  using value_type = T;
  using scalars = archetype<double>;
  using indices = archetype_indices;

  static index_t rows(S const& x) { return x.height; }
  static index_t columns(S const& x) { return x.width; }
  static S zeros(S const&, index_t r, index_t c) { return {r, c}; }
  static S reshape(S&& x, index_t r, index_t c) {
    require(r * c == x.size(), "reshape: ", x.size(), " elements do not fill ", r, " x ", c);
    x.height = r, x.width = c;
    return std::move(x);
  }

  template <class... Terms> static void lincomb(S& out, Terms const&... t) {
    (check(t, out), ...);
    for (index_t r = 0; r < out.height; ++r)
      for (index_t c = 0; c < out.width; ++c) out.at(r, c) = (value(t, r, c) + ...);
  }
  template <class F, class... X> static void transform(S& out, F const& f, X const&... x) {
    (fits(x, x.width, out), ...);
    for (index_t r = 0; r < out.height; ++r)
      for (index_t c = 0; c < out.width; ++c) out.at(r, c) = f(x.at(r, c)...);
  }

  static scalars dot(S const& x, S const& y) {
    require(x.width == y.width && (x.height == y.height || x.height == 1 || y.height == 1), "dot: ", x.width, " against ", y.width);
    scalars out(x.height == 1 ? y.height : x.height, 1);
    for (index_t r = 0; r < out.height; ++r)
      for (index_t c = 0; c < x.width; ++c) out.elements[std::size_t(r)] += double(x.at(r, c)) * double(y.at(r, c));
    return out;
  }
  static void multiply(S& out, S const& x, S const& m) {
    require(x.width == m.height && out.height == x.height && out.width == m.width, "multiply: ", x.width, " columns, ", m.height, " rows");
    for (index_t r = 0; r < out.height; ++r)
      for (index_t c = 0; c < out.width; ++c) {
        T sum = 0;
        for (index_t k = 0; k < x.width; ++k) sum += x.at(r, k) * m.at(k, c);
        out.at(r, c) = sum;
      }
  }

  static indices indices_like(S const&, std::span<std::int64_t const> i) { return {{i.begin(), i.end()}}; }
  static void scatter_add(S& out, S const& x, indices const& i, index_t block) {
    require(index_t(i.at.size()) * block == x.width && x.height == out.height, "scatter_add: ", i.at.size(), " indices, ", x.width, " columns");
    for (index_t r = 0; r < x.height; ++r)
      for (index_t c = 0; c < x.width; ++c) out.at(r, picked(i, block, c)) += x.at(r, c);
  }
  static void copy_block(S& out, index_t r, index_t c, S const& x, index_t xr, index_t xc, index_t nr, index_t nc) {
    require(r >= 0 && c >= 0 && r + nr <= out.height && c + nc <= out.width, "copy_block: ", nr, " x ", nc, " do not fit into the result");
    require(xr >= 0 && xc >= 0 && xr + nr <= x.height && xc + nc <= x.width, "copy_block: ", nr, " x ", nc, " are not there");
    for (index_t i = 0; i < nr; ++i)
      for (index_t j = 0; j < nc; ++j) out.at(r + i, c + j) = x.at(xr + i, xc + j);
  }
  static void load(S& out, std::span<T const> in) {
    require(index_t(in.size()) == out.size(), "load: ", in.size(), " numbers for ", out.size(), " elements");
    std::copy(in.begin(), in.end(), out.elements.get());
  }
  template <class U> static void store(archetype<U> const& x, std::span<U> to) {
    require(index_t(to.size()) == x.size(), "store: ", x.size(), " elements into ", to.size());
    std::copy_n(x.elements.get(), x.size(), to.begin());
  }

 private:
  static index_t picked(indices const& i, index_t block, index_t c) { return i.at[std::size_t(c / block)] * block + c % block; }

  static T factor(double a, index_t) { return T(a); }
  static T factor(each<scalars> const& a, index_t r) { return T(a.sign * a.of.at(r, 0)); }
  template <class C> static T value(term<C, S> const& t, index_t r, index_t c) { return factor(t.a, r) * t.x.at(r, c); }
  template <class C> static T value(weighted<C, S> const& t, index_t r, index_t c) { return factor(t.a, r) * t.w.at(r, c) * t.x.at(r, c); }
  template <class C> static T value(gathered<C, S> const& t, index_t r, index_t c) { return factor(t.a, r) * t.x.at(r, picked(t.at, t.block, c)); }
  static T value(noise const& t, index_t r, index_t c) { return T(t.a) * normal<T>(t.k, r, c); }

  static void fits(S const& x, index_t width, S const& out) {
    require(width == out.width && (x.height == out.height || x.height == 1), "lincomb: ", x.height, " x ", width, " for a result of ", out.height,
            " x ", out.width);
  }
  static void fits(double, S const&) {}
  static void fits(each<scalars> const& a, S const& out) {
    require(a.of.width == 1 && (a.of.height == out.height || a.of.height == 1), "lincomb: ", a.of.height, " coefficients for ", out.height, " rows");
  }
  template <class C> static void check(term<C, S> const& t, S const& out) { fits(t.a, out), fits(t.x, t.x.width, out); }
  template <class C> static void check(weighted<C, S> const& t, S const& out) {
    fits(t.a, out), fits(t.w, t.w.width, out), fits(t.x, t.x.width, out);
  }
  template <class C> static void check(gathered<C, S> const& t, S const& out) {
    fits(t.a, out), fits(t.x, index_t(t.at.at.size()) * t.block, out);
    require(&t.x != &out, "lincomb: a gathered term may not be the result");
  }
  static void check(noise const&, S const&) {}
};

}  // namespace sda_test

template <class T> struct sda::algebra<sda_test::archetype<T>> : sda_test::archetype_algebra<T> {};
