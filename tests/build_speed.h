// How much slower than plain code this build may be: for tests that bound what work costs. What a
// test only waits for has a deadline of its own and needs no factor.
#pragma once

namespace xylem_test {

#if defined(__SANITIZE_THREAD__)
inline constexpr int kSlowness = 15;
#elif defined(__SANITIZE_ADDRESS__)
inline constexpr int kSlowness = 5;
#else
inline constexpr int kSlowness = 1;
#endif

}  // namespace xylem_test
