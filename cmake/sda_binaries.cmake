# SPDX-License-Identifier: Apache-2.0
# How this project's own tests, examples and benchmarks are built.

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

add_library(sda_own INTERFACE)
target_compile_options(sda_own INTERFACE -Wall -Wextra -Wpedantic -Wshadow $<$<BOOL:${SDA_NATIVE}>:-march=x86-64-v3>)
if(TARGET sda::openmp)
  target_link_libraries(sda_own INTERFACE sda::openmp)
endif()

# sda_add_binary(name SOURCES ... LINK ...): skipped, with a word, when one of its adapters is missing.
function(sda_add_binary name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  foreach(target IN LISTS arg_LINK)
    if(target MATCHES "::" AND NOT TARGET ${target})
      message(STATUS "sda: ${name} is left out, ${target} was not found")
      return()
    endif()
  endforeach()
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE sda::sda ${arg_LINK} sda_own)
endfunction()

# sda_add_test(source LINK ...): tests/prior/gaussian.cpp becomes the target test_prior_gaussian, its cases CTest tests.
function(sda_add_test source)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR}/tests ${CMAKE_CURRENT_SOURCE_DIR}/${source})
  string(REGEX REPLACE "\\.cpp$" "" name ${path})
  string(REPLACE "/" "_" name ${name})
  sda_add_binary(test_${name} SOURCES ${source} LINK sda_test_main ${arg_LINK})
  if(TARGET test_${name})
    catch_discover_tests(test_${name} TEST_PREFIX "${name}: " PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED")
  endif()
endfunction()
