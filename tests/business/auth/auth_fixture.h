// What tests of this room share: one loop with Redis, a store, the cache and the administration,
// all real.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "business/auth/account_admin.h"
#include "business/auth/account_cache.h"
#include "business/auth/password_workers.h"
#include "business/store/store.h"
#include "lib/cluster/session_registry.h"
#include "lib/runtime/redis_client.h"
#include "tests/business/auth/redis_server.h"
#include "tests/business/store/store_fixture.h"

namespace business {

// Counts what reaches the store, and fails it on demand.
class WatchedAccounts : public AccountStore {
 public:
  explicit WatchedAccounts(std::unique_ptr<AccountStore> under) : under_(std::move(under)) {}

  runtime::Task<runtime::Result<std::optional<Account>>> Find(xmpp::BareJid jid) override {
    ++finds;
    if (broken) co_return runtime::Error::Unavailable("broken by the test");
    auto found = co_await under_->Find(std::move(jid));
    co_return found;
  }
  runtime::Task<runtime::Result<Put>> Add(Account account) override {
    return under_->Add(std::move(account));
  }
  runtime::Task<runtime::Result<Put>> SetKeys(xmpp::BareJid jid,
                                              std::vector<xmpp::sasl::ScramKeys> keys) override {
    return under_->SetKeys(std::move(jid), std::move(keys));
  }
  runtime::Task<runtime::Result<Put>> SetLocked(xmpp::BareJid jid, bool locked) override {
    return under_->SetLocked(std::move(jid), locked);
  }
  runtime::Task<runtime::Result<Put>> Remove(xmpp::BareJid jid) override {
    return under_->Remove(std::move(jid));
  }
  runtime::Task<runtime::Result<std::vector<Account>>> List(std::string domain, std::string after,
                                                            uint32_t limit) override {
    return under_->List(std::move(domain), std::move(after), limit);
  }

  std::atomic<int> finds{0};
  std::atomic<bool> broken{false};

 private:
  std::unique_ptr<AccountStore> under_;
};

class AuthTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kIterations = 4096;

  void SetUp() override {
    auto opened = Store::Open({.url = "sqlite:" + dir_.File("xylem.db")});
    ASSERT_TRUE(opened);
    store_ = std::move(*opened);
    OnLoop([this] {
      redis_ = runtime::RedisClient::Create(&loop(), {.addresses = {redis_server_.address()}});
      registry_ = std::make_unique<cluster::SessionRegistry>(redis_.get());
      accounts_ = std::make_unique<WatchedAccounts>(store_->Accounts(&loop()));
      workers_ = std::make_unique<PasswordWorkers>(1, 16);
      cache_ = MakeCache(std::chrono::seconds(60));
      admin_ = std::make_unique<AccountAdmin>(
          &loop(), accounts_.get(), registry_.get(), workers_.get(),
          AccountAdmin::Options{.domains = {"example.org", "EXAMPLE.net"},
                                .scram_iterations = kIterations});
    });
  }

  void TearDown() override {
    OnLoop([this] {
      admin_.reset();
      cache_.reset();
    });
    workers_.reset();
    OnLoop([this] {
      accounts_.reset();
      registry_.reset();
      redis_.reset();
    });
    store_.reset();
    loops_.StopAndJoin();
  }

  runtime::EventLoop& loop() { return loops_.at(0); }
  void OnLoop(runtime::Callback work) { loops_.RunOn(0, std::move(work)); }

  std::unique_ptr<AccountCache> MakeCache(std::chrono::milliseconds keep, size_t max = 100) {
    return std::make_unique<AccountCache>(&loop(), accounts_.get(), registry_.get(), keep, max);
  }
  static xmpp::BareJid Jid(const std::string& jid) { return xmpp::BareJid::FromNormalized(jid); }

  AccountAdmin::Outcome Add(const std::string& jid, const std::string& password) {
    return *RunOn(loop(), [=, this] { return admin_->Add(jid, password); });
  }
  AccountAdmin::Outcome SetPassword(const std::string& jid, const std::string& password) {
    return *RunOn(loop(), [=, this] { return admin_->SetPassword(jid, password); });
  }
  AccountAdmin::Outcome SetLocked(const std::string& jid, bool locked) {
    return *RunOn(loop(), [=, this] { return admin_->SetLocked(jid, locked); });
  }
  AccountAdmin::Outcome Delete(const std::string& jid) {
    return *RunOn(loop(), [=, this] { return admin_->Delete(jid); });
  }
  AccountCache::AccountPtr Find(AccountCache& cache, const std::string& jid) {
    return *RunOn(loop(), [&cache, jid] { return cache.Find(Jid(jid)); });
  }
  uint64_t Version(const std::string& jid) {
    // The JID has to outlive the call: the registry takes it by reference.
    const xmpp::BareJid account = Jid(jid);
    return *RunOn(loop(), [&] { return registry_->Version(account); });
  }

  TempDir dir_;
  RedisServer redis_server_;
  runtime::LoopGroup loops_{"test", 1};
  std::unique_ptr<Store> store_;
  std::unique_ptr<runtime::RedisClient> redis_;
  std::unique_ptr<cluster::SessionRegistry> registry_;
  std::unique_ptr<WatchedAccounts> accounts_;
  std::unique_ptr<PasswordWorkers> workers_;
  std::unique_ptr<AccountCache> cache_;
  std::unique_ptr<AccountAdmin> admin_;
};

}  // namespace business
