// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/state/host.hpp>
#include <sda/state/state.hpp>

#include <Eigen/Core>
#include <algorithm>
#include <vector>

namespace sda {

/// The CPU state and the library's reference: every other algebra is tested against this one.
template <std::floating_point T> using host_array = Eigen::Array<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <std::floating_point T> struct algebra<host_array<T>> {
  using S = host_array<T>;
  using value_type = T;
  using scalars = host_array<double>;
  using indices = std::vector<std::int64_t>;

  static index_t rows(S const& x) { return x.rows(); }
  static index_t columns(S const& x) { return x.cols(); }
  static constexpr bool on_host(S const&) { return true; }
  static S zeros(S const&, index_t r, index_t c) { return S::Zero(r, c); }
  static S reshape(S&& x, index_t r, index_t c) {
    require(r * c == x.size(), "reshape: ", x.rows(), " x ", x.cols(), " elements do not fill ", r, " x ", c);
    x.resize(r, c);
    return std::move(x);
  }

  template <class... Terms> static void lincomb(S& out, Terms const&... t) { host::lincomb(at(out), lowered(t)...); }
  template <class F, class... X> static void transform(S& out, F const& f, X const&... x) { host::transform(at(out), f, at(x)...); }

  static scalars dot(S const& x, S const& y) {
    auto const sums = host::dot(at(x), at(y));
    return scalars::ConstMapType(sums.data(), index_t(sums.size()), 1);
  }
  /// All inner products of rows in one pass: the fused member that sda/filter/ensemble.hpp asks for.
  static std::vector<double> gram(S const& x, S const& y) { return host::gram(at(x), at(y)); }
  static void multiply(S& out, S const& x, S const& m) {
    S product(out.rows(), out.cols());
    host::multiply(at(product), at(x), at(m));
    out = std::move(product);
  }

  static indices indices_like(S const&, std::span<std::int64_t const> i) { return {i.begin(), i.end()}; }
  static void scatter_add(S& out, S const& x, indices const& i, index_t block) {
    host::scatter_add(at(out), at(x), i.data(), index_t(i.size()), block);
  }
  static void copy_block(S& out, index_t r, index_t c, S const& x, index_t xr, index_t xc, index_t nr, index_t nc) {
    host::copy_block(at(out), r, c, at(x), xr, xc, nr, nc);
  }
  static void load(S& out, std::span<T const> in) {
    require(index_t(in.size()) == out.size(), "load: ", in.size(), " numbers into ", out.rows(), " x ", out.cols());
    std::copy(in.begin(), in.end(), out.data());
  }
  template <std::floating_point U> static void store(host_array<U> const& x, std::span<U> to) {
    require(index_t(to.size()) == x.size(), "store: ", x.rows(), " x ", x.cols(), " into ", to.size(), " numbers");
    std::copy(x.data(), x.data() + x.size(), to.begin());
  }

  /// The tendency of Lorenz-96 in one pass: the fused member that sda/model/lorenz96.hpp asks for.
  static void lorenz96(S& out, S const& x, double forcing) {
    index_t const n = x.cols();
    T const f = T(forcing);
    parallel_for(x.rows(), x.size(), [&](index_t r) {
      T const* const y = x.data() + r * n;
      T* const to = out.data() + r * n;
      to[0] = (y[1] - y[n - 2]) * y[n - 1] - y[0] + f;
      to[1] = (y[2] - y[n - 1]) * y[0] - y[1] + f;
      SDA_ELEMENTWISE
      for (index_t i = 2; i < n - 1; ++i) to[i] = (y[i + 1] - y[i - 2]) * y[i - 1] - y[i] + f;
      to[n - 1] = (y[0] - y[n - 3]) * y[n - 2] - y[n - 1] + f;
    });
  }

 private:
  static host::matrix<T> at(S& x) { return {x.data(), x.rows(), x.cols()}; }
  static host::matrix<T const> at(S const& x) { return {x.data(), x.rows(), x.cols()}; }

  static host::coefficient lowered(double a) { return {a}; }
  static host::coefficient lowered(each<scalars> const& a) {
    require(a.of.cols() == 1, "lincomb: coefficients of ", a.of.rows(), " x ", a.of.cols(), "; one a row is possible");
    return {a.sign, a.of.data(), a.of.rows()};
  }
  template <class C> static auto lowered(term<C, S> const& t) { return host::direct<T>{lowered(t.a), at(t.x)}; }
  template <class C> static auto lowered(weighted<C, S> const& t) { return host::weighted<T>{lowered(t.a), at(t.w), at(t.x)}; }
  template <class C> static auto lowered(gathered<C, S> const& t) {
    return host::gathered<T>{lowered(t.a), at(t.x), t.at.data(), index_t(t.at.size()), t.block};
  }
  static noise lowered(noise const& t) { return t; }
};

}  // namespace sda
