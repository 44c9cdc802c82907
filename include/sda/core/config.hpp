// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

/// Marks a function that host and device share. Empty for compilers that know no device.
#if defined(__CUDACC__)
#define SDA_HD __host__ __device__
#else
#define SDA_HD
#endif

/// Promises that iterations of the next loop touch one element each, so `out` may equal an input and still vectorise.
#if defined(__CUDACC__)
#define SDA_ELEMENTWISE
#elif defined(__clang__)
#define SDA_ELEMENTWISE _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define SDA_ELEMENTWISE _Pragma("GCC ivdep")
#else
#define SDA_ELEMENTWISE
#endif

namespace sda {

/// Counts and positions: rows, columns, steps, windows.
using index_t = std::ptrdiff_t;

}  // namespace sda
