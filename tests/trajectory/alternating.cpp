// SPDX-License-Identifier: Apache-2.0
#include <sda/trajectory/alternating.hpp>

#include <exact.hpp>
#include <sda/calculus/schedule.hpp>
#include <sda/eigen.hpp>
#include <sda/sampler/multistep.hpp>
#include <sda/sampler/sample.hpp>
#include <sda/trajectory/thread_communicator.hpp>
#include <sda/trajectory/window.hpp>

using namespace sda;
using namespace sda_test;
using array = host_array<double>;

namespace {

// A Gaussian trajectory written out: row 0 is its mean, row i > 0 what it has of an independent standard normal number.
exact::normal_law<> law_of(array const& x) {
  auto const spread = x.bottomRows(x.rows() - 1).matrix();
  return {x.row(0).matrix().transpose(), spread.transpose() * spread};
}

/// Draws windows of a Gaussian chain given the steps held, exactly: fresh numbers take rows of their own.
struct exact_redraw {
  exact::normal_law<> chain;  // of the whole trajectory, given what was seen
  index_t* next;              // the first row that no number has taken yet

  array operator()(held_window const& w, array const& x, key) const {
    std::vector<Eigen::Index> held, drawn, held_here, drawn_here;
    for (index_t s = w.first; s < w.first + x.cols(); ++s) {
      bool const holds = w.holds(s);
      (holds ? held : drawn).push_back(s), (holds ? held_here : drawn_here).push_back(s - w.first);
    }
    auto const& [mean, c] = chain;
    exact::matrix<> const across = c(drawn, held), inner = c(held, held);
    exact::matrix<> const gain = held.empty() ? across : exact::matrix<>(inner.ldlt().solve(across.transpose()).transpose());
    exact::matrix<> const left = c(drawn, drawn) - gain * across.transpose();
    exact::matrix<> const root = left.llt().matrixL();
    exact::matrix<> from = x.matrix()(Eigen::all, held_here);
    from.row(0) -= mean(held).transpose();
    exact::matrix<> to = from * gain.transpose();
    to.row(0) += mean(drawn).transpose();
    to.middleRows(*next, root.rows()) += root.transpose();
    *next += root.rows();
    array y = x;
    for (std::size_t i = 0; i < drawn.size(); ++i) y.col(drawn_here[i]) = to.col(Eigen::Index(i)).array();
    return y;
  }
};

auto exact_scheme(exact::normal_law<> const& chain, alternating_plan const& plan, index_t* next) {
  return alternating{plan, 1, exact_redraw{chain, next}};
}
exact::normal_law<> seen_now_and_then(index_t steps, double phi, index_t every) {
  exact::matrix<> a = exact::matrix<>::Zero(steps / every, steps), r = 0.1 * exact::matrix<>::Identity(steps / every, steps / every);
  exact::vector<> y(steps / every);
  for (index_t i = 0; i < a.rows(); ++i) a(i, i * every) = 1, y(i) = std::sin(0.7 * double(i));
  return exact::condition<double>({exact::vector<>::Zero(steps), exact::ar1_covariance(steps, phi)}, a, y, r);
}
double distance_of(exact::normal_law<> const& a, exact::normal_law<> const& b) {
  return (a.mean - b.mean).cwiseAbs().maxCoeff() + (a.covariance - b.covariance).cwiseAbs().maxCoeff();
}

}  // namespace

