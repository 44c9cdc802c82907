// SPDX-License-Identifier: Apache-2.0
#pragma once
#undef CHECK   // LibTorch's logging has one too
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
namespace Catch {
inline auto Contains(std::string const& part) { return Matchers::ContainsSubstring(part); }  // its name in 2.13
}  // namespace Catch
#else
#include <catch2/catch.hpp>
#endif
#include <cstdio>
#include <sda/eigen.hpp>

namespace sda_test {

/// The largest |a - b| over the largest |b|: how the stored reference values are compared.
template <class A, class B> double distance(A const& a, B const& b) {
  double const scale = b.template cast<double>().abs().maxCoeff();
  return (a.template cast<double>() - b.template cast<double>()).abs().maxCoeff() / (scale > 0 ? scale : 1);
}

/// rows x columns standard normal numbers, the same everywhere.
template <class T = double> sda::host_array<T> normals(sda::index_t r, sda::index_t c, sda::key k) {
  sda::host_array<T> x(r, c);
  sda::lincomb(x, sda::noise{1.0, k});
  return x;
}

}  // namespace sda_test

/// Ends a case that cannot run here (a missing file, no device): CTest counts it as skipped.
#define SDA_SKIP(reason)                                       \
  do {                                                         \
    std::printf("SKIPPED: %s\n", std::string(reason).c_str()); \
    return;                                                    \
  } while (false)
