// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/fftw/fourier.hpp>
#include <sda/fftw/homogeneous_gaussian.hpp>
#include <sda/fftw/kolmogorov_flow.hpp>
#include <sda/fftw/kuramoto_sivashinsky.hpp>
