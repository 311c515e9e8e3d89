// A broken invariant of ours stops the process; the cluster carries on (style: errors).
#pragma once

namespace runtime {
[[noreturn]] void CheckFailed(const char* expression, const char* file, int line);
}

#define CHECK(expression)                                                   \
  (__builtin_expect(static_cast<bool>(expression), 1)                       \
       ? static_cast<void>(0)                                               \
       : ::runtime::CheckFailed(#expression, __FILE__, __LINE__))
