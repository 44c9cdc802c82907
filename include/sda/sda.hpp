// SPDX-License-Identifier: Apache-2.0
#pragma once

// All floors: the mathematics, on any state. The states themselves come through side doors (sda/eigen.hpp, sda/torch.hpp,
// sda/cuda/algebra.cuh), and files, threads and the terminal from headers that are included by name.
#include <sda/version.hpp>

#include <sda/core/config.hpp>
#include <sda/core/error.hpp>
#include <sda/core/fill_normal.hpp>
#include <sda/core/parallel.hpp>
#include <sda/core/parallel_dealt.hpp>
#include <sda/core/random.hpp>
#include <sda/core/vectors.hpp>

#include <sda/state/host.hpp>
#include <sda/state/matrix.hpp>
#include <sda/state/state.hpp>
#include <sda/state/terms.hpp>

#include <sda/calculus/attention.hpp>
#include <sda/calculus/block_tridiagonal.hpp>
#include <sda/calculus/check.hpp>
#include <sda/calculus/eigen_symmetric.hpp>
#include <sda/calculus/gaspari_cohn.hpp>
#include <sda/calculus/inverse_root.hpp>
#include <sda/calculus/lbfgs.hpp>
#include <sda/calculus/level.hpp>
#include <sda/calculus/linearize.hpp>
#include <sda/calculus/ode.hpp>
#include <sda/calculus/schedule.hpp>
#include <sda/calculus/small_matrix.hpp>
#include <sda/calculus/softmax.hpp>
#include <sda/calculus/solve.hpp>
#include <sda/calculus/tridiagonal.hpp>

#include <sda/model/ar1.hpp>
#include <sda/model/lorenz63.hpp>
#include <sda/model/lorenz96.hpp>
#include <sda/model/simulate.hpp>

#include <sda/metrics/crps.hpp>
#include <sda/metrics/emd.hpp>
#include <sda/metrics/latitude_weights.hpp>
#include <sda/metrics/ranks.hpp>
#include <sda/metrics/rmse.hpp>
#include <sda/metrics/spread_skill.hpp>
#include <sda/metrics/table.hpp>

#include <sda/prior/affine.hpp>
#include <sda/prior/denoiser.hpp>
#include <sda/prior/encoder.hpp>
#include <sda/prior/ensemble.hpp>
#include <sda/prior/ensemble_gaussian.hpp>
#include <sda/prior/gaussian.hpp>
#include <sda/prior/gaussian_full.hpp>
#include <sda/prior/low_rank.hpp>
#include <sda/prior/mixture.hpp>
#include <sda/prior/parametrisation.hpp>
#include <sda/prior/reschedule.hpp>

#include <sda/observation/error_covariance.hpp>
#include <sda/observation/interpolating.hpp>
#include <sda/observation/kriging.hpp>
#include <sda/observation/linear.hpp>
#include <sda/observation/masked.hpp>
#include <sda/observation/operator.hpp>
#include <sda/observation/pointwise.hpp>
#include <sda/observation/steps.hpp>
#include <sda/observation/values.hpp>

#include <sda/guidance/cfg.hpp>
#include <sda/guidance/diffpir.hpp>
#include <sda/guidance/dps.hpp>
#include <sda/guidance/gain.hpp>
#include <sda/guidance/jfps.hpp>
#include <sda/guidance/latent_optimization.hpp>
#include <sda/guidance/likelihood.hpp>
#include <sda/guidance/mmps.hpp>
#include <sda/guidance/pigdm.hpp>
#include <sda/guidance/projection.hpp>
#include <sda/guidance/spread.hpp>
#include <sda/guidance/tmpd.hpp>

#include <sda/trajectory/alternating.hpp>
#include <sda/trajectory/communicator.hpp>
#include <sda/trajectory/window.hpp>
#include <sda/trajectory/window_plan.hpp>

#include <sda/sampler/corrector.hpp>
#include <sda/sampler/daps.hpp>
#include <sda/sampler/ddim.hpp>
#include <sda/sampler/heun.hpp>
#include <sda/sampler/multistep.hpp>
#include <sda/sampler/observe.hpp>
#include <sda/sampler/redrawing.hpp>
#include <sda/sampler/repaint.hpp>
#include <sda/sampler/rewind.hpp>
#include <sda/sampler/sample.hpp>
#include <sda/sampler/sampler.hpp>
#include <sda/sampler/smc.hpp>
#include <sda/sampler/stochastic.hpp>

#include <sda/filter/cycle.hpp>
#include <sda/filter/diffda.hpp>
#include <sda/filter/eakf.hpp>
#include <sda/filter/enff.hpp>
#include <sda/filter/ensemble.hpp>
#include <sda/filter/ensemble_kalman.hpp>
#include <sda/filter/ensf.hpp>
#include <sda/filter/ensf_scalar.hpp>
#include <sda/filter/exact_finish.hpp>
#include <sda/filter/four_d_var.hpp>
#include <sda/filter/ienks.hpp>
#include <sda/filter/inflation.hpp>
#include <sda/filter/kalman.hpp>
#include <sda/filter/latent.hpp>
#include <sda/filter/letkf.hpp>
#include <sda/filter/localisation.hpp>
#include <sda/filter/paired.hpp>
#include <sda/filter/particle.hpp>
#include <sda/filter/spread_members.hpp>
#include <sda/filter/variational.hpp>
