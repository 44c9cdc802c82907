// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/grid.hpp"

#include <Eigen/Core>

#include <memory>

namespace appa {

/// The highest degree at which the power of fields on a grid's rows is exact, as long as the fields have no higher one: so that the
/// quadrature is exact for products.
int exact_degree(grid const& g);

/// Power of fields on a global grid by degree l of spherical harmonics, Σ_m |a_lm|² over -l <= m <= l: of orthonormal harmonics, so all
/// power is the integral of the square. By libsharp where it was found, else by `harmonics`.
class degree_power {
 public:
  /// sda::error if the grid is not global, or its rows are neither with poles nor centred in bands, or it resolves no degree `top`.
  degree_power(grid const& g, int top);
  degree_power(degree_power&&) noexcept;
  ~degree_power();

  int top() const { return top_; }
  /// Fields, points x n, to degrees 0 ... top x n.
  Eigen::MatrixXd operator()(Eigen::MatrixXd const& fields) const;

 private:
  struct plan;
  int top_;
  std::unique_ptr<plan> plan_;
};

}  // namespace appa
