# SPDX-License-Identifier: Apache-2.0
# Side doors: one target for each third party. A target exists exactly when its dependency was found.

macro(sda_adapter name)
  add_library(sda_${name} INTERFACE)
  add_library(sda::${name} ALIAS sda_${name})
  target_link_libraries(sda_${name} INTERFACE sda::sda ${ARGN})
endmacro()

find_package(Eigen3 3.3 QUIET NO_MODULE)
if(TARGET Eigen3::Eigen)
  sda_adapter(eigen Eigen3::Eigen)
endif()

find_package(OpenMP QUIET COMPONENTS CXX)
if(TARGET OpenMP::OpenMP_CXX)
  sda_adapter(openmp OpenMP::OpenMP_CXX)
endif()

find_package(nlohmann_json QUIET)
if(TARGET nlohmann_json::nlohmann_json)
  sda_adapter(safetensors nlohmann_json::nlohmann_json)
endif()

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(NETCDF QUIET IMPORTED_TARGET netcdf)
endif()
if(TARGET PkgConfig::NETCDF)
  sda_adapter(netcdf PkgConfig::NETCDF)
endif()

find_package(Torch QUIET)
if(Torch_FOUND)
  sda_adapter(torch torch)
  target_include_directories(sda_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
endif()