TEST_CASE("passes draw every step outside strips once, forward windows every step once, and strips shift") {
  for (auto const& plan : {alternating_plan{24, 24, 1}, alternating_plan{36, 24, 1}, alternating_plan{72, 24, 6}, alternating_plan{97, 24, 8},
                           alternating_plan{25, 9, 3}, alternating_plan{40, 8, 2}}) {
    std::vector<int> forward(std::size_t(plan.steps), 0);
    for (auto const& w : plan.forward()) {
      CHECK((w.first >= 0 && w.first + plan.size <= plan.steps && w.first + plan.size == w.to));
      for (index_t s = w.from; s < w.to; ++s) ++forward[std::size_t(s)];
    }
    CHECK(forward == std::vector<int>(forward.size(), 1));
    std::vector<int> drawn(std::size_t(plan.steps), 0);
    for (index_t const number : {1, 2}) {
      auto const windows = plan.pass(number);
      for (std::size_t i = 0; i < windows.size(); ++i) {
        auto const& w = windows[i];
        CHECK((w.first >= 0 && w.first + plan.size <= plan.steps && w.first <= w.from && w.from < w.to && w.to <= w.first + plan.size));
        CHECK(w.from == (i == 0 ? 0 : windows[i - 1].to + plan.held));
        CHECK((i == 0 || (w.holds(w.from - 1) && w.holds(w.from - plan.held) && w.from - plan.held >= w.first)));
        CHECK((w.to == plan.steps || (w.holds(w.to) && w.to + plan.held <= w.first + plan.size)));
        for (index_t s = w.from; s < w.to; ++s) ++drawn[std::size_t(s)];
      }
      CHECK(windows.back().to == plan.steps);
    }
    CHECK(std::count(drawn.begin(), drawn.end(), 0) == 0);  // what one pass holds the next one draws
  }
  CHECK_THROWS_AS((alternating_plan{24, 24, 9}.forward()), error);
  CHECK_THROWS_AS((alternating_plan{20, 24, 1}.pass(0)), error);
}

TEST_CASE("a forward sweep by exact windows draws a Markov chain exactly, and passes leave it") {
  exact::normal_law<> const chain{exact::vector<>::Zero(60), exact::ar1_covariance(60, 0.97)};
  index_t next = 1;
  auto const scheme = exact_scheme(chain, {60, 12, 1}, &next);
  array const x = scheme(array(array::Zero(900, 1)), 4, key{1});
  CHECK(distance_of(law_of(x), chain) <= 1e-12);
}

TEST_CASE("passes leave the law given observations as it is") {
  auto const posterior = seen_now_and_then(48, 0.95, 6);
  array x = array::Zero(400, 48);
  x.row(0) = posterior.mean.transpose().array();
  x.middleRows(1, 48) = exact::matrix<>(posterior.covariance.llt().matrixL()).transpose().array();
  index_t next = 49;
  auto const scheme = exact_scheme(posterior, {48, 12, 2}, &next);
  for (index_t p = 1; p <= 5; ++p) scheme.pass(x, p, key{2});
  CHECK(distance_of(law_of(x), posterior) <= 1e-12);
}

TEST_CASE("passes mend windows that were drawn apart: slow modes get back their mean and variance") {
  index_t const steps = 96, size = 24;
  auto const posterior = seen_now_and_then(steps, 0.98, 24);
  array x = array::Zero(3000, steps);
  index_t next = 1;
  for (index_t first = 0; first < steps; first += size)  // each window as if there were no other
    x.middleCols(first, size) = exact_redraw{posterior, &next}({first, first, first + size, 0, 0}, array::Zero(x.rows(), size), key{});
  auto const scheme = exact_scheme(posterior, {steps, size, 1}, &next);
  exact::vector<> const average = exact::vector<>::Constant(steps, 1 / double(steps));
  double const wanted = average.dot(posterior.covariance * average);
  std::vector<double> ratio;
  for (index_t p = 0; p <= 12; ++p) {
    if (p > 0) scheme.pass(x, p, key{3});
    ratio.push_back(average.dot(law_of(x).covariance * average) / wanted);
  }
  INFO(ratio[0] << " " << ratio[1] << " " << ratio[2] << " " << ratio[4] << " " << ratio[12]);
  CHECK(ratio[0] < 0.8);
  for (std::size_t p = 1; p < ratio.size(); ++p) CHECK(std::abs(ratio[p] - 1) < std::abs(ratio[p - 1] - 1));
  CHECK(ratio[12] == Approx(1).epsilon(0.01));
}

namespace {

/// A window's law as a denoiser.
struct denoised {
  exact::normal_law<> law;
  array operator()(array const& x, level l) const {
    auto const jacobian = exact::denoiser_jacobian(law, l);
    exact::matrix<> const away = x.matrix().rowwise() - l.alpha * law.mean.transpose();
    return ((away * jacobian.transpose()).rowwise() + law.mean.transpose()).array();
  }
};
/// How the mean over the trajectory fares: its error, in exact deviations, and its variance, of the exact one.
struct slow_mode {
  double error, variance;
};
slow_mode slow_mode_of(exact::normal_law<> const& found, exact::normal_law<> const& wanted) {
  exact::vector<> const a = exact::vector<>::Constant(wanted.mean.size(), 1 / double(wanted.mean.size()));
  double const variance = a.dot(wanted.covariance * a);
  return {std::abs(a.dot(found.mean - wanted.mean)) / std::sqrt(variance), a.dot(found.covariance * a) / variance};
}

}  // namespace

