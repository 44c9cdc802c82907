// SPDX-License-Identifier: Apache-2.0
#include "small_system.hpp"

#include <Eigen/Dense>
#include <sda/torch/pushed.hpp>

using namespace appa;
using namespace sda_test;
using sda::key;

namespace {

double largest(at::Tensor const& x) { return x.abs().max().item<double>(); }
double product(at::Tensor const& a, at::Tensor const& b) { return (a * b).sum().item<double>(); }

// Points of rows [y, y + h) and columns [x, x + w), all channels or some.
std::vector<index_t> region(cae const& net, index_t y, index_t h, index_t x, index_t w, std::vector<index_t> const& channels) {
  std::vector<index_t> out;
  for (index_t i = y; i < y + h; ++i)
    for (index_t j = x; j < x + w; ++j)
      for (auto const c : channels) out.push_back((i * net.options.shape[1] + j % net.options.shape[1]) * net.channels() + c);
  return out;
}

struct window {
  window_observation seen;
  index_t states, numbers;
};
// Four states: latents of the first are known, two are seen, one is not.
window window_of(trained_system const& s, double memory, std::shared_ptr<tally> spent = {}) {
  auto const one = std::make_shared<seen_state const>(s, some_sight(s, 11, key{3})),
             two = std::make_shared<seen_state const>(s, some_sight(s, 5, key{4}, 4));
  window_sight const sights({{0, {}}, {0, one}, {2, two}}, 4, s.numbers(), memory, spent);
  auto const known = normal_tensor(1, s.numbers(), key{5});
  return {{sights, at::cat({known, one->values.to(at::kDouble), two->values.to(at::kDouble)}, 1),
           sda::diagonal_error(at::cat({at::full_like(known, 0.01), one->variances.to(at::kDouble), two->variances.to(at::kDouble)}, 1))},
          4,
          s.numbers()};
}

// A Gaussian prior of independent numbers.
struct independent_normals {
  at::Tensor variances;
  struct local {
    at::Tensor at, slope;
    at::Tensor const& value() const { return at; }
    at::Tensor vjp(at::Tensor const& u) const { return u * slope; }
    at::Tensor jvp(at::Tensor const& v) const { return v * slope; }
  };
  local linearize(at::Tensor const& x, sda::level l) const {
    auto const slope = l.alpha * variances / (l.alpha * l.alpha * variances + l.sigma * l.sigma);
    return {x * slope, slope};
  }
  at::Tensor operator()(at::Tensor const& x, sda::level l) const { return linearize(x, l).at; }
};

}  // namespace

TEST_CASE("a part of a decoded state is what the whole decoder makes of it, wherever it lies") {
  for (bool const patches : {false, true}) {
    auto const net = small_space(false, patches);
    convert(*net, at::kCPU, at::kDouble);
    index_t const cells = net->cells()[0] * net->cells()[1];
    auto const z = normal_tensor(2, cells * 2, key{1}).view({2, cells, 2});
    auto const whole = net->decode(z).flatten(1);
    std::vector<index_t> all(std::size_t(whole.size(1)));
    std::iota(all.begin(), all.end(), index_t{0});
    double const full = decoder_part(net, all).operations();
    auto scattered = all;
    scattered.erase(std::remove_if(scattered.begin(), scattered.end(), [](index_t c) { return sda::uniform(key{2}, c, 0) > 0.002; }),
                    scattered.end());
    for (auto const& columns : {region(*net, 20, 1, 30, 1, {1}), region(*net, 0, 1, 0, 1, {0, 2}), region(*net, 44, 1, 63, 1, {0}),
                                region(*net, 10, 9, 58, 12, {0, 1, 2}), region(*net, 3, 40, 5, 3, {2, 0}), scattered, all}) {
      decoder_part const part(net, columns);
      auto const wanted = whole.index_select(1, at::tensor(columns, at::kLong));
      CHECK(largest(part(z) - wanted) <= 1e-12 * largest(whole));
      CHECK(part.operations() <= full);
      auto const ours = part.linearize(z);
      sda::traced const theirs(part, z);
      auto const v = normal_tensor(2, cells * 2, key{14}).view_as(z), u = normal_tensor(2, std::ssize(columns), key{15});
      CHECK(largest(ours.value() - wanted) <= 1e-12 * largest(whole));
      CHECK(largest(ours.jvp(v) - theirs.jvp(v)) <= 1e-11 * largest(theirs.jvp(v)));
      CHECK(largest(ours.vjp(u) - theirs.vjp(u)) <= 1e-11 * largest(theirs.vjp(u)));
      if (columns.size() == 1) CHECK(part.operations() < 0.6 * full);
    }
  }
  CHECK_THROWS_AS(decoder_part(small_space(), {45 * 64 * 3}), sda::error);
}

