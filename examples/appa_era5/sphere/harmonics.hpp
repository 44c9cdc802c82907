// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/core/config.hpp>

#include <Eigen/Core>

#include <vector>

namespace appa {

using sda::index_t;

/// Rows of a quadrature over the sphere, from north to south: sines of latitude and weights, which sum to 2.
struct quadrature {
  std::vector<double> sines, weights;
};
/// Exact for polynomials of degree 2n - 1 in the sine of latitude.
quadrature gauss_legendre(index_t n);
/// Evenly spaced rows, exact to degree n - 1: Clenshaw-Curtis with rows at the poles, Fejér's first rule without.
quadrature even_rows(index_t n, bool poles);

/// Orthonormal spherical harmonics Y_lm with the Condon-Shortley phase, 0 <= m <= l <= truncation, on rows of evenly spaced points from
/// longitude 0. Legendre functions and Fourier sums are matrix products over many fields at once.
///
/// A spectrum is a matrix of coefficients x (2 fields): real and imaginary parts, m by m, l ascending. Fields are points x fields.
class harmonics {
 public:
  harmonics(int truncation, quadrature rows, index_t width);

  int truncation() const { return truncation_; }
  index_t size() const { return index_t(truncation_ + 1) * (truncation_ + 2) / 2; }
  index_t points() const { return index_t(rows_.sines.size()) * width_; }
  std::vector<double> const& sines() const { return rows_.sines; }
  std::vector<double> const& weights() const { return rows_.weights; }   // of rows, by quadrature
  index_t index(int l, int m) const { return index_t(m) * (2 * truncation_ + 3 - m) / 2 + (l - m); }

  Eigen::MatrixXd synthesise(Eigen::MatrixXd const& spectra) const;
  Eigen::MatrixXd analyse(Eigen::MatrixXd const& fields) const;

  // Derivatives on the unit sphere, spectrum to spectrum.
  Eigen::MatrixXd laplacian(Eigen::MatrixXd const& a) const;
  Eigen::MatrixXd inverse_laplacian(Eigen::MatrixXd const& a) const;   // of zero mean
  Eigen::MatrixXd d_longitude(Eigen::MatrixXd const& a) const;
  Eigen::MatrixXd cos_d_latitude(Eigen::MatrixXd const& a) const;      // cos(latitude) d/d(latitude)
  Eigen::MatrixXd times_sine(Eigen::MatrixXd const& a) const;          // of latitude
  /// The divergence of a flux (a, b) / cos(latitude), eastward and northward, given the spectra of a / cos² and b / cos².
  /// Its highest degree, which would need one more, is left 0.
  Eigen::MatrixXd divergence(Eigen::MatrixXd const& a, Eigen::MatrixXd const& b) const;

  /// l of every coefficient.
  std::vector<int> const& degrees() const { return degree_; }

 private:
  int truncation_;
  quadrature rows_;
  index_t width_;
  std::vector<Eigen::MatrixXd> legendre_;   // by m, rows x degrees; empty when they are made anew for every use
  Eigen::MatrixXd waves_, projections_;     // 2 (truncation + 1) x width, and width x 2 (truncation + 1)
  std::vector<int> degree_, order_;
  std::vector<double> epsilon_;             // √((l² - m²) / (4 l² - 1)), as in μ Y_l = ε_{l+1} Y_{l+1} + ε_l Y_{l-1}

  Eigen::MatrixXd legendre_of(int m) const;
  // out_l = below(l) ε_l a_{l-1} + above(l) ε_{l+1} a_{l+1}
  template <class Below, class Above> Eigen::MatrixXd ladder(Eigen::MatrixXd const& a, Below below, Above above) const;
};

/// Σ_m |a_lm|² over all orders, -l <= m <= l, by degree: degrees x fields.
Eigen::MatrixXd power_by_degree(harmonics const& h, Eigen::MatrixXd const& spectra);

}  // namespace appa
