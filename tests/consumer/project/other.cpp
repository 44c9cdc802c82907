// SPDX-License-Identifier: Apache-2.0
#include <sda/eigen.hpp>
#include <sda/sda.hpp>

double squared_norm(sda::host_array<double> const& x) { return sda::dot(x, x)(0, 0); }
