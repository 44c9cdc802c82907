# SPDX-License-Identifier: Apache-2.0
# find_package(sda 0.1 COMPONENTS eigen ...) from the install tree and from the build tree, and pkg-config.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package ${CMAKE_INSTALL_DATADIR}/cmake/sda)
install(TARGETS sda EXPORT sda FILE_SET HEADERS)
install(EXPORT sda NAMESPACE sda:: FILE sda_targets.cmake DESTINATION ${package})
export(EXPORT sda NAMESPACE sda:: FILE ${PROJECT_BINARY_DIR}/sda_targets.cmake)

configure_package_config_file(cmake/sda-config.cmake.in sda-config.cmake INSTALL_DESTINATION ${package})
write_basic_package_version_file(sda-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
configure_file(cmake/sda_adapters.cmake sda_adapters.cmake COPYONLY)
install(FILES ${PROJECT_BINARY_DIR}/sda-config.cmake ${PROJECT_BINARY_DIR}/sda-config-version.cmake cmake/sda_adapters.cmake
  DESTINATION ${package})

configure_file(cmake/sda.pc.in sda.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/sda.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)
