// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <sda/calculus/level.hpp>
#include <sda/eigen.hpp>

namespace sda_test {

using sda::host_array;
using sda::index_t;

/// Writes the standard normal numbers of the n-th draw of a run: zeros come in, rows x columns.
using noise_source = std::function<void(host_array<double>& xi, index_t n)>;

/// A host_array<double> whose noise is scripted: draws come from a source instead of the key. States made from one another
/// share the source and its count. For comparing runs with stored noise, and for pushing chosen noise through a sampler.
struct scripted {
  struct script {
    noise_source source;
    index_t drawn = 0;
    bool on_host = true;  // false: a state as sda sees one that lives on a device
  };
  host_array<double> x;
  std::shared_ptr<script> noise;

  scripted(host_array<double> values, noise_source source)
      : x(std::move(values)), noise(std::make_shared<script>(script{.source = std::move(source)})) {}
  scripted(host_array<double> values, std::shared_ptr<script> same) : x(std::move(values)), noise(std::move(same)) {}
};

/// A denoiser of host_array<double> for scripted states.
template <class D> struct through {
  D const& d;
  scripted operator()(scripted const& s, sda::level l) const { return {d(s.x, l), s.noise}; }
};
template <class D> through(D const&) -> through<D>;

}  // namespace sda_test

/// Everything is host_array's, but noise.
template <> struct sda::algebra<sda_test::scripted> {
  using S = sda_test::scripted;
  using host = host_array<double>;
  using plain = algebra<host>;
  using value_type = double;
  using scalars = host;
  using indices = plain::indices;

  static index_t rows(S const& s) { return s.x.rows(); }
  static index_t columns(S const& s) { return s.x.cols(); }
  static bool on_host(S const& s) { return s.noise->on_host; }
  static S zeros(S const& like, index_t r, index_t c) { return {host::Zero(r, c), like.noise}; }
  static S reshape(S&& s, index_t r, index_t c) { return {plain::reshape(std::move(s.x), r, c), s.noise}; }
  template <class... Terms> static void lincomb(S& out, Terms const&... t) { plain::lincomb(out.x, plainly(t, out).term...); }
  template <class F, class... X> static void transform(S& out, F const& f, X const&... x) { plain::transform(out.x, f, x.x...); }
  static scalars dot(S const& a, S const& b) { return plain::dot(a.x, b.x); }
  static void multiply(S& out, S const& x, S const& m) { plain::multiply(out.x, x.x, m.x); }
  static indices indices_like(S const& s, std::span<std::int64_t const> i) { return plain::indices_like(s.x, i); }
  static void scatter_add(S& out, S const& x, indices const& at, index_t block) { plain::scatter_add(out.x, x.x, at, block); }
  static void copy_block(S& out, index_t r, index_t c, S const& x, index_t xr, index_t xc, index_t nr, index_t nc) {
    plain::copy_block(out.x, r, c, x.x, xr, xc, nr, nc);
  }
  static void load(S& out, std::span<double const> in) { plain::load(out.x, in); }
  static void store(S const& s, std::span<double> to) { plain::store(s.x, to); }
  static void store(scalars const& s, std::span<double> to) { plain::store(s, to); }

 private:
  template <class T> struct as_is {
    T term;
  };
  struct drawn {
    std::unique_ptr<host> xi;
    sda::term<double, host> term;
  };
  template <class C> static auto plainly(sda::term<C, S> const& t, S const&) { return as_is<sda::term<C, host>>{{t.a, t.x.x}}; }
  template <class C> static auto plainly(weighted<C, S> const& t, S const&) { return as_is<weighted<C, host>>{{t.a, t.w.x, t.x.x}}; }
  template <class C> static auto plainly(gathered<C, S> const& t, S const&) { return as_is<gathered<C, host>>{{t.a, t.x.x, t.at, t.block}}; }
  static drawn plainly(sda::noise const& t, S const& out) {
    auto xi = std::make_unique<host>(host::Zero(out.x.rows(), out.x.cols()));
    out.noise->source(*xi, out.noise->drawn++);
    host const& values = *xi;
    return {std::move(xi), {t.a, values}};
  }
};
static_assert(sda::check_state<sda_test::scripted>());