TEST_CASE("both products of a window seen through the decoder, in images or on graphs, agree, kept or made again: <u, J v> = <J' u, v>") {
  auto const s = GENERATE(false, true) ? small_graph_system(at::kDouble) : small_system(at::kDouble, false, false);
  auto const [seen, states, numbers] = window_of(s, 0);
  auto const x = normal_tensor(2, states * numbers, key{6}), v = normal_tensor(2, states * numbers, key{7});
  auto const u = normal_tensor(2, seen.op.count(), key{8});
  auto const at_x = sda::linearize(seen.op, x);
  auto const jv = at_x.jvp(v), ju = at_x.vjp(u);
  CHECK(at_x.value().equal(seen.op(x)));
  CHECK(product(u, jv) == Approx(product(ju, v)).epsilon(1e-10));
  CHECK(largest(ju.narrow(1, numbers, numbers)) == 0);  // nobody saw the second state
  double const h = 1e-6;
  CHECK(largest((seen.op(x + h * v) - seen.op(x - h * v)) / (2 * h) - jv) <= 1e-6 * largest(jv));

  auto const kept = window_of(s, 1e9);
  auto const at_kept = sda::linearize(kept.seen.op, x);
  CHECK(largest(at_kept.vjp(u) - ju) <= 1e-13 * largest(ju));
  CHECK(largest(at_kept.value() - at_x.value()) <= 1e-13 * largest(at_x.value()));
  CHECK(largest(at_kept.jvp(v) - jv) <= 1e-13 * largest(jv));
}

TEST_CASE("a decoder on a graph makes the whole state, that of its hour") {
  auto const s = small_graph_system(at::kDouble);
  auto const sight = some_sight(s, 11, key{3});
  auto const z = normal_tensor(2, s.numbers(), key{1});
  auto const noon = hours_of({2020, 6, 1, 12});
  auto const whole = s.decode(z.view({2, s.tokens(), s.latents()}).narrow(0, 0, 1), noon).flatten(1);
  auto const part = seen_state(s, sight, noon)(z);
  CHECK(largest(part[0] - whole[0].index_select(0, at::tensor(sight.columns, at::kLong))) <= 1e-12 * largest(whole));
  CHECK(largest(seen_state(s, sight, noon + 12)(z) - part) > 1e-6 * largest(part));
  CHECK(seen_state(s, sight).decoder().operations() == s.space->decoding().maps + s.space->decoding().attention);
}

TEST_CASE("dual numbers push what autograd pulls twice") {
  auto const net = small_space();
  convert(*net, at::kCPU, at::kDouble);
  auto const f = [&](at::Tensor const& z) { return net->decode(z).flatten(1); };
  auto const z = normal_tensor(1, 12 * 18 * 2, key{9}).view({1, 216, 2}), v = normal_tensor(1, 432, key{10}).view({1, 216, 2});
  auto const ahead = sda::push_forward(f, z, v);
  sda::traced const back(f, z);
  CHECK(largest(ahead.value - back.value()) <= 1e-13 * largest(ahead.value));
  CHECK(largest(ahead.jvp - back.jvp(v)) <= 1e-11 * largest(ahead.jvp));
  CHECK_THROWS_AS(sda::push_forward(f, z, v[0]), sda::error);
}

TEST_CASE("moment matching through a linear decoder is Kalman's update, in both forms of the solve") {
  auto const s = small_system(at::kDouble, true, true);
  auto const [seen, states, numbers] = window_of(s, 0);
  index_t const n = states * numbers, m = seen.op.count();
  sda::level const l{0.8, 0.7};
  independent_normals const prior{0.2 + normal_tensor(1, n, key{11}).square()};
  auto const x = normal_tensor(1, n, key{12});
  auto const at_x = prior.linearize(x, l);
  // x_0 | x_t ~ N(x̂, V); y = A x_0 + b + N(0, R): x̂ + V Aᵀ (R + A V Aᵀ)⁻¹ (y - A x̂ - b)
  auto const sight = sda::linearize(seen.op, at_x.value());
  auto rows_of_a = at::empty({m, n}, at::kDouble);
  for (index_t i = 0; i < m; ++i) rows_of_a[i] = sight.vjp(at::eye(m, at::kDouble).narrow(0, i, 1))[0];
  auto const va = rows_of_a * (l.sigma * l.sigma / l.alpha * at_x.slope);
  auto const inside = at::diag(seen.error.variance()[0]) + at::mm(rows_of_a, va.t());
  Eigen::Map<Eigen::MatrixXd> const dense(inside.data_ptr<double>(), m, m);
  auto const d = (seen.y - sight.value()).contiguous();
  Eigen::VectorXd const w = dense.ldlt().solve(Eigen::Map<Eigen::VectorXd>(d.data_ptr<double>(), m));
  auto const exact = at_x.value() + at::mm(at::from_blob(const_cast<double*>(w.data()), {1, m}, at::kDouble), va);

  guidance_options o;
  o.iterations = 80;
  for (std::string const where : {"observations", "states"})
    for (bool const preconditioned : {false, true}) {
      o.solve_in = where, o.tolerance = 1e-12, o.preconditioned = preconditioned;
      CHECK(largest(guided(erased(prior), seen, o, key{})(x, l) - exact) <= 1e-9 * largest(exact));
    }
}

