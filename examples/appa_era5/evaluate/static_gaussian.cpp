// SPDX-License-Identifier: Apache-2.0
#include "evaluate/static_gaussian.hpp"

#include <sda/calculus/solve/cg.hpp>

#include <Eigen/Eigenvalues>

#include <cmath>
#include <numbers>

namespace appa {

using Eigen::MatrixXd;
using sda::require;

namespace {

// The places of a degree's coefficients.
std::vector<index_t> rows_of(harmonics const& h, int l) {
  std::vector<index_t> out;
  for (int m = 0; m <= l; ++m) out.push_back(h.index(l, m));
  return out;
}

// Independent N(0, 1) to coefficients: real and imaginary parts of m > 0 share a variance, the imaginary part of m = 0 is none.
void share(harmonics const& h, MatrixXd& a) {
  for (int l = 0; l <= h.truncation(); ++l)
    for (int m = 1; m <= l; ++m) a.row(h.index(l, m)) *= std::numbers::sqrt2 / 2;
  for (int l = 0; l <= h.truncation(); ++l)
    for (index_t c = 1; c < a.cols(); c += 2) a(h.index(l, 0), c) = 0;
}

// L_l across channels, of real parts and of imaginary ones.
void mix(static_gaussian const& g, MatrixXd& a) {
  for (int l = 0; l <= g.sphere.truncation(); ++l) {
    auto const rows = rows_of(g.sphere, l);
    for (index_t part : {0, 1}) {
      auto const columns = Eigen::seqN(part, g.channels(), index_t{2});
      a(rows, columns) = (a(rows, columns) * g.roots[std::size_t(l)]).eval();
    }
  }
}

MatrixXd scaled(static_gaussian const& g, MatrixXd fields) {
  for (index_t p = 0; p < fields.rows(); ++p) fields.row(p).array() *= g.deviation.row(p / g.width).array();
  return fields;
}

Eigen::Map<MatrixXd const> block(static_gaussian const& g, double const* control, index_t t) {
  return {control + t * g.numbers(), g.sphere.size(), 2 * g.channels()};
}

// ρ_l for every coefficient.
Eigen::VectorXd memory_of(static_gaussian const& g) {
  Eigen::VectorXd out(g.sphere.size());
  for (index_t i = 0; i < out.size(); ++i) out(i) = g.memory(g.sphere.degrees()[std::size_t(i)]);
  return out;
}

}  // namespace

void static_gaussian::states_of(std::span<double const> control, std::function<void(index_t t, MatrixXd const&)> const& f) const {
  require(!control.empty() && index_t(control.size()) % numbers() == 0, "static_gaussian: a control of ", control.size(), " numbers, ", numbers(), " a state");
  Eigen::VectorXd const rho = memory_of(*this), fresh = (1 - rho.array().square()).sqrt();
  MatrixXd now = block(*this, control.data(), 0);
  for (index_t t = 0; t < index_t(control.size()) / numbers(); ++t) {
    if (t > 0) now = rho.asDiagonal() * now + fresh.asDiagonal() * block(*this, control.data(), t);
    MatrixXd a = now;
    share(sphere, a), mix(*this, a);
    f(t, scaled(*this, sphere.synthesise(a)));
  }
}

std::vector<double> static_gaussian::adjoint(index_t states, std::function<MatrixXd(index_t t)> const& anomalies) const {
  Eigen::VectorXd const rho = memory_of(*this), fresh = (1 - rho.array().square()).sqrt();
  // Analysis is the integral with quadrature weights; the adjoint of synthesis is the sum without, and twice for m and -m.
  auto const& weights = sphere.weights();
  std::vector<double> out(std::size_t(states * numbers()));
  MatrixXd later = MatrixXd::Zero(sphere.size(), 2 * channels());
  for (index_t t = states; t-- > 0;) {
    MatrixXd fields = scaled(*this, anomalies(t));
    for (index_t p = 0; p < fields.rows(); ++p) fields.row(p) *= double(width) / (2 * std::numbers::pi * weights[std::size_t(p / width)]);
    MatrixXd a = sphere.analyse(fields);
    for (int l = 0; l <= sphere.truncation(); ++l)
      for (int m = 1; m <= l; ++m) a.row(sphere.index(l, m)) *= 2;
    mix(*this, a), share(sphere, a);
    if (t + 1 < states) a += rho.asDiagonal() * later;
    later = a;
    Eigen::Map<MatrixXd>(out.data() + t * numbers(), sphere.size(), 2 * channels()) = t > 0 ? MatrixXd(fresh.asDiagonal() * a) : a;
  }
  return out;
}

namespace {

// Standardised anomalies from the climate, points x channels; what is missing is 0.
class anomalies {
 public:
  anomalies(archive const& data, statistics const& standard, climate const& normal) : data_(data), standard_(standard), normal_(normal) {}

