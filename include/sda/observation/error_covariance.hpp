// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/calculus/small_matrix.hpp>
#include <sda/observation/operator.hpp>
#include <sda/state/matrix.hpp>

#include <cmath>
#include <vector>

// Models of ErrorCovariance: R v, R⁻¹ v and draws of N(0, R), row by row. Variances are > 0 always; perfect observations
// have no R⁻¹. Zero observations are legal everywhere. Those that are diagonal offer add_to(out, v) too: out + R v in one pass.

namespace sda {

namespace detail {
struct error_ratio {
  template <class T> SDA_HD T operator()(T const& x, T const& variance) const { return x / variance; }
};
struct error_draw {
  template <class T> SDA_HD T operator()(T const& z, T const& variance) const {
    using std::sqrt;
    return z * sqrt(variance);
  }
};
struct error_offset {
  double by;
  template <class T> SDA_HD T operator()(T const& x) const { return x + by; }
};
}  // namespace detail

/// R = diag(variance), a state of one row.
template <State Y> class diagonal_error {
 public:
  /// The variances are trusted to be positive; they may come from a device.
  explicit diagonal_error(Y variance) : variance_(std::move(variance)) {
    require(rows(variance_) == 1, "diagonal_error: variances of ", rows(variance_), " rows, not 1");
  }
  /// Variances from the host; one that is not a positive number is an error.
  diagonal_error(Y const& like, std::span<double const> variances) : variance_(zeros(like, 1, index_t(variances.size()))) {
    for (std::size_t i = 0; i < variances.size(); ++i)
      require(variances[i] > 0 && std::isfinite(variances[i]), "diagonal_error: the variance of observation ", i, " is ", variances[i]);
    std::vector<value_t<Y>> const numbers(variances.begin(), variances.end());
    load(variance_, std::span<value_t<Y> const>(numbers));
  }

  Y apply(Y const& v) const {
    Y out = zeros_like(v);
    lincomb(out, weighted{1.0, variance_, v});
    return out;
  }
  void add_to(Y& out, Y const& v) const { lincomb(out, weighted{1.0, variance_, v}, term{1.0, out}); }
  Y solve(Y const& v) const {
    Y out = zeros_like(v);
    transform(out, detail::error_ratio{}, v, variance_);
    return out;
  }
  Y draw(key k, Y const& like) const {
    Y out = zeros_like(like);
    lincomb(out, noise{1.0, k});
    transform(out, detail::error_draw{}, out, variance_);
    return out;
  }
  /// R + diag(added), `added` of one row.
  diagonal_error inflated(Y const& added) const {
    Y sum = zeros_like(variance_);
    lincomb(sum, term{1.0, variance_}, term{1.0, added});
    return diagonal_error(std::move(sum));
  }
  Y const& variance() const { return variance_; }

 private:
  Y variance_;
};

/// R = variance I.
class scalar_error {
 public:
  explicit scalar_error(double variance) : variance_(variance) {
    require(variance > 0 && std::isfinite(variance), "scalar_error: the variance is ", variance);
  }

  template <State Y> Y apply(Y const& v) const { return scaled(variance_, v); }
  template <State Y> void add_to(Y& out, Y const& v) const { lincomb(out, term{variance_, v}, term{1.0, out}); }
  template <State Y> Y solve(Y const& v) const { return scaled(1 / variance_, v); }
  template <State Y> Y draw(key k, Y const& like) const {
    Y out = zeros_like(like);
    lincomb(out, noise{std::sqrt(variance_), k});
    return out;
  }
  /// R + diag(added), `added` of one row.
  template <State Y> diagonal_error<Y> inflated(Y const& added) const {
    Y sum = zeros_like(added);
    transform(sum, detail::error_offset{variance_}, added);
    return diagonal_error<Y>(std::move(sum));
  }
  double variance() const { return variance_; }

 private:
  template <State Y> static Y scaled(double a, Y const& v) {
    Y out = zeros_like(v);
    lincomb(out, term{a, v});
    return out;
  }
  double variance_;
};

/// A diagonal R whose observation i has the variance of its group (a variable, an instrument): variances[groups[i]].
template <State Y> diagonal_error<Y> error_by_group(Y const& like, std::span<std::int64_t const> groups, std::span<double const> variances) {
  std::vector<double> each_one;
  for (auto const g : groups) {
    require(g >= 0 && std::size_t(g) < variances.size(), "error_by_group: observation ", each_one.size(), " is of group ", g, " of ",
            variances.size());
    each_one.push_back(variances[std::size_t(g)]);
  }
  return {like, each_one};
}

/// A dense R, symmetric and positive definite. It is factorised here once, on the host; then every product is one matrix
/// product: R, R⁻¹ and its Cholesky factor live where the observations live.
template <State Y> class full_error {
 public:
  full_error(Y const& like, small_matrix const& r) : full_error(like, r, factorised(r)) {}

  Y apply(Y const& v) const { return times(v, matrix_); }
  Y solve(Y const& v) const { return times(v, inverse_); }
  Y draw(key k, Y const& like) const {
    Y white = zeros_like(like);
    lincomb(white, noise{1.0, k});
    return times(white, root_);
  }

 private:
  full_error(Y const& like, small_matrix const& r, small_matrix const& factor)
      : matrix_(to_state(like, r)), inverse_(to_state(like, inverse_of(factor))), root_(to_state(like, transposed(factor))) {}

  static small_matrix factorised(small_matrix const& r) {
    require_symmetric(r, "full_error");
    return cholesky(r);
  }
  static small_matrix inverse_of(small_matrix const& factor) {
    small_matrix out = identity_matrix(factor.height);
    cholesky_solve(factor, out);
    return out;
  }
  static Y times(Y const& v, Y const& m) {
    require(columns(v) == rows(m), "full_error: ", columns(v), " observations where ", rows(m), " are expected");
    return product(v, m);
  }
  Y matrix_, inverse_, root_;
};
template <class Y> full_error(Y, small_matrix) -> full_error<Y>;

}  // namespace sda
