// SPDX-License-Identifier: Apache-2.0
#include <sda/eigen.hpp>
#include <sda/sda.hpp>

double squared_norm(sda::host_array<double> const& x);

int main() {
  sda::host_array<double> x(1, 3);
  x << 1, 2, 3;
  sda::lincomb(x, sda::term{2.0, x});
  return squared_norm(x) == 56 ? 0 : 1;
}