  MatrixXd operator()(hours t) const {
    index_t const points = data_.where().points(), channels = data_.channels().size();
    std::vector<float> state(std::size_t(points * channels));
    data_.read(t, 1, 1, state.data());
    auto const mean = normal_.at(t);
    MatrixXd out(points, channels);
    for (index_t c = 0; c < channels; ++c)
      for (index_t p = 0; p < points; ++p) {
        double const x = double(state[std::size_t(c * points + p)]) - double(mean[std::size_t(c * points + p)]);
        out(p, c) = std::isnan(x) ? 0 : x / standard_.deviation[std::size_t(c)];
      }
    return out;
  }

 private:
  archive const& data_;
  statistics const& standard_;
  climate const& normal_;
};

std::vector<hours> chosen_hours(archive const& data, gaussian_settings const& s) {
  std::vector<hours> all, some;
  for (hours const t : data.times())
    if (s.over.contains(t) && s.over.contains(t + s.lag) && data.has(t + s.lag)) all.push_back(t);
  require(!all.empty(), "no two states of ", text(s.over), " are ", s.lag, " hours apart");
  index_t const n = std::min<index_t>(s.samples, index_t(all.size()));
  for (index_t i = 0; i < n; ++i) some.push_back(all[std::size_t(i * index_t(all.size()) / n)]);
  return some;
}

// Sums over pairs of states: Σ_m Re(a conj b) by degree, over channels.
struct spectral_sums {
  std::vector<MatrixXd> now;
  Eigen::VectorXd first, second, both;   // powers of the pair, all channels together

  void add(harmonics const& h, MatrixXd const& a, MatrixXd const& b) {
    for (int l = 0; l <= h.truncation(); ++l)
      for (int m = 0; m <= l; ++m)
        for (index_t part : {0, 1}) {
          auto const columns = Eigen::seqN(part, a.cols() / 2, index_t{2});
          Eigen::RowVectorXd const x = a(h.index(l, m), columns), y = b(h.index(l, m), columns);
          double const times = m == 0 ? 1 : 2;
          now[std::size_t(l)] += times * x.transpose() * x;
          first(l) += times * x.squaredNorm(), second(l) += times * y.squaredNorm(), both(l) += times * x.dot(y);
        }
  }
};

MatrixXd symmetric_root(MatrixXd const& a) {
  Eigen::SelfAdjointEigenSolver<MatrixXd> const e(a);
  return e.eigenvectors() * e.eigenvalues().cwiseMax(0.0).cwiseSqrt().asDiagonal() * e.eigenvectors().transpose();
}

}  // namespace

static_gaussian estimate_gaussian(archive const& data, statistics const& standard, climate const& normal, gaussian_settings const& s) {
  grid const& g = data.where();
  require(g.is_global(), "optimal interpolation needs a global grid, not one of ", text(g));
  int const top = s.degrees > 0 ? s.degrees : int(std::min<index_t>({63, 2 * g.height() / 3, (g.width() - 1) / 2}));
  index_t const channels = data.channels().size(), width = g.width();
  auto const times = chosen_hours(data, s);
  anomalies const of(data, standard, normal);
  static_gaussian out{harmonics(top, even_rows(g.height(), g.has_poles()), width), width, {}, {}, MatrixXd::Zero(g.height(), channels), Eigen::VectorXd::Zero(channels)};
  for (hours const t : times) {
    MatrixXd const x = of(t);
    for (index_t row = 0; row < g.height(); ++row) out.deviation.row(row) += x.middleRows(row * width, width).array().square().matrix().colwise().mean() / double(times.size());
  }
  out.deviation = out.deviation.cwiseSqrt().cwiseMax(1e-6);

  spectral_sums sums{std::vector(std::size_t(top + 1), MatrixXd(MatrixXd::Zero(channels, channels))), Eigen::VectorXd::Zero(top + 1), Eigen::VectorXd::Zero(top + 1), Eigen::VectorXd::Zero(top + 1)};
  auto const spectrum = [&](hours t) {
    MatrixXd x = of(t);
    for (index_t p = 0; p < x.rows(); ++p) x.row(p).array() /= out.deviation.row(p / width).array();
    return out.sphere.analyse(x);
  };
  for (hours const t : times) sums.add(out.sphere, spectrum(t), spectrum(t + s.lag));
  out.memory.resize(top + 1);
  Eigen::VectorXd resolved = Eigen::VectorXd::Zero(channels);
  for (int l = 0; l <= top; ++l) {
    MatrixXd const covariance = sums.now[std::size_t(l)] / (double(times.size()) * (2 * l + 1));
    resolved += covariance.diagonal() * (2 * l + 1) / (4 * std::numbers::pi);
    out.roots.push_back(symmetric_root(covariance));
    double const correlation = sums.both(l) / std::sqrt(std::max(sums.first(l) * sums.second(l), 1e-300));
    out.memory(l) = std::pow(std::clamp(correlation, 0.0, 0.999), double(s.step) / s.lag);
  }
  out.beyond = (1 - resolved.array()).cwiseMax(0.0);
  return out;
}

namespace {

// Observations of a trajectory of anomalies; what lies beyond the last degree is an error of theirs.
class observed_anomalies {
 public:
  observed_anomalies(static_gaussian const& g, std::vector<sight> const& seen) : g_(g), seen_(seen) {
    for (auto const& s : seen) {
      first_.push_back(count_);
      count_ += s.count();
      for (index_t i = 0; i < s.count(); ++i) {
        double r = double(s.variances[std::size_t(i)]);
        each(s, i, [&](index_t p, index_t c, double w) { r += w * w * g.beyond(c) * std::pow(g.deviation(p / g.width, c), 2); });
        variances_.push_back(r), values_.push_back(double(s.values[std::size_t(i)]));
      }
    }
  }

