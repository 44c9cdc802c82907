// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/config.hpp>

#include <type_traits>

namespace sda {

/// Vectors that a host loop can be compiled for, whatever the compiler was told: none but the compiler's own, 32 bytes, 64 bytes.
enum class vectors { plain, avx2, avx512 };

/// The widest of this processor, asked once.
inline vectors widest_vectors() {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__CUDACC__)
  static vectors const widest = [] {
    bool const fused = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool const wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl");
    return fused && wide ? vectors::avx512 : fused ? vectors::avx2 : vectors::plain;
  }();
  return widest;
#else
  return vectors::plain;
#endif
}

namespace detail {

template <vectors V> using vectors_constant = std::integral_constant<vectors, V>;

// Whatever the body calls is inlined, and so compiled for these processors too. g++ would fuse products with sums there, which
// changes bits with the processor: what is to be fused says so (fma_exact).
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__CUDACC__)
#if defined(__clang__)
#define SDA_WIDE "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,popcnt"
#define SDA_UNFUSED
#else
#define SDA_WIDE "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,popcnt,prefer-vector-width=512"
#define SDA_UNFUSED , gnu::optimize("fp-contract=off")
#endif
template <class Body> [[gnu::target(SDA_WIDE), gnu::flatten SDA_UNFUSED]] inline void run_avx512(Body const& body) {
  body(vectors_constant<vectors::avx512>{});
}
template <class Body> [[gnu::target("avx2,fma"), gnu::flatten SDA_UNFUSED]] inline void run_avx2(Body const& body) {
  body(vectors_constant<vectors::avx2>{});
}
template <class Body> [[gnu::flatten SDA_UNFUSED]] inline void run_plain(Body const& body) { body(vectors_constant<vectors::plain>{}); }
#undef SDA_WIDE
#undef SDA_UNFUSED
#else
template <class Body> void run_plain(Body const& body) { body(vectors_constant<vectors::plain>{}); }
#endif

}  // namespace detail

/// Calls body(constant of V), its loops compiled for vectors V, which the processor must have. The body is a lambda with
/// __attribute__((always_inline)); what it says of vectors itself is compiled for no other processor then, without optimisation too.
template <class Body> void with_vectors([[maybe_unused]] vectors v, Body const& body) {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__CUDACC__)
  if (v == vectors::avx512) return detail::run_avx512(body);
  if (v == vectors::avx2) return detail::run_avx2(body);
#endif
  detail::run_plain(body);
}

}  // namespace sda
