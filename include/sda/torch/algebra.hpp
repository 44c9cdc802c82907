// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/state/host.hpp>
#include <sda/state/state.hpp>

#include <torch/torch.h>

#include <tuple>

namespace sda {

/// Tensors as states: any floating type, any device, any shape [rows, ...]. On the CPU float and double run the very loops of
/// host_array, to the bit; half and bfloat16 are computed in float and rounded once. Elsewhere tensor operations do the work,
/// with the same noise, made on the host. Nothing is recorded by autograd. Numbers go in and out as float.
template <> struct algebra<at::Tensor> {
  using S = at::Tensor;
  using value_type = float;
  using scalars = at::Tensor;  // [rows, 1], double
  using indices = at::Tensor;  // [n], int64

  static index_t rows(S const& x) {
    require(x.defined() && x.dim() >= 1, "a tensor of ", x.defined() ? x.dim() : 0, " dimensions is no state; its first is the rows");
    return x.size(0);
  }
  static index_t columns(S const& x) {
    (void)rows(x);
    return c10::multiply_integers(x.sizes().slice(1));
  }
  static bool on_host(S const& x) { return x.device().is_cpu(); }

  /// Rows keep the shape that those of `like` have, if they are as long.
  static S zeros(S const& like, index_t r, index_t c) {
    auto shape = like.sizes().vec();
    shape[0] = r;
    if (c == columns(like)) return at::zeros(shape, plain(like));
    return at::zeros({r, c}, plain(like));
  }
  static S reshape(S&& x, index_t r, index_t c) {
    require(r * c == x.numel(), "reshape: ", rows(x), " x ", columns(x), " elements do not fill ", r, " x ", c);
    return x.reshape({r, c});
  }

  template <class... Terms> static void lincomb(S& out, Terms const&... t) {
    torch::NoGradGuard const off;
    (check(t), ...);
    if (on_host(out)) on_cpu(out, [&]<class T>(host::matrix<T> to, storage& kept) { host::lincomb(to, lowered<T>(t, kept)...); });
    else write(out, [&](S const& to) { return (value(t, to) + ...); });
  }

  template <class F, class... X> static void transform(S& out, F const& f, X const&... x) {
    torch::NoGradGuard const off;
    constexpr bool takes_tensors = std::is_invocable_r_v<S, F const&, decltype(static_cast<S const&>(x))...>;
    if (on_host(out)) on_cpu(out, [&]<class T>(host::matrix<T> to, storage& kept) { host::transform(to, f, read<T>(x, kept)...); });
    else if constexpr (takes_tensors) write(out, [&](S const& to) { return f(wide(x, columns(x), to)...); });
    else {  // a function with branches: once through the host
      S there = out.to(at::kCPU);
      transform(there, f, S(x.to(at::kCPU))...);
      out.copy_(there);
    }
  }

  static scalars dot(S const& x, S const& y) {
    torch::NoGradGuard const off;
    if (!on_host(x)) {
      require(columns(x) == columns(y) && (rows(x) == rows(y) || rows(x) == 1 || rows(y) == 1), "dot: ", rows(x), " x ", columns(x), " against ",
              rows(y), " x ", columns(y));
      return (flat(x).to(at::kDouble) * flat(y).to(at::kDouble)).sum(1, true);
    }
    std::vector<double> sums;
    storage kept;
    with_type(x, [&]<class T>(T) { sums = host::dot(read<T>(x, kept), read<T>(y, kept)); });
    return at::tensor(sums, at::kDouble).view({-1, 1});
  }

  static void multiply(S& out, S const& x, S const& m) {
    torch::NoGradGuard const off;
    S const a = on_host(out) && x.is_same(out) ? x.clone() : x;
    if (on_host(out)) on_cpu(out, [&]<class T>(host::matrix<T> to, storage& kept) { host::multiply(to, read<T>(a, kept), read<T>(m, kept)); });
    else {
      require(columns(x) == rows(m) && rows(out) == rows(x) && columns(out) == columns(m), "multiply: ", rows(x), " x ", columns(x), " times ",
              rows(m), " x ", columns(m), " into ", rows(out), " x ", columns(out));
      write(out, [&](S const&) { return at::mm(flat(x), flat(m)); });
    }
  }

  static indices indices_like(S const& like, std::span<std::int64_t const> i) {
    auto const there = at::from_blob(const_cast<std::int64_t*>(i.data()), {index_t(i.size())}, at::kLong);
    return there.to(like.device(), at::kLong, false, /*copy=*/true);
  }
  static void scatter_add(S& out, S const& x, indices const& i, index_t block) {
    torch::NoGradGuard const off;
    if (on_host(out))
      return on_cpu(out, [&]<class T>(host::matrix<T> to, storage& kept) {
        host::scatter_add(to, read<T>(x, kept), i.data_ptr<std::int64_t>(), i.numel(), block);
      });
    require(i.numel() * block == columns(x) && rows(x) == rows(out) && columns(out) % block == 0, "scatter_add: ", i.numel(),
            " indices of blocks of ", block, " for ", rows(x), " x ", columns(x), " into ", rows(out), " x ", columns(out));
    write(out, [&](S const& to) {
      S const sum = flat(to).clone().view({rows(to), -1, block});
      put(&S::index_put_, sum, i, flat(x).to(sum.scalar_type()).view({rows(x), -1, block}));
      return sum;
    });
  }
  static void copy_block(S& out, index_t r, index_t c, S const& x, index_t xr, index_t xc, index_t nr, index_t nc) {
    torch::NoGradGuard const off;
    require(nr >= 0 && nc >= 0 && r >= 0 && c >= 0 && xr >= 0 && xc >= 0 && r + nr <= rows(out) && c + nc <= columns(out) && xr + nr <= rows(x) &&
                xc + nc <= columns(x),
            "copy_block: ", nr, " x ", nc, " from (", xr, ", ", xc, ") of ", rows(x), " x ", columns(x), " to (", r, ", ", c, ") of ", rows(out),
            " x ", columns(out));
    bool const direct = out.is_contiguous();
    S const to = direct ? out.view({rows(out), columns(out)}) : flat(out).clone();
    to.narrow(0, r, nr).narrow(1, c, nc).copy_(flat(x).narrow(0, xr, nr).narrow(1, xc, nc));
    if (!direct) out.copy_(to.view(out.sizes()));
  }
  template <class T> static void load(S& out, std::span<T const> in) {
    torch::NoGradGuard const off;
    require(index_t(in.size()) == out.numel(), "load: ", in.size(), " numbers into ", rows(out), " x ", columns(out));
    out.copy_(at::from_blob(const_cast<T*>(in.data()), out.sizes(), c10::CppTypeToScalarType<T>::value));
  }
  template <class T> static void store(S const& x, std::span<T> to) {
    torch::NoGradGuard const off;
    require(index_t(to.size()) == x.numel(), "store: ", rows(x), " x ", columns(x), " into ", to.size(), " numbers");
    at::from_blob(to.data(), x.sizes(), c10::CppTypeToScalarType<T>::value).copy_(x);
  }

 private:
  using storage = std::vector<S>;  // copies that had to be made, alive as long as something reads them

  static at::TensorOptions plain(S const& like) { return at::TensorOptions().dtype(like.scalar_type()).device(like.device()); }
  static S flat(S const& x) { return x.reshape({rows(x), columns(x)}); }

  // f(T{}) for the type the CPU computes in.
  template <class F> static void with_type(S const& x, F const& f) {
    if (x.scalar_type() == at::kDouble) f(double{});
    else f(float{});
  }
  template <class T> static host::matrix<T const> read(S const& x, storage& kept) {
    S const& there = kept.emplace_back(x.to(at::kCPU, c10::CppTypeToScalarType<T>::value).contiguous());
    return {there.data_ptr<T>(), rows(x), columns(x)};
  }
  // f(matrix, storage) writes where `out` lies if it can, else into a copy.
  template <class F> static void on_cpu(S& out, F const& f) {
    with_type(out, [&]<class T>(T) {
      storage kept;
      bool const direct = out.scalar_type() == c10::CppTypeToScalarType<T>::value && out.is_contiguous();
      S const to = direct ? out : out.to(c10::CppTypeToScalarType<T>::value).contiguous();
      f(host::matrix<T>{to.template data_ptr<T>(), rows(out), columns(out)}, kept);
      if (!direct) out.copy_(to);
    });
  }

  static host::coefficient lowered(double a, storage&) { return {a}; }
  static host::coefficient lowered(each<scalars> const& a, storage& kept) {
    auto const c = read<double>(a.of, kept);
    return {a.sign, c.data, c.rows};
  }
  template <class T, class C> static auto lowered(term<C, S> const& t, storage& kept) {
    return host::direct<T>{lowered(t.a, kept), read<T>(t.x, kept)};
  }
  template <class T, class C> static auto lowered(weighted<C, S> const& t, storage& kept) {
    return host::weighted<T>{lowered(t.a, kept), read<T>(t.w, kept), read<T>(t.x, kept)};
  }
  template <class T, class C> static auto lowered(gathered<C, S> const& t, storage& kept) {
    return host::gathered<T>{lowered(t.a, kept), read<T>(t.x, kept), t.at.template data_ptr<std::int64_t>(), t.at.numel(), t.block};
  }
  template <class T> static noise lowered(noise const& t, storage&) { return t; }

  template <class Term> static void check(Term const& t) {
    if constexpr (requires { t.a.of; })
      require(columns(t.a.of) == 1, "lincomb: coefficients of ", rows(t.a.of), " x ", columns(t.a.of), "; one a row is possible");
  }

  // Other devices. Results are built in the computing type beside `out`, then rounded into it once.
  static at::ScalarType computing(S const& x) { return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat; }
  template <class F> static void write(S& out, F const& f) { out.copy_(f(out).reshape(out.sizes())); }
  // index_put_ sums in a fixed order (index_add_ would not); what its lists hold depends on LibTorch's version.
  template <class Optional> static void put(S& (S::*f)(c10::List<Optional> const&, S const&, bool) const, S const& to, indices const& i, S const& x) {
    c10::List<Optional> where;
    where.push_back(Optional());
    where.push_back(Optional(i));
    (to.*f)(where, x, true);
  }
  static S wide(S const& x, index_t n, S const& to) {
    require(n == columns(to) && (rows(x) == rows(to) || rows(x) == 1), "lincomb: a term of ", rows(x), " x ", n, " for a result of ", rows(to), " x ",
            columns(to));
    return flat(x).to(computing(to)).expand({rows(to), columns(x)});
  }
  static S times(double a, S const& x) { return x * a; }
  static S times(each<scalars> const& a, S const& x) {
    require(rows(a.of) == rows(x) || rows(a.of) == 1, "lincomb: ", rows(a.of), " coefficients for ", rows(x), " rows");
    return x * (a.of * a.sign).to(x.scalar_type());
  }
  template <class C> static S value(term<C, S> const& t, S const& to) { return times(t.a, wide(t.x, columns(t.x), to)); }
  template <class C> static S value(weighted<C, S> const& t, S const& to) {
    return times(t.a, wide(t.w, columns(t.w), to)) * wide(t.x, columns(t.x), to);
  }
  template <class C> static S value(gathered<C, S> const& t, S const& to) {
    require(!t.x.is_same(to), "lincomb: a gathered term may not be the result");
    auto const picked = wide(t.x, t.at.numel() * t.block, to).reshape({rows(to), -1, t.block}).index_select(1, t.at);
    return times(t.a, picked.reshape({rows(to), -1}));
  }
  static S value(noise const& t, S const& to) {
    S drawn = at::empty({rows(to), columns(to)}, computing(to));
    lincomb(drawn, t);
    return drawn.to(to.device());
  }
};
static_assert(check_state<at::Tensor>());

}  // namespace sda
