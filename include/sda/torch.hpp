// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sda/torch/algebra.hpp>
#include <sda/torch/traced.hpp>
