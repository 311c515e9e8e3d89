#include "lib/runtime/check.h"

#include <cstdio>
#include <cstdlib>

namespace runtime {

void CheckFailed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "{\"level\":\"fatal\",\"event\":\"check\",\"msg\":\"%s\",\"at\":\"%s:%d\"}\n",
               expression, file, line);
  std::abort();
}

}  // namespace runtime
