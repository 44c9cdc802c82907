// SPDX-License-Identifier: Apache-2.0
#include "analysis.hpp"

#include <sda/filter/exact_finish.hpp>
#include <sda/observation/error_covariance.hpp>
#include <sda/observation/values.hpp>

namespace lorenz96 {

namespace {

/// Every sample is carried to the nearest maximum of the model's own posterior, the model's errors taken as large at first, if asked.
/// A member keeps the maximum it found with probability exp(J_least - J), else takes the best: so samples in a wrong basin go.
/// From there its own perturbed observations make it a sample again.
template <class D> trajectory finish(D const& d, trajectory x, int iterations, double widen, sda::key k) {
  x = sda::exact_finish{.iterations = iterations, .widen = widen, .perturbed = false}(d, std::move(x), k);
  auto const cost = sda::exact_finish::cost(d, x);
  index_t best = 0;
  cost.col(0).minCoeff(&best);
  for (index_t r = 0; r < x.rows(); ++r)
    if (!(std::exp(cost(best) - cost(r)) > sda::uniform(k, r, 0))) x.row(r) = x.row(best);
  return sda::exact_finish{.iterations = 6}(d, std::move(x), k.fold(0));
}

/// A model that counts its steps, of members and as derivatives: what 4D-Var costs.
struct counted {
  sda::flow<sda::lorenz96> model;
  effort* spent;

  template <sda::State S> S operator()(S const& x) const {
    note(x);
    return model(x);
  }
  template <sda::State S> auto linearize(S const& x) const {
    note(x);
    return sda::linearize(model, x);
  }

 private:
  template <sda::State S> void note(S const& x) const {
    if (spent) spent->model += double(x.rows() * model.steps);
  }
};

}  // namespace

finisher make_finisher(smoother_settings const& how, scene const& s) {
  sda::require(how.finish > 0 && how.model_error > 0 && how.finish_from > 0, "--finish ", how.finish, ", --model-error ", how.model_error,
               ", --finish-from ", how.finish_from);
  climatology const climate = climate_of(s, 1);
  trajectory const background = trajectory::Constant(1, s.ring(), climate.mean());
  double const spread = climate.deviation() * climate.deviation(), error = how.model_error * how.model_error,
               widen = std::max(1.0, how.finish_from * how.finish_from / error);
  int const inner = runge_kutta_steps(s.step);
  sda::flow const model{sda::lorenz96{s.forcing}, s.step / inner, inner};
  return [=, iterations = int(how.finish)](window_task const& task, members const& samples) -> members {
    trajectory const x = samples.cast<double>();
    std::vector<std::int64_t> every(std::size_t(x.cols()));
    std::iota(every.begin(), every.end(), std::int64_t{0});
    std::vector<double> const variance(every.size(), task.error * task.error);
    auto const window = sda::observed(x, x.cols(), {every, {task.seen.data(), every.size()}, variance}, sda::missing::is_dropped);
    return with_instrument(task.through, [&](auto const& read) {
      sda::dynamics const exact{counted{model, task.spent}, background, sda::scalar_error{spread}, sda::scalar_error{error},
                                sda::observation{sda::composed{sda::pointwise{read}, window.op}, window.y, window.error}};
      return members(finish(exact, x, iterations, widen, task.k.fold(1)).template cast<float>());
    });
  };
}

}  // namespace lorenz96
