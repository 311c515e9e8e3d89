#include "business/auth/password_workers.h"

#include <set>

#include "tests/business/store/store_fixture.h"

namespace business {
namespace {

using xmpp::sasl::Hash;
using xmpp::sasl::ScramKeys;

class PasswordWorkersTest : public ::testing::Test {
 protected:
  ~PasswordWorkersTest() override { loops_.StopAndJoin(); }
  runtime::EventLoop& loop() { return loops_.at(0); }
  runtime::LoopGroup loops_{"test", 1};
};

TEST_F(PasswordWorkersTest, DeriveKeysOfEachHashThatMatchThePassword) {
  PasswordWorkers workers(2, 16);
  const auto keys = *RunOn(loop(), [&] { return workers.Derive(&loop(), "secret", 4096); });
  std::set<Hash> hashes;
  std::set<std::string> salts;
  for (const ScramKeys& key : keys) {
    hashes.insert(key.hash);
    salts.insert(key.salt);
    EXPECT_EQ(key.iterations, 4096u);
    EXPECT_TRUE(*RunOn(loop(), [&] { return workers.Check(&loop(), key, "secret"); }));
    EXPECT_FALSE(*RunOn(loop(), [&] { return workers.Check(&loop(), key, "Secret"); }));
  }
  EXPECT_EQ(hashes, (std::set<Hash>{Hash::kSha1, Hash::kSha256, Hash::kSha512}));
  EXPECT_EQ(salts.size(), 3u);
}

TEST_F(PasswordWorkersTest, RefuseWhenTooManyWait) {
  PasswordWorkers workers(1, 2);
  // Asked in one turn; the one thread takes some milliseconds for each.
  std::vector<std::future<runtime::Result<std::vector<ScramKeys>>>> asked;
  for (int i = 0; i < 50; ++i) {
    asked.push_back(StartOn(loop(), [&] { return workers.Derive(&loop(), "secret", 20000); }));
  }
  int refused = 0, done = 0;
  for (auto& future : asked) {
    const auto result = future.get();
    if (result.has_value()) {
      ++done;
    } else {
      EXPECT_EQ(result.error().kind, runtime::ErrorKind::kUnavailable);
      ++refused;
    }
  }
  EXPECT_GE(done, 2);
  EXPECT_GT(refused, 0);
}

TEST_F(PasswordWorkersTest, AnswerWhatWaitsWhenTheyStop) {
  auto workers = std::make_unique<PasswordWorkers>(1, 16);
  std::vector<std::future<runtime::Result<std::vector<ScramKeys>>>> asked;
  for (int i = 0; i < 8; ++i) {
    asked.push_back(StartOn(loop(), [&] { return workers->Derive(&loop(), "secret", 20000); }));
  }
  loops_.RunOn(0, [] {});  // all are asked
  workers.reset();
  int refused = 0;
  for (auto& future : asked) {
    const auto result = future.get();  // each is answered
    if (result.has_value()) continue;
    EXPECT_EQ(result.error().kind, runtime::ErrorKind::kUnavailable);
    ++refused;
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace business