TEST_CASE("windows joined at every level shrink slow modes; alternating ones do not") {
  // A chain that forgets in 50 steps, in windows of 24. Seen: nothing, or every 12th step with a variance of 1.
  index_t const steps = 96, size = 24;
  double const phi = 0.98;
  for (index_t const every : {0, 12}) {
    auto const seen_by = [&](index_t first, index_t length) {
      exact::normal_law<> law{exact::vector<>::Zero(length), exact::ar1_covariance(length, phi)};
      for (index_t s = 0; s < length; ++s) {
        if (every == 0 || (first + s) % every != 0) continue;
        exact::matrix<> a = exact::matrix<>::Zero(1, length);
        a(0, s) = 1;
        law = exact::condition<double>(law, a, exact::vector<>::Constant(1, 1 + std::sin(0.1 * double(first + s))), exact::matrix<>::Identity(1, 1));
      }
      return law;
    };
    auto const whole = seen_by(0, steps);

    window_plan const joined{steps, 1, size, size / 2};
    auto const of = [&](index_t w) { return denoised{seen_by(w * joined.stride, size)}; };
    auto const levels = uniform_grid(rectified{1e-3, 1e3}, 128);
    array start = array::Zero(steps + 1, steps);  // what the deterministic sampler makes of each number it starts with
    start.bottomRows(steps).matrix().diagonal().setConstant(1e3);
    array x = sample_from(lms<3>, windowed{joined, of}, std::span<level const>(levels), start, key{});
    x.bottomRows(steps).rowwise() -= array(x.row(0)).row(0);

    index_t next = 1;
    auto const apart = [&](held_window const& w, array const& at, key k) {  // a window knows what is seen in it alone
      auto const law = seen_by(w.first, size);
      return exact_redraw{law, &next}({0, w.from - w.first, w.to - w.first, w.before, w.after}, at, k);
    };
    alternating const scheme{alternating_plan{steps, size, 2}, 1, apart};
    auto const after = [&](array y) {
      std::vector<slow_mode> out{slow_mode_of(law_of(y), whole)};
      for (index_t p = 1; p <= 16; ++p) {
        scheme.pass(y, p, key{});
        out.push_back(slow_mode_of(law_of(y), whole));
      }
      return out;
    };
    array const none = array::Zero(3000, 1);
    auto const forward = after(scheme(none, 0, key{}));
    array y = array::Zero(3000, steps);
    y.topRows(x.rows()) = x;
    next = x.rows();
    auto const mended = after(y);
    std::string numbers;
    for (std::size_t const p : {0, 1, 2, 4, 8, 16})
      numbers += detail::text("\n", p, " passes: from forward ", forward[p].error, " ", forward[p].variance, ", from together ", mended[p].error, " ",
                              mended[p].variance);
    INFO("seen every " << every << numbers);
    CHECK(mended[0].variance < (every ? 0.9 : 0.5));
    if (every == 0) CHECK(forward[0].variance == Approx(1).epsilon(1e-10));
    if (every > 0)
      for (auto const& run : {forward, mended}) {
        CHECK(run[16].variance == Approx(1).epsilon(0.002));
        CHECK(run[16].error < 0.05);
      }
    else CHECK(mended[16].variance > 0.8);  // without observations the way from one end to the other is long
  }
}

TEST_CASE("ranks change no bit") {
  alternating_plan const plan{40, 8, 2};
  auto const redraw = [](held_window const& w, array const& x, key k) -> array {
    array xi = zeros_like(x);
    lincomb(xi, noise{1.0, k});
    return xi + double(w.from) + 0.5 * x.rowwise().sum().replicate(1, x.cols()) / double(x.cols());
  };
  array const like = array::Zero(2, 1), alone = alternating{plan, 3, redraw}(like, 3, key{4});
  for (int const size : {1, 2, 3, 9}) {
    std::vector<char> equal(std::size_t(size), 0);
    on_threads(size,
               [&](thread_communicator c) { equal[std::size_t(c.rank())] = (alternating{plan, 3, redraw, c}(like, 3, key{4}) == alone).all(); });
    for (char const e : equal) CHECK(e);
  }
}
