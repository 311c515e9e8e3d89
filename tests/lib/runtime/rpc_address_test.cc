#include "lib/runtime/rpc_address.h"

#include <gtest/gtest.h>

namespace runtime {
namespace {

TEST(RpcAddress, LoopbackIsTheHostItself) {
  for (const char* address : {"127.0.0.1:7000", "127.8.9.10:1", "127.0.0.1", "[::1]:7000", "[::1]",
                              "localhost:7000", "localhost", "unix:/run/xylem.sock"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
}

TEST(RpcAddress, ANameThatBeginsLikeLoopbackIsNot) {
  for (const char* address :
       {"127.evil.example:1", "127.0.0.1.evil.example:1", "127.0.0.1:7000.evil.example",
        "localhost.evil.example:1", "localhost:evil", "[::1].evil.example:1", "[::1]evil:1",
        "[::1", "[127.0.0.1]:1", "[::2]:1", "::1:7000", "128.0.0.1:1", "0.0.0.0:1", "127.1:1",
        "127.0.0.1:", "127.0.0.1:123456", "", ":7000", "10.0.0.1:1"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

}  // namespace
}  // namespace runtime
