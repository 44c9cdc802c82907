// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "data/archive.hpp"

namespace appa {

/// 1 where the sea has a temperature in the first hour, one number a point; none if that is no channel.
std::vector<char> sea_of(archive const& data);

}  // namespace appa
