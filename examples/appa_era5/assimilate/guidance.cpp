// SPDX-License-Identifier: Apache-2.0
#include "assimilate/guidance.hpp"

#include <sda/guidance/diffpir.hpp>
#include <sda/guidance/dps.hpp>
#include <sda/guidance/jfps.hpp>
#include <sda/guidance/latent_optimization.hpp>
#include <sda/guidance/likelihood.hpp>
#include <sda/guidance/mmps.hpp>
#include <sda/guidance/pigdm.hpp>
#include <sda/guidance/tmpd.hpp>
#include <sda/sampler/daps.hpp>

namespace appa {

namespace {

using linear_function = std::function<at::Tensor(at::Tensor const&)>;

struct named_solver {
  guidance_options o;

  at::Tensor operator()(linear_function const& a, at::Tensor const& b, linear_function const& m) const {
    if (o.solver == "gmres") return sda::gmres{o.iterations, o.tolerance}(a, b, m);
    if (o.solver == "cg") return sda::cg{o.iterations, o.tolerance}(a, b, m);
    sda::require(o.solver == "bicgstab", "there is no solver ", o.solver, "; gmres, cg or bicgstab");
    return sda::bicgstab{o.iterations, o.tolerance}(a, b, m);
  }
};

/// A solver chosen by name, which begins at its last solution or at zero.
class any_solver {
 public:
  explicit any_solver(guidance_options const& o) : cold_{o}, warm_(cold_) {}

  template <class A, class M = sda::identity> at::Tensor operator()(A const& a, at::Tensor const& b, M const& m = {}) const {
    linear_function const map = [&](at::Tensor const& v) { return a(v); }, inverse = [&](at::Tensor const& v) -> at::Tensor { return m(v); };
    return cold_.o.warm ? warm_(map, b, inverse) : cold_(map, b, inverse);
  }

 private:
  named_solver cold_;
  sda::warm_start<at::Tensor, named_solver> warm_;
};

/// 1 / (R + v), where what is seen has at most the variance v = σ²/(α² + σ²) of standardised fields.
struct by_variance {
  at::Tensor variances;
  bool on;

  auto operator()(sda::level l) const {
    auto const diagonal = on ? variances + sda::unit_prior{}.variance(l) : at::Tensor();
    return [diagonal](at::Tensor const& r) { return diagonal.defined() ? r / diagonal.to(r.options()) : r; };
  }
};

sda::solve_in space_of(guidance_options const& o) {
  sda::require(o.solve_in == "observations" || o.solve_in == "states", "guidance.solve_in is observations or states, not ", o.solve_in);
  return o.solve_in == "states" ? sda::solve_in::states : sda::solve_in::observations;
}

template <class G> any_denoiser made(G guidance) {
  return [kept = std::make_shared<G const>(std::move(guidance))](at::Tensor const& x, sda::level l) { return (*kept)(x, l); };
}

any_denoiser optimised(any_prior const& prior, window_observation const& seen, guidance_options const& o) {
  if (o.optimiser == "gauss_newton") return made(sda::latent_optimization{prior, seen, sda::gauss_newton_cg{o.iterations}});
  if (o.optimiser == "lbfgs") return made(sda::latent_optimization{prior, seen, sda::lbfgs{o.iterations}});
  if (o.optimiser == "adam") return made(sda::latent_optimization{prior, seen, sda::adam{o.iterations, o.rate}});
  sda::require(o.optimiser == "gradient_descent", "there is no optimiser ", o.optimiser, "; gauss_newton, lbfgs, adam or gradient_descent");
  return made(sda::latent_optimization{prior, seen, sda::gradient_descent{o.iterations}});
}

}  // namespace

any_denoiser guided(any_prior const& prior, window_observation const& seen, guidance_options const& o, sda::key k) {
  any_solver const solver(o);
  auto const space = space_of(o);
  if (o.name == "none" || o.name == "diffda" || seen.op.count() == 0) return prior.mean;
  if (o.name == "mmps") return made(sda::mmps{prior, seen, solver, space, by_variance{seen.error.variance(), o.preconditioned}});
  if (o.name == "sda") return made(sda::gamma_likelihood{prior, seen, o.gamma, sda::tweedie{}, sda::unit_prior{}});
  if (o.name == "w2c") return made(sda::gamma_likelihood{prior, seen, o.gamma, sda::unit_prior{}, sda::unit_prior{}});
  if (o.name == "dps") return made(sda::dps{prior, seen, o.zeta});
  if (o.name == "pigdm") return made(sda::pigdm{prior, seen, solver});
  if (o.name == "tmpd") return made(sda::tmpd{prior, seen, solver});
  if (o.name == "jfps") return made(sda::jfps{prior, seen, sda::unit_prior{}, solver, space});
  if (o.name == "diffpir") return made(sda::diffpir{prior, seen, o.lambda, solver, space});
  if (o.name == "daps") return made(sda::daps{prior, seen, k, 5, sda::cg{o.iterations, o.tolerance}});
  sda::require(o.name == "latent_optimization", "there is no guidance ", o.name,
               "; mmps, sda, w2c, dps, pigdm, tmpd, jfps, diffpir, latent_optimization, daps, diffda or none");
  return optimised(prior, seen, o);
}

}  // namespace appa
