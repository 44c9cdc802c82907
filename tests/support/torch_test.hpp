// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <torch/torch.h>
#undef CHECK  // LibTorch's logging has one too
#include <sda_test.hpp>
