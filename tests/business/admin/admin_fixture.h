// What tests of this room share: the service with a real store and a real Redis; links that note
// what they are told.
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "business/admin/admin_service.h"
#include "business/auth/account_admin.h"
#include "business/auth/password_workers.h"
#include "business/link/manager_links.h"
#include "business/session/session_events.h"
#include "business/store/store.h"
#include "lib/cluster/redis_keys.h"
#include "lib/cluster/session_registry.h"
#include "lib/runtime/redis_client.h"
#include "proto/admin.pb.h"
#include "tests/business/store/store_fixture.h"
#include "tests/lib/runtime/redis_server.h"

namespace business {

// Touched on loop 0 while it runs; read by the test between calls.
class FakeLinks final : public ManagerLinks {
 public:
  struct Closed {
    cluster::Owner owner;
    xmpp::StreamError error;
  };
  void Deliver(DeliverBody, std::vector<DeliverTarget>, Done) override {}
  void Close(const cluster::Owner& owner, xmpp::StreamError error) override {
    closed.push_back({owner, std::move(error)});
  }
  bool IsLinked(const std::string&, uint64_t) const override { return true; }

  std::vector<Closed> closed;
};

class FakeLinkServer final : public LinkServer {
 public:
  ManagerLinks& links(int) override { return fake_links; }
  int port() const override { return 7000; }
  void SetGeneration(uint64_t) override {}
  void SetDraining(bool) override {}
  void SetDomains(std::vector<std::string>) override {}
  void DrainManager(const std::string& manager, bool undrain) override {
    drains.emplace_back(manager, undrain);
  }
  std::vector<ManagerInfo> managers() const override { return linked; }
  void Shutdown() override {}
  Stats stats() const override { return {}; }

  FakeLinks fake_links;
  std::vector<ManagerInfo> linked;
  std::vector<std::pair<std::string, bool>> drains;
};

class NotedEvents final : public SessionEvents {
 public:
  void OnSessionEnded(const xmpp::BareJid& account, const cluster::SessionRecord& row,
                      const std::vector<std::string>&) override {
    ended.push_back(account.ToString() + "/" + row.resource);
  }
  std::vector<std::string> ended;
};

template <typename Response>
struct Answered {
  int code = -1;
  std::string message;
  Response response;
};

constexpr int kOk = 0, kInvalidArgument = 3, kNotFound = 5, kAlreadyExists = 6, kUnimplemented = 12,
              kUnavailable = 14, kUnauthenticated = 16;

class AdminTest : public ::testing::Test {
 protected:
  static constexpr char kToken[] = "0123456789abcdef";

  void SetUp() override {
    auto opened = Store::Open({.url = "sqlite:" + dir_.File("xylem.db")});
    ASSERT_TRUE(opened);
    store_ = std::move(*opened);
    loops_.RunOn(0, [this] {
      runtime::EventLoop* loop = &loops_.at(0);
      redis_ = runtime::RedisClient::Create(loop, {.addresses = {redis_server_.address()}});
      registry_ = std::make_unique<cluster::SessionRegistry>(redis_.get());
      accounts_ = store_->Accounts(loop);
      workers_ = std::make_unique<PasswordWorkers>(1, 16);
      account_admin_ = std::make_unique<AccountAdmin>(
          loop, accounts_.get(), registry_.get(), workers_.get(),
          AccountAdmin::Options{.domains = {"example.org", "example.net"},
                                .scram_iterations = 4096});
    });
    service_ = MakeService({.token = kToken, .redis_addresses = {redis_server_.address()}});
  }

  void TearDown() override {
    service_.reset();
    loops_.RunOn(0, [this] { account_admin_.reset(); });
    workers_.reset();
    loops_.RunOn(0, [this] {
      accounts_.reset();
      registry_.reset();
      redis_.reset();
    });
    loops_.StopAndJoin();
    store_.reset();
  }

