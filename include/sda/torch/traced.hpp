// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/linearize.hpp>
#include <sda/torch/algebra.hpp>

namespace sda {

/// A torch function at one point, differentiated by autograd. It is evaluated once, its graph kept, so every product with
/// the transposed Jacobian costs one backward pass; a product with the Jacobian costs two, the transpose of the transpose
/// (operations must be differentiable twice). x may be changed afterwards: the graph holds a copy.
class traced {
 public:
  template <class F> traced(F const& f, at::Tensor const& x) {
    c10::InferenceMode const recordable(false);
    torch::AutoGradMode const on(true);
    x_ = x.detach().clone().requires_grad_();
    y_ = f(x_);
    require(y_.dim() >= 1 && y_.size(0) == x.size(0), "traced: ", x.size(0), " rows became a tensor of ", c10::str(y_.sizes()));
    value_ = y_.detach().clone();
  }

  at::Tensor const& value() const { return value_; }
  at::Tensor vjp(at::Tensor const& u) const { return pulled(like(u, y_), false); }
  at::Tensor jvp(at::Tensor const& v) const {
    c10::InferenceMode const recordable(false);
    torch::AutoGradMode const on(true);
    auto const u = at::zeros_like(y_).requires_grad_();
    auto const g = pulled(u, true);
    if (!g.requires_grad()) return at::zeros_like(value_);
    auto const out = torch::autograd::grad({g}, {u}, {like(v, x_)}, true, false, /*allow_unused=*/true)[0];
    return out.defined() ? out : at::zeros_like(value_);
  }

 private:
  static at::Tensor like(at::Tensor const& u, at::Tensor const& y) {
    require(u.numel() == y.numel(), "traced: a direction of ", c10::str(u.sizes()), " where ", c10::str(y.sizes()), " belongs");
    return u.detach().to(y.options().requires_grad(false)).reshape(y.sizes());
  }
  // y may not depend on x at all: then there is nothing to pull back.
  at::Tensor pulled(at::Tensor const& u, bool again) const {
    if (!y_.requires_grad()) return at::zeros_like(x_.detach());
    auto const out = torch::autograd::grad({y_}, {x_}, {u}, /*retain_graph=*/true, /*create_graph=*/again, /*allow_unused=*/true)[0];
    return out.defined() ? out : at::zeros_like(x_.detach());
  }

  at::Tensor x_, y_, value_;
};

/// States of this CPU's memory that are no tensors: a torch function reads them where they lie.
template <class S> concept host_memory = State<S> && !std::same_as<S, at::Tensor> && requires(S& x, S const& y) {
  { x.data() } -> std::same_as<value_t<S>*>;
  { y.data() } -> std::same_as<value_t<S> const*>;
};

/// A torch function f(x, args...) as sda sees functions: a network, a decoder, an operator, or a whole Denoiser when its one
/// argument is a level. x comes to f on the function's device and in its type, [rows, ...] as the state has it; results go
/// back to where and what the state is. It serves tensors and other states of the CPU's memory, float or double, alike:
/// torch_function{[net](at::Tensor const& x, double c) { return net->forward(x, c); }}. f must be callable while const.
template <class F> struct torch_function {
  F f;
  at::Device device = at::kCPU;
  at::ScalarType type = at::kFloat;

  template <class... A>
    requires std::is_invocable_r_v<at::Tensor, F const&, at::Tensor const&, A const&...>
  at::Tensor operator()(at::Tensor const& x, A const&... a) const {
    torch::NoGradGuard const off;
    return there_and_back(x, a...);
  }
  template <host_memory S, class... A>
    requires std::is_invocable_r_v<at::Tensor, F const&, at::Tensor const&, A const&...>
  S operator()(S const& x, A const&... a) const {
    return copied((*this)(borrowed(x), a...), x);
  }

  template <class... A>
    requires std::is_invocable_r_v<at::Tensor, F const&, at::Tensor const&, A const&...>
  traced linearize(at::Tensor const& x, A const&... a) const {
    return {[&](at::Tensor const& z) { return there_and_back(z, a...); }, x};
  }
  template <host_memory S, class... A>
    requires std::is_invocable_r_v<at::Tensor, F const&, at::Tensor const&, A const&...>
  auto linearize(S const& x, A const&... a) const {
    return on_host<S>(linearize(borrowed(x), a...), x);
  }

 private:
  template <class S> class on_host {
   public:
    on_host(traced t, S const& x) : traced_(std::move(t)), value_(copied(traced_.value(), x)) {}
    S const& value() const { return value_; }
    S vjp(S const& u) const { return copied(traced_.vjp(borrowed(u)), value_); }
    S jvp(S const& v) const { return copied(traced_.jvp(borrowed(v)), value_); }

   private:
    traced traced_;
    S value_;
  };

  template <class... A> at::Tensor there_and_back(at::Tensor const& x, A const&... a) const {
    return f(x.to(device, type), a...).to(x.device(), x.scalar_type());
  }
  template <class S> static at::Tensor borrowed(S const& x) {
    return at::from_blob(const_cast<value_t<S>*>(x.data()), {rows(x), columns(x)}, c10::CppTypeToScalarType<value_t<S>>::value);
  }
  template <class S> static S copied(at::Tensor const& t, S const& like) {
    S out = zeros(like, rows(t), columns(t));
    borrowed(out).copy_(t.detach().reshape({rows(t), columns(t)}));
    return out;
  }
};
template <class F> torch_function(F) -> torch_function<F>;
template <class F> torch_function(F, at::Device) -> torch_function<F>;
template <class F> torch_function(F, at::Device, at::ScalarType) -> torch_function<F>;

}  // namespace sda
