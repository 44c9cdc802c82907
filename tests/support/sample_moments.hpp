// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/eigen.hpp>

#include <Eigen/Dense>

namespace sda_test {

/// The sample covariance of an ensemble [members, n], of divisor members - 1.
inline Eigen::MatrixXd covariance(sda::host_array<double> const& e) {
  Eigen::MatrixXd const a = (e.rowwise() - e.colwise().mean()).matrix();
  return a.transpose() * a / double(e.rows() - 1);
}

/// A taper that leaves all covariances as they are.
struct untapered {
  double operator()(sda::index_t, sda::index_t) const { return 1; }
};

}  // namespace sda_test
