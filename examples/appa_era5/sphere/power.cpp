// SPDX-License-Identifier: Apache-2.0
#include "sphere/power.hpp"

#include "sphere/harmonics.hpp"

#include <sda/core/error.hpp>

#include <algorithm>

#if defined(APPA_SHARP)
#include <libsharp/sharp_almhelpers.h>
#include <libsharp/sharp_geomhelpers.h>

#include <complex>
#endif

namespace appa {

using Eigen::MatrixXd;

int exact_degree(grid const& g) {
  return int(std::min((g.height() - 1) / 2, (g.width() - 1) / 2));
}

#if defined(APPA_SHARP)

struct degree_power::plan {
  template <class T, void (*destroy)(T*)> struct destroyer {
    void operator()(T* p) const { destroy(p); }
  };
  std::unique_ptr<sharp_geom_info, destroyer<sharp_geom_info, sharp_destroy_geom_info>> rows;
  std::unique_ptr<sharp_alm_info, destroyer<sharp_alm_info, sharp_destroy_alm_info>> order;

  plan(grid const& g, int top) {
    sharp_geom_info* of_rows = nullptr;
    sharp_alm_info* of_order = nullptr;
    (g.has_poles() ? sharp_make_cc_geom_info : sharp_make_fejer1_geom_info)(int(g.height()), int(g.width()), 0.0, 1, int(g.width()), &of_rows);
    rows.reset(of_rows);
    sharp_make_triangular_alm_info(top, top, 1, &of_order);
    order.reset(of_order);
  }
  MatrixXd operator()(MatrixXd const& fields, int top) const {
    MatrixXd power = MatrixXd::Zero(top + 1, fields.cols());
    std::vector<std::complex<double>> coefficients(std::size_t(sharp_alm_count(order.get())));
    for (index_t f = 0; f < fields.cols(); ++f) {
      void* to[] = {coefficients.data()};
      void* from[] = {const_cast<double*>(fields.col(f).data())};   // an analysis only reads it
      sharp_execute(SHARP_MAP2ALM, 0, to, from, rows.get(), order.get(), SHARP_DP, nullptr, nullptr);
      for (int m = 0; m <= top; ++m)
        for (int l = m; l <= top; ++l) power(l, f) += (m == 0 ? 1 : 2) * std::norm(coefficients[std::size_t(sharp_alm_index(order.get(), l, m))]);
    }
    return power;
  }
};

#else

struct degree_power::plan {
  harmonics sphere;
  plan(grid const& g, int top) : sphere(top, even_rows(g.height(), g.has_poles()), g.width()) {}
  MatrixXd operator()(MatrixXd const& fields, int) const { return power_by_degree(sphere, sphere.analyse(fields)); }
};

#endif

degree_power::degree_power(grid const& g, int top) : top_(top) {
  sda::require(g.is_global() && same(grid{g.latitudes, {0.0}}, grid{regular_grid(g.width(), g.height(), g.has_poles()).latitudes, {0.0}}),
               "spectra need even rows over the whole globe, not a grid of ", text(g));
  sda::require(top >= 1 && top < g.height() && 2 * top < g.width(), "a grid of ", text(g), " resolves no degree ", top);
  plan_ = std::make_unique<plan>(g, top);
}
degree_power::degree_power(degree_power&&) noexcept = default;
degree_power::~degree_power() = default;

MatrixXd degree_power::operator()(MatrixXd const& fields) const { return (*plan_)(fields, top_); }

}  // namespace appa
