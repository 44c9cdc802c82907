// SPDX-License-Identifier: Apache-2.0
#include <sda_test.hpp>

template <class T> struct make_host {
  static sda::host_array<T> make(sda::index_t r, sda::index_t c) { return sda::host_array<T>::Zero(r, c); }
#if defined(_OPENMP)
  static void threads(int n) { omp_set_num_threads(n); }
#endif
};

#define SDA_TEST_MAKERS make_host<float>, make_host<double>
#include "algebra.hpp"