  std::vector<double> const& values() const { return values_; }
  std::vector<double> const& variances() const { return variances_; }

  std::vector<double> operator()(std::span<double const> control) const {
    std::vector<double> y(static_cast<std::size_t>(count_));
    g_.states_of(control, [&](index_t t, MatrixXd const& x) {
      auto const& s = seen_[std::size_t(t)];
      for (index_t i = 0; i < s.count(); ++i)
        each(s, i, [&](index_t p, index_t c, double w) { y[std::size_t(first_[std::size_t(t)] + i)] += w * x(p, c); });
    });
    return y;
  }
  std::vector<double> adjoint(std::vector<double> const& u) const {
    return g_.adjoint(index_t(seen_.size()), [&](index_t t) {
      auto const& s = seen_[std::size_t(t)];
      MatrixXd x = MatrixXd::Zero(g_.sphere.points(), g_.channels());
      for (index_t i = 0; i < s.count(); ++i)
        each(s, i, [&](index_t p, index_t c, double w) { x(p, c) += w * u[std::size_t(first_[std::size_t(t)] + i)]; });
      return x;
    });
  }

 private:
  static_gaussian const& g_;
  std::vector<sight> const& seen_;
  std::vector<index_t> first_;
  std::vector<double> values_, variances_;
  index_t count_ = 0;

  template <class F> void each(sight const& s, index_t i, F const& f) const {
    for (index_t k = i * s.corners; k < (i + 1) * s.corners; ++k)
      f(s.columns[std::size_t(k)] / g_.channels(), s.columns[std::size_t(k)] % g_.channels(), s.weights.empty() ? 1.0 : double(s.weights[std::size_t(k)]));
  }
};

}  // namespace

void interpolate(static_gaussian const& prior, std::vector<sight> const& seen, index_t member, interpolation_settings const& s, sda::key k,
                 std::function<void(index_t t, MatrixXd const&)> const& f) {
  require(!seen.empty(), "interpolate: a trajectory of no states");
  using control = sda::host_array<double>;
  observed_anomalies const observe(prior, seen);
  bool const drawn = member >= 0;
  sda::key const own = k.fold(std::uint64_t(member + 1));
  control e = control::Zero(1, index_t(seen.size()) * prior.numbers());
  if (drawn) sda::fill_normal(e.data(), own.fold(0), 0, 0, e.size());

  auto const numbers = [](control const& x) { return std::span<double const>(x.data(), std::size_t(x.size())); };
  auto const to_control = [](std::vector<double> const& x) { return control(Eigen::Map<control const>(x.data(), 1, index_t(x.size()))); };
  std::vector<double> innovation = observe(numbers(e));
  auto const& r = observe.variances();
  for (std::size_t i = 0; i < r.size(); ++i) {
    double const error = drawn ? std::sqrt(r[i]) * sda::normal<double>(own.fold(1), 0, index_t(i)) : 0;
    innovation[i] = (observe.values()[i] + error - innovation[i]) / r[i];
  }
  // (I + Sᵀ Hᵀ R⁻¹ H S) d = Sᵀ Hᵀ R⁻¹ (y + error - H S e)
  auto const precision = [&](control const& x) {
    auto y = observe(numbers(x));
    for (std::size_t i = 0; i < y.size(); ++i) y[i] /= r[i];
    return control(x + to_control(observe.adjoint(y)));
  };
  e += sda::cg{s.iterations, s.tolerance}(precision, to_control(observe.adjoint(innovation)));
  sda::key const rest = own.fold(2);
  prior.states_of(numbers(e), [&](index_t t, MatrixXd const& x) {
    if (!drawn) return f(t, x);
    MatrixXd full = x;   // what lies beyond the last degree is drawn, point by point
    for (index_t c = 0; c < full.cols(); ++c)
      for (index_t p = 0; p < full.rows(); ++p)
        full(p, c) += std::sqrt(prior.beyond(c)) * prior.deviation(p / prior.width, c) * sda::normal<double>(rest, t, c * full.rows() + p);
    f(t, full);
  });
}

}  // namespace appa
