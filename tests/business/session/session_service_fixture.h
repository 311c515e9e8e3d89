// A session service over a Redis that the tests of one file share, empty at each test's beginning.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/business/session/session_fixture.h"

namespace business {

inline constexpr char kRomeo[] = "romeo@example.org";

class SessionServiceTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { redis_ = std::make_unique<runtime::RedisServer>(); }
  static void TearDownTestSuite() { redis_.reset(); }
  void SetUp() override { redis_->Do({"FLUSHALL"}); }

  std::string TicketOf(const xylem::v1::Negotiated& bound) { return bound.ticket(); }

  static inline std::unique_ptr<runtime::RedisServer> redis_;
};

}  // namespace business
