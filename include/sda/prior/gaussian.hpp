// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/prior/denoiser.hpp>
#include <sda/state/matrix.hpp>

#include <cmath>
#include <numbers>
#include <vector>

// The exact denoiser of N(m, Q Λ Qᵀ) for x_t = α x_0 + σ z. With the coordinates c = Qᵀ(x_t − α m), all is diagonal:
//
//   E[x_0|x_t] = m + Q (α Λ / (α² Λ + σ²)) c,   ∇ log p(x_t) = −Q c / (α² Λ + σ²)
//
// No difference of nearly equal numbers is ever formed, so precision is full at any signal-to-noise ratio and any α.

namespace sda {

/// An orthonormal change of coordinates of a row: q(x) are the coordinates, q.adjoint(c) the way back.
template <class Q, class S> concept Basis = State<S> && LinearMap<Q, S> && requires(Q const& q, S const& x) {
  { q(x) } -> std::same_as<S>;
};

/// The coordinates a state already has: Λ is the diagonal of the covariance.
struct canonical {
  template <State S> S operator()(S const& x) const { return clone(x); }
  template <State S> S operator()(S&& x) const { return std::move(x); }
  template <State S> S adjoint(S const& c) const { return clone(c); }
  template <State S> S adjoint(S&& c) const { return std::move(c); }
};

/// d orthonormal directions as the columns of a d x d state, with its transpose beside it.
template <State S> struct dense_basis {
  S directions, transposed;

  S operator()(S const& x) const { return product(x, directions); }
  S adjoint(S const& c) const { return product(c, transposed); }
};
template <class S> dense_basis(S, S) -> dense_basis<S>;

/// Time ⊗ space, for trajectories of `steps` states of `width` numbers, time-major: the basis of a covariance
/// C_time ⊗ C_space is made of the two small ones. Coordinates are ordered space-major.
template <State S, Basis<S> Time = dense_basis<S>, Basis<S> Space = canonical> class kronecker_basis {
 public:
  kronecker_basis(S const& like, index_t steps, index_t width, Time time, Space space = {})
      : steps_(steps), width_(width), time_(std::move(time)), space_(std::move(space)) {
    std::vector<std::int64_t> turn(std::size_t(steps * width)), back(turn.size());
    for (index_t t = 0; t < steps; ++t)
      for (index_t w = 0; w < width; ++w) {
        turn[std::size_t(w * steps + t)] = t * width + w;
        back[std::size_t(t * width + w)] = w * steps + t;
      }
    turn_ = indices_like(like, std::span<std::int64_t const>(turn));
    back_ = indices_like(like, std::span<std::int64_t const>(back));
  }

  S operator()(S const& x) const {
    index_t const n = rows(x);
    S const in_space = reshape(space_(reshape(clone(x), n * steps_, width_)), n, steps_ * width_);
    return reshape(time_(reshape(permuted(in_space, turn_), n * width_, steps_)), n, width_ * steps_);
  }
  S adjoint(S const& c) const {
    index_t const n = rows(c);
    S const in_space = reshape(time_.adjoint(reshape(clone(c), n * width_, steps_)), n, width_ * steps_);
    return reshape(space_.adjoint(reshape(permuted(in_space, back_), n * steps_, width_)), n, steps_ * width_);
  }

 private:
  static S permuted(S const& x, indices_t<S> const& at) {
    S y = zeros_like(x);
    lincomb(y, gathered{1.0, x, at});
    return y;
  }
  index_t steps_, width_;
  Time time_;
  Space space_;
  indices_t<S> turn_, back_;
};

namespace detail {
struct gaussian_gain {  // α v / (α² v + σ²)
  double alpha, noise;
  template <class T> SDA_HD T operator()(T const& v) const { return alpha * v / (alpha * alpha * v + noise); }
};
struct gaussian_precision {  // 1 / (α² v + σ²)
  double signal, noise;
  template <class T> SDA_HD T operator()(T const& v) const { return 1.0 / (signal * v + noise); }
};
struct gaussian_log_scale {  // ln 2π(α² v + σ²)
  double signal, noise;
  template <class T> SDA_HD T operator()(T const& v) const {
    using std::log;
    return log(2 * std::numbers::pi * (signal * v + noise));
  }
};
struct gaussian_one {
  template <class T> SDA_HD T operator()(T const& v) const { return v - v + 1.0; }
};
}  // namespace detail

/// A Gaussian seen through noise at one point: posterior mean, its symmetric Jacobian, the score and the log density of
/// x_t. Borrows the prior it came from.
template <State S, Basis<S> Q> class gaussian_at {
 public:
  gaussian_at(S const& mean, S const& variance, Q const& basis, S const& x, level l)
      : variance_(&variance), basis_(&basis), level_(l), gain_(zeros_like(variance)), coordinates_(zeros_like(x)), value_(zeros_like(x)) {
    transform(gain_, detail::gaussian_gain{l.alpha, l.sigma * l.sigma}, variance);
    lincomb(coordinates_, term{1.0, x}, term{-l.alpha, mean});
    coordinates_ = basis(std::move(coordinates_));
    lincomb(value_, term{1.0, mean}, term{1.0, along(1.0, gain_, coordinates_)});
  }

  S const& value() const& { return value_; }
  S value() && { return std::move(value_); }
  S jvp(S const& v) const { return along(1.0, gain_, (*basis_)(v)); }
  S vjp(S const& u) const { return jvp(u); }

  /// ∇ log p(x_t)
  S score() const {
    S precision = zeros_like(*variance_);
    transform(precision, detail::gaussian_precision{level_.alpha * level_.alpha, level_.sigma * level_.sigma}, *variance_);
    return along(-1.0, precision, coordinates_);
  }
  /// log p(x_t), one number per row.
  scalars_t<S> log_density() const {
    double const signal = level_.alpha * level_.alpha, noise = level_.sigma * level_.sigma;
    S scale = zeros_like(*variance_), one = zeros_like(*variance_), whitened = zeros_like(coordinates_);
    transform(scale, detail::gaussian_precision{signal, noise}, *variance_);
    lincomb(whitened, weighted{1.0, scale, coordinates_});
    scalars_t<S> out = dot(whitened, coordinates_);
    transform(scale, detail::gaussian_log_scale{signal, noise}, *variance_);
    transform(one, detail::gaussian_one{}, *variance_);
    lincomb(out, term{-0.5, out}, term{-0.5, dot(scale, one)});
    return out;
  }

 private:
  S along(double sign, S const& scale, S const& c) const {
    S y = zeros_like(c);
    lincomb(y, weighted{sign, scale, c});
    return basis_->adjoint(std::move(y));
  }
  S const* variance_;
  Q const* basis_;
  level level_;
  S gain_, coordinates_, value_;
};

/// The exact denoiser of N(mean, Q diag(variance) Qᵀ). `mean` and `variance` have one row, or one a sample; variances are
/// ≥ 0, and > 0 where σ may be 0. gaussian{mean, variance} is diagonal; sda/prior/gaussian_full.hpp makes full covariances.
template <State S, Basis<S> Q = canonical> struct gaussian {
  S mean, variance;
  Q basis{};

  S operator()(S const& x, level l) const { return clone(linearize(x, l).value()); }
  gaussian_at<S, Q> linearize(S const& x, level l) const { return {mean, variance, basis, x, l}; }
};
template <class S> gaussian(S, S) -> gaussian<S>;
template <class S, class Q> gaussian(S, S, Q) -> gaussian<S, Q>;

}  // namespace sda
