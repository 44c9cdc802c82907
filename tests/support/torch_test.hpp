// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>
#include <sda_test.hpp>
