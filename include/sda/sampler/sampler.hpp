// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/prior/denoiser.hpp>

#include <utility>

namespace sda {

/// One step of the reverse process: from a noisier level to a cleaner one.
struct transition {
  level from, to;
};

/// What a sampler remembers during a run, made once by memory(x).
template <class A, class S> using memory_t = decltype(std::declval<A const&>().memory(std::declval<S const&>()));

/// A sampler is a value; step() moves x one transition on.
template <class A, class D, class S> concept Sampler =
    Denoiser<D, S> && requires(A const& a, D const& d, S& x, memory_t<A, S>& m, transition t, key k) { a.step(d, x, m, t, k); };

/// Put `static_assert(sda::check_sampler<A, D, S>())` beside a new sampler: one plain sentence per fault.
template <class A, class D, class S> consteval bool check_sampler() {
  static_assert(check_denoiser<D, S>());
  constexpr bool remembers = requires { typename memory_t<A, S>; };
  static_assert(remembers, "sda: a Sampler needs memory(x), what it remembers during a run (sda::none if nothing), callable while const");
  static_assert(!remembers || Sampler<A, D, S>,
                "sda: a Sampler needs step(denoiser, x, memory, transition, key), which moves x on and is callable while const");
  return true;
}

/// The memory of a sampler that has none.
struct none {};

}  // namespace sda