  std::unique_ptr<AdminService> MakeService(AdminService::Options options) {
    return std::make_unique<AdminService>(
        AdminService::Dependencies{
            .loops = &loops_,
            .store = store_.get(),
            .accounts = account_admin_.get(),
            .registry = registry_.get(),
            .redis = redis_.get(),
            .events = &events_,
            .link_server = [this] { return &server_; },
            .sessions_of =
                [this](int loop, const std::string& manager, uint64_t incarnation) {
                  loops_.at(loop).AssertInLoop();
                  return manager == "m1" && incarnation == 1 ? uint64_t{10} + loop : uint64_t{0};
                },
            .configured_domains = {"example.org", "example.net"},
            .domains_changed = [this] { ++domain_changes_; },
            .config_text = [] { return std::string("domains: [example.org]\n"); }},
        std::move(options));
  }

  // What any method answers to any bytes.
  Answered<std::string> CallRaw(AdminService& service, const std::string& method,
                                const std::string& bytes, const std::string& authorization) {
    auto promise = std::make_shared<std::promise<Answered<std::string>>>();
    auto future = promise->get_future();
    service.Handle(method, bytes, authorization,
                   [promise](int code, std::string message, std::string response) {
                     promise->set_value({code, std::move(message), std::move(response)});
                   });
    if (future.wait_for(std::chrono::seconds(60)) != std::future_status::ready) {
      ADD_FAILURE() << "no answer in a minute to " << method;
      abort();
    }
    return future.get();
  }

  template <typename Response>
  Answered<Response> Call(const std::string& method, const google::protobuf::MessageLite& request) {
    Answered<std::string> raw =
        CallRaw(*service_, "/xylem.v1.Admin/" + method, request.SerializeAsString(),
                "Bearer " + std::string(kToken));
    Answered<Response> answer{raw.code, raw.message, {}};
    EXPECT_EQ(raw.code == kOk, raw.message.empty()) << raw.message;
    EXPECT_TRUE(answer.response.ParseFromString(raw.response));
    return answer;
  }

  Answered<xylem::v1::User> AddUser(const std::string& jid,
                                    const std::string& password = "secret") {
    xylem::v1::AddUserRequest request;
    request.set_jid(jid);
    request.set_password(password);
    return Call<xylem::v1::User>("AddUser", request);
  }

  void Bind(const std::string& account, const std::string& resource, const std::string& manager,
            uint64_t connection = 1) {
    cluster::BindRequest request;
    request.account = xmpp::BareJid::FromNormalized(account);
    request.resource = resource;
    request.record.owner = {.manager = manager, .incarnation = 1, .connection = connection};
    request.record.session = std::string(15, 's') + static_cast<char>('a' + connection);
    request.record.since_ms = 1'700'000'000'999;
    request.record.peer_address = "192.0.2.1:5000";
    request.generation = 1;
    auto bound = RunOn(loops_.at(0), [&] { return registry_->Bind(request); });
    ASSERT_TRUE(bound);
    ASSERT_EQ(bound->kind, cluster::BindOutcome::Kind::kBound);
  }

  std::vector<std::string> Resources(const std::string& account) {
    const xmpp::BareJid jid = xmpp::BareJid::FromNormalized(account);
    auto rows = RunOn(loops_.at(0), [&] { return registry_->Lookup(jid); });
    std::vector<std::string> resources;
    for (const cluster::SessionRecord& row : *rows) resources.push_back(row.resource);
    return resources;
  }

  TempDir dir_;
  runtime::RedisServer redis_server_;
  runtime::LoopGroup loops_{"test", 2};
  std::unique_ptr<Store> store_;
  std::unique_ptr<runtime::RedisClient> redis_;
  std::unique_ptr<cluster::SessionRegistry> registry_;
  std::unique_ptr<AccountStore> accounts_;
  std::unique_ptr<PasswordWorkers> workers_;
  std::unique_ptr<AccountAdmin> account_admin_;
  FakeLinkServer server_;
  NotedEvents events_;
  int domain_changes_ = 0;
  std::unique_ptr<AdminService> service_;
};

}  // namespace business
