// Answers the calls of proto/admin.proto: all that an operator does.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "business/admin/admin_answer.h"
#include "business/admin/admin_token.h"
#include "business/admin/doctor.h"
#include "business/admin/domain_methods.h"
#include "business/admin/manager_methods.h"
#include "business/admin/roster_methods.h"
#include "business/admin/session_methods.h"
#include "business/admin/user_export.h"
#include "business/admin/user_import.h"
#include "business/admin/user_methods.h"
#include "business/session/session_kicker.h"
#include "lib/cluster/session_registry.h"
#include "lib/runtime/event_loop.h"
#include "lib/runtime/redis_client.h"
#include "lib/runtime/rpc.h"
#include "lib/runtime/task.h"

namespace xylem::v1 {
class Empty;
}

namespace business {

class AccountAdmin;
class LinkServer;
class SessionEvents;
class Store;
struct Shard;

// One per process. Calls arrive on any thread; the work runs on loop 0 and is answered from there.
// Make it before the LinkServer that calls it; destroy it when the loops have stopped.
class AdminService {
 public:
  struct Dependencies {
    runtime::LoopGroup* loops = nullptr;
    Store* store = nullptr;
    // Of loop 0:
    AccountAdmin* accounts = nullptr;
    cluster::SessionRegistry* registry = nullptr;
    runtime::RedisClient* redis = nullptr;
    SessionEvents* events = nullptr;
    Shard* shard = nullptr;
    // It is made after this; nullptr until then. Its links(0) carry the stream errors.
    std::function<LinkServer*()> link_server;
    ManagerMethods::SessionsOf sessions_of;
    std::vector<std::string> configured_domains;
    std::function<void()> domains_changed;    // on loop 0
    std::function<std::string()> config_text;  // YAML, secrets left out
  };
  struct Options {
    std::string token;  // empty refuses every call
    std::vector<std::string> redis_addresses;
    std::vector<std::string> certificate_files;  // of the links between the tiers
  };
  AdminService(Dependencies dependencies, Options options);

  // runtime::RpcServer::Unary. Any thread; `respond` is called once.
  void Handle(const std::string& method, std::string request, const std::string& authorization,
              runtime::RpcServer::Respond respond);

 private:
  // Parses the request and starts the method; a malformed one is answered with kInvalidArgument.
  using Method = std::function<runtime::Task<AdminAnswer>(std::string request)>;

  runtime::Task<AdminAnswer> PrintConfig(xylem::v1::Empty request);
  runtime::Task<AdminAnswer> CheckStore(xylem::v1::Empty request);

  runtime::EventLoop* const loop_;
  Store* const store_;
  const std::function<std::string()> config_text_;
  const AdminToken token_;
  SessionKicker ender_;
  UserMethods users_;
  RosterMethods rosters_;
  UserImport import_;
  UserExport export_;
  SessionMethods sessions_;
  ManagerMethods managers_;
  DomainMethods domains_;
  Doctor doctor_;
  const std::map<std::string, Method, std::less<>> methods_;  // by name; the last member made
};

}  // namespace business
