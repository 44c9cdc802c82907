// SPDX-License-Identifier: Apache-2.0
#include <archetype.hpp>

template <class T> struct make_archetype {
  static sda_test::archetype<T> make(sda::index_t r, sda::index_t c) { return {r, c}; }
};

#define SDA_TEST_MAKERS make_archetype<float>, make_archetype<double>
#include "algebra.hpp"
