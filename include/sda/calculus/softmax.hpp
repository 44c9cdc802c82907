// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/state/state.hpp>

#include <cmath>
#include <vector>

namespace sda {

namespace detail {
struct softmax_shift {  // max(a, b), with comparisons used as numbers so that tensors serve too
  template <class T> SDA_HD T operator()(T const& a, T const& b) const { return (a > b) * a + (a <= b) * b; }
};
struct softmax_exp {
  template <class T> SDA_HD T operator()(T const& x, T const& shift) const {
    using std::exp;
    return exp(x - shift);
  }
};
struct softmax_share {
  template <class T> SDA_HD T operator()(T const& x, T const& sum) const { return x / sum; }
};
struct softmax_log {
  template <class T> SDA_HD T operator()(T const& sum, T const& shift) const {
    using std::log;
    return log(sum) + shift;
  }
};
}  // namespace detail

/// Turns log weights (of any finite size) into weights that sum to one, element by element over the vector, which is not
/// empty; returns the logarithm of the sum of the weights as they came.
template <State C> C softmax(std::vector<C>& logs) {
  C shift = clone(logs.front()), sum = zeros_like(shift);
  for (C const& l : logs) transform(shift, detail::softmax_shift{}, shift, l);
  for (C& l : logs) {
    transform(l, detail::softmax_exp{}, l, shift);
    lincomb(sum, term{1.0, sum}, term{1.0, l});
  }
  for (C& l : logs) transform(l, detail::softmax_share{}, l, sum);
  transform(sum, detail::softmax_log{}, sum, shift);
  return sum;
}

}  // namespace sda
