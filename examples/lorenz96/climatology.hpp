// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "instrument.hpp"
#include "observing.hpp"

#include <Eigen/Cholesky>

namespace lorenz96 {

/// Mean and standard deviation of every element of a trajectory.
struct gaussian_estimate {
  trajectory mean, spread;
};

/// First and second moments of the model's climate and of what an instrument reads of it. Sites are alike and so are
/// times, so covariances depend on lag and distance alone.
class climatology {
 public:
  /// From long runs, each steps x sites, up to lags below `lags` steps; for a ring as long as theirs or longer.
  template <class Read>
  climatology(std::vector<trajectory> const& runs, index_t lags, Read const& read, index_t ring) : sites_(runs.at(0).cols()), ring_(ring) {
    index_t const steps = runs[0].rows();
    sda::require(lags >= 1 && lags <= steps, "covariances up to lag ", lags - 1, " from runs of ", steps, " steps");
    std::vector<matrix> state, reading;
    for (trajectory const& run : runs) {
      state.push_back(run.matrix());
      reading.push_back(run.unaryExpr(read).matrix());
      state_mean_ += run.mean() / double(runs.size());
      reading_mean_ += reading.back().mean() / double(runs.size());
    }
    for (auto& x : state) x.array() -= state_mean_;
    for (auto& h : reading) h.array() -= reading_mean_;
    for (auto* m : {&state_, &ahead_, &behind_, &reading_}) m->resize(lags, sites_);
    bool const direct = std::is_same_v<Read, sda::identity_function>;  // readings are the states
    sda::parallel_for(lags, lags * steps * sites_, [&](index_t lag) {
      state_.row(lag) = covariance(state, state, lag);
      ahead_.row(lag) = direct ? state_.row(lag) : covariance(state, reading, lag);
      behind_.row(lag) = direct ? state_.row(lag) : covariance(reading, state, lag);
      reading_.row(lag) = direct ? state_.row(lag) : covariance(reading, reading, lag);
    });
  }

  double mean() const { return state_mean_; }
  double deviation() const { return std::sqrt(state_(0, 0)); }
  double reading_mean() const { return reading_mean_; }

  /// Cov(x(t, i), x(t + lag, i + distance)), and the same of x with the reading h(x), and of two readings.
  double state(index_t lag, index_t distance) const { return lag < 0 ? at(state_, -lag, -distance) : at(state_, lag, distance); }
  double mixed(index_t lag, index_t distance) const { return lag < 0 ? at(behind_, -lag, -distance) : at(ahead_, lag, distance); }
  double reading(index_t lag, index_t distance) const { return lag < 0 ? at(reading_, -lag, -distance) : at(reading_, lag, distance); }

 private:
  using matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  index_t sites_, ring_;
  double state_mean_ = 0, reading_mean_ = 0;
  trajectory state_, ahead_, behind_, reading_;  // lags x distances

  static index_t wrap(index_t distance, index_t ring) { return ((distance % ring) + ring) % ring; }
  // Sites of a longer ring farther apart than the runs could tell are taken as unrelated.
  double at(trajectory const& covariances, index_t lag, index_t distance) const {
    index_t d = wrap(distance, ring_);
    if (2 * d > ring_) d -= ring_;
    return ring_ > sites_ && 2 * std::abs(d) >= sites_ ? 0 : covariances(lag, wrap(d, sites_));
  }

  // Sums over all times are divided by the length of the whole run: slightly low at long lags, never indefinite.
  Eigen::Array<double, 1, Eigen::Dynamic> covariance(std::vector<matrix> const& a, std::vector<matrix> const& b, index_t lag) const {
    index_t const steps = a[0].rows();
    matrix product = matrix::Zero(sites_, sites_);
    for (std::size_t r = 0; r < a.size(); ++r) product.noalias() += a[r].topRows(steps - lag).transpose() * b[r].bottomRows(steps - lag);
    Eigen::Array<double, 1, Eigen::Dynamic> by_distance = Eigen::Array<double, 1, Eigen::Dynamic>::Zero(sites_);
    for (index_t i = 0; i < sites_; ++i)
      for (index_t j = 0; j < sites_; ++j) by_distance(wrap(j - i, sites_)) += product(i, j);
    return by_distance / (double(steps) * double(sites_) * double(a.size()));
  }
};

/// Optimal interpolation: of all estimates linear in what was seen, the best, given the climate's moments. For readings
/// h(x) of any kind, mean = m + Cov(x, h) (Cov(h, h) + R)⁻¹ (y − E h). With `whole` every observation of the window counts
/// at every step (the space-time Gaussian smoother); without, only those of the step itself.
class optimal_interpolation {
 public:
  /// More observations at once than this are too many for a dense solve.
  static constexpr index_t most = 5000;

  optimal_interpolation(climatology const& climate, double error, bool whole) : climate_(climate), error_(error), whole_(whole) {}

  gaussian_estimate operator()(trajectory const& window) {
    gaussian_estimate out{trajectory::Constant(window.rows(), window.cols(), climate_.mean()),
                          trajectory::Constant(window.rows(), window.cols(), climate_.deviation())};
    if (whole_) {
      estimate(window, out.mean.data(), out.spread.data(), window.size());
      return out;
    }
    for (index_t t = 0; t < window.rows(); ++t)
      estimate(window.row(t), out.mean.data() + t * window.cols(), out.spread.data() + t * window.cols(), window.cols());
    return out;
  }

 private:
  climatology const& climate_;
  double error_;
  bool whole_;
  std::vector<std::int64_t> at_;  // what gain_ was made for
  Eigen::MatrixXd gain_;
  Eigen::VectorXd spread_;

  void estimate(trajectory const& part, double* mean, double* spread, index_t n) {
    auto const at = columns_seen(part);
    if (at.empty()) return;
    if (at != at_) prepare(at, n, part.cols());
    Eigen::VectorXd departure(index_t(at.size()));
    for (std::size_t j = 0; j < at.size(); ++j) departure(index_t(j)) = part.data()[at[j]] - climate_.reading_mean();
    Eigen::Map<Eigen::VectorXd>(mean, n) += gain_.transpose() * departure;
    Eigen::Map<Eigen::VectorXd>(spread, n) = spread_;
  }
  void prepare(std::vector<std::int64_t> const& at, index_t n, index_t ring) {
    index_t const m = index_t(at.size());
    sda::require(m <= most, "optimal interpolation of ", m, " observations at once; at most ", most);
    Eigen::MatrixXd readings(m, m), mixed(m, n);
    for (index_t j = 0; j < m; ++j)
      for (index_t i = 0; i < m; ++i)
        readings(i, j) = climate_.reading(at[j] / ring - at[i] / ring, at[j] % ring - at[i] % ring) + (i == j ? error_ * error_ : 0);
    for (index_t c = 0; c < n; ++c)
      for (index_t j = 0; j < m; ++j) mixed(j, c) = climate_.mixed(at[j] / ring - c / ring, at[j] % ring - c % ring);
    Eigen::LLT<Eigen::MatrixXd> const factor(readings);
    sda::require(factor.info() == Eigen::Success, "optimal interpolation: the covariance of ", m, " observations is not positive definite");
    gain_ = factor.solve(mixed);
    spread_.resize(n);
    for (index_t c = 0; c < n; ++c) spread_(c) = std::sqrt(std::max(0.0, climate_.state(0, 0) - mixed.col(c).dot(gain_.col(c))));
    at_ = at;
  }
};

}  // namespace lorenz96
