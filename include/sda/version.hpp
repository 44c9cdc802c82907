// SPDX-License-Identifier: Apache-2.0
#pragma once

// The one place where the version is written: CMake, pkg-config and the headers read it here.
#define SDA_VERSION_MAJOR 0
#define SDA_VERSION_MINOR 1
#define SDA_VERSION_PATCH 0
