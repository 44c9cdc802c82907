// SPDX-License-Identifier: Apache-2.0
// Lists its cases anywhere; runs them where there is a device, and elsewhere says that they were skipped.
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif
#include <cuda_runtime.h>

#include <cstdio>
#include <string_view>

int main(int argc, char** argv) {
  bool lists = false;
  for (int i = 1; i < argc; ++i) lists = lists || std::string_view(argv[i]).substr(0, 6) == "--list";
  int devices = 0;
  if (!lists && (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0)) {
    std::printf("SKIPPED: no CUDA device\n");
    return 0;
  }
  return Catch::Session().run(argc, argv);
}
