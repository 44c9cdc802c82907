// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/prior/denoiser.hpp>

#include <functional>
#include <memory>

namespace examples {

/// A function of states whose type is forgotten: its value, and its linearisation with the products that it has. Types are
/// what a program writes that knows its prior and its instrument (readme.cpp); here both are chosen at run time, for one
/// indirect call an evaluation.
template <sda::State S, class... A> class erased {
 public:
  struct at_point {
    S here;
    std::function<S(S const&)> forward, backward;
    S const& value() const { return here; }
    S jvp(S const& v) const { return forward(v); }
    S vjp(S const& u) const { return backward(u); }
  };
  template <class F>
    requires(!std::same_as<F, erased>)
  explicit erased(F f) : erased(std::make_shared<F const>(std::move(f))) {}

  S operator()(S const& x, A const&... a) const { return value_(x, a...); }
  at_point linearize(S const& x, A const&... a) const { return linearize_(x, a...); }

 private:
  template <class F>
  explicit erased(std::shared_ptr<F const> f)
      : value_([f](S const& x, A const&... a) { return (*f)(x, a...); }), linearize_([f](S const& x, A const&... a) {
          auto const local = std::make_shared<decltype(sda::linearize(*f, x, a...))>(sda::linearize(*f, x, a...));
          at_point at{local->value(), {}, [local](S const& u) -> S { return local->vjp(u); }};
          if constexpr (requires { local->jvp(x); }) at.forward = [local](S const& v) -> S { return local->jvp(v); };
          return at;
        }) {}
  std::function<S(S const&, A const&...)> value_;
  std::function<at_point(S const&, A const&...)> linearize_;
};

}  // namespace examples
