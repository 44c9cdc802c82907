// SPDX-License-Identifier: Apache-2.0
#include "device_test.hpp"

template <class T> struct make_device {
  static sda::device_array<T> make(sda::index_t r, sda::index_t c) {
    sda::device_array<T> const like(0, 0, sda_test::device_stream());
    return sda::zeros(like, r, c);
  }
};

#define SDA_TEST_MAKERS make_device<float>, make_device<double>
#include "../conformance/algebra.hpp"
