// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "observe/point_network.hpp"

#include <filesystem>
#include <functional>

namespace appa {

/// What a run's mean.nc and spread.nc say of an hour, standardised: gross errors are told by it. For hours and numbers that they do not have, the
/// climate's 0 and 1. None for a folder without them, and for a run of one member, whose spread says nothing.
std::function<background(hours)> believed_by(std::filesystem::path const& folder, scene const& s);

}  // namespace appa
