# SPDX-License-Identifier: Apache-2.0
# How this project's own tests, examples and benchmarks are built. Nothing here reaches a user of sda::sda.

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_CXX_EXTENSIONS OFF)

if(TARGET sda::cuda)
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80 90)
  endif()
  enable_language(CUDA)
endif()

if(SDA_NATIVE AND NOT CMAKE_CROSSCOMPILING)
  include(CheckCXXSourceRuns)
  set(CMAKE_REQUIRED_FLAGS -march=x86-64-v3)
  check_cxx_source_runs("
    int main() {
      return !(__builtin_cpu_supports(\"avx2\") && __builtin_cpu_supports(\"fma\") && __builtin_cpu_supports(\"bmi2\"));
    }" SDA_X86_64_V3)
  unset(CMAKE_REQUIRED_FLAGS)
endif()

set(sda_warnings -Wall -Wextra -Wpedantic -Wshadow)
add_library(sda_own INTERFACE)
target_compile_options(sda_own INTERFACE
  "$<$<COMPILE_LANGUAGE:CXX>:${sda_warnings};$<$<AND:$<BOOL:${SDA_NATIVE}>,$<BOOL:${SDA_X86_64_V3}>>:-march=x86-64-v3>>"
  "$<$<COMPILE_LANGUAGE:CUDA>:-std=c++20;-Xcompiler=-Wall,-Wextra,-Wshadow;-DEIGEN_NO_CUDA>")
target_link_libraries(sda_own INTERFACE $<TARGET_NAME_IF_EXISTS:sda::openmp>)

# Tests run for moments and compile for minutes. What they test is built at -O3 too, as examples and benchmarks.
set(SDA_TEST_OPTIONS -O1 CACHE STRING "Options of Release builds of the tests")
set(sda_test_options "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>" "$<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:CXX>>:${SDA_TEST_OPTIONS}>")

# Headers that are read once for all who share them, with g++ and without a launcher (ccache, which spares more): LibTorch's are most of
# the work for a source that includes them. sda_precompile(name HEADERS ... OPTIONS ... LINK ...) and, for whoever is built with the same
# options, sda_share(target name).
function(sda_precompile name)
  cmake_parse_arguments(arg "" "" "HEADERS;OPTIONS;LINK" ${ARGN})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    if(NOT EXISTS ${PROJECT_BINARY_DIR}/${name}.cpp)
      file(WRITE ${PROJECT_BINARY_DIR}/${name}.cpp "")
    endif()
    add_library(${name} OBJECT ${PROJECT_BINARY_DIR}/${name}.cpp)
    target_link_libraries(${name} PRIVATE sda::sda ${arg_LINK} sda_own)
    target_compile_options(${name} PRIVATE ${arg_OPTIONS})
    target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
  endif()
endfunction()
function(sda_share target name)
  if(TARGET ${name})
    target_precompile_headers(${target} REUSE_FROM ${name})
  endif()
endfunction()
if(TARGET sda::torch)
  sda_precompile(sda_torch_headers HEADERS <torch/torch.h> LINK sda::torch)
endif()

# sda_add_binary(name SOURCES ... LINK ...): left out, with a word, where one of the targets it links is missing.
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

# sda_add_test(source [PREFIX word] LINK ...): tests/prior/gaussian.cpp becomes the target test_prior_gaussian, its cases CTest
# tests. Sources elsewhere are called test_word_FILE.
function(sda_add_test source)
  cmake_parse_arguments(arg "" "PREFIX" "LINK" ${ARGN})
  file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR}/tests ${CMAKE_CURRENT_SOURCE_DIR}/${source})
  if(arg_PREFIX)
    get_filename_component(file ${source} NAME)
    set(path ${arg_PREFIX}/${file})
  endif()
  string(REGEX REPLACE "\\.[a-z]+$" "" name ${path})
  string(REPLACE "/" "_" name ${name})
  sda_add_binary(test_${name} SOURCES ${source} LINK sda_test_main ${arg_LINK})
  if(TARGET test_${name})
    target_compile_options(test_${name} PRIVATE ${sda_test_options})
    if(arg_LINK MATCHES "sda::torch")
      sda_share(test_${name} sda_torch_test_headers)
    elseif(NOT arg_PREFIX)
      sda_share(test_${name} sda_test_headers)
    endif()
    catch_discover_tests(test_${name} TEST_PREFIX "${name}: " PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED")
  endif()
endfunction()