TEST_CASE("what the autoencoder leaves is an error of observations, r + Σ w² a², and their values are without its mean") {
  auto s = small_system();
  auto const z = normal_tensor(1, s.numbers(), key{1}, at::kFloat);
  for (int const corners : {1, 4}) {
    s.residual.reset();
    auto const seen = some_sight(s, 11, key{3}, corners);
    seen_state const plain(s, seen);
    std::array const a{0.5, 0.25, 2.0};
    s.residual = residuals{normal_tensor(s.space->points(), 3, key{20}, at::kFloat), {}, at::tensor({0.5, 0.25, 2.0}, at::kFloat), 0};
    seen_state const told(s, seen), without(s, seen, 0, s.scale, false);
    for (index_t i = 0; i < seen.count(); ++i) {
      double value = seen.values[std::size_t(i)], variance = seen.variances[std::size_t(i)];
      for (index_t k = i * corners; k < (i + 1) * corners; ++k) {
        auto const column = seen.columns[std::size_t(k)];
        double const w = corners > 1 ? seen.weights[std::size_t(k)] : 1;
        value -= w * s.residual->mean.view({-1})[column].item<double>(), variance += w * w * a[std::size_t(column % 3)] * a[std::size_t(column % 3)];
      }
      CHECK(told.values[0][i].item<double>() == Approx(value).epsilon(1e-6).margin(1e-6));  // floats
      CHECK(told.variances[0][i].item<double>() == Approx(variance).epsilon(1e-6));
    }
    CHECK(told(z).equal(plain(z)));
    CHECK((without.values.equal(plain.values) && without.variances.equal(plain.variances)));
  }
}

TEST_CASE("draws of what the autoencoder leaves have its mean, the covariance of its fields and its correlation in time") {
  auto f = normal_tensor(3, 4, key{21});
  f -= f.mean(0);
  auto const mean = normal_tensor(2, 2, key{22});
  double const rho = 0.8;
  residuals const left{mean.to(at::kFloat), f.view({3, 2, 2}).to(at::kFloat), at::ones({2}), rho};
  index_t const n = 4000;
  hours const t = hours_of({2020, 2, 29, 6});
  auto now = at::empty({n, 4}, at::kDouble), later = at::empty({n, 4}, at::kDouble);
  for (index_t m = n; m-- > 0;) {
    key const k = key{23}.fold(std::uint64_t(m));
    now[m] = (left.drawn(k, t, 3) - mean).flatten(), later[m] = (left.drawn(k, t + 3, 3) - mean).flatten();
  }
  auto const c = at::mm(f.t(), f) / 3;
  auto const error = ((at::outer(c.diag(), c.diag()) + c.square()) / double(n)).sqrt();  // standard, of products of normal numbers (Isserlis)
  CHECK((now.mean(0).abs() < 5 * (c.diag() / double(n)).sqrt()).all().item<bool>());
  CHECK(((at::mm(now.t(), now) / double(n) - c).abs() < 5 * error).all().item<bool>());
  CHECK(((at::mm(now.t(), later) / double(n) - rho * c).abs() < 5 * error).all().item<bool>());
  CHECK(largest((left.drawn(key{24}, t, 3, -1) + left.drawn(key{24}, t, 3)) / 2 - mean) < 1e-6);
  CHECK(left.drawn(key{24}, t, 3).equal(left.drawn(key{24}, t, 3)));
}

TEST_CASE("sights that make no sense are errors with their numbers") {
  auto const s = small_system();
  auto bad = some_sight(s, 4, key{3});
  bad.variances[2] = 0;
  CHECK_THROWS_AS(seen_state(s, bad), sda::error);
  bad = some_sight(s, 4, key{3});
  bad.variances.pop_back();
  CHECK_THROWS_AS(seen_state(s, bad), sda::error);
  bad = some_sight(s, 4, key{3});
  bad.columns[1] = -1;
  CHECK_THROWS_AS(seen_state(s, bad), sda::error);
}
