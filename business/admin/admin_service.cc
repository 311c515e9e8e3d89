#include "business/admin/admin_service.h"

#include <set>
#include <string_view>
#include <utility>

#include "business/link/manager_links.h"
#include "business/store/store.h"
#include "lib/runtime/log.h"
#include "proto/admin.pb.h"

namespace business {

using runtime::Task;

namespace {

constexpr std::string_view kService = "/xylem.v1.Admin/";

// What an operator needs while the store is away.
const std::set<std::string_view> kWithoutStore{"ListSessions", "KickSession", "ListManagers",
                                               "DrainManager", "PrintConfig", "Doctor"};

Task<AdminAnswer> Malformed() {
  co_return AdminAnswer::InvalidArgument("the request is malformed");
}

template <typename Room, typename Request>
std::function<Task<AdminAnswer>(std::string)> Call(Room* room,
                                                   Task<AdminAnswer> (Room::*method)(Request)) {
  return [room, method](std::string bytes) {
    Request request;
    if (!request.ParseFromString(bytes)) return Malformed();
    return (room->*method)(std::move(request));
  };
}

Task<void> Answer(Task<AdminAnswer> call, runtime::RpcServer::Respond respond) {
  AdminAnswer answer = co_await call;
  respond(static_cast<int>(answer.code), std::move(answer.message), std::move(answer.response));
}

}  // namespace

AdminService::AdminService(Dependencies d, Options options)
    : loop_(&d.loops->at(0)),
      store_(d.store),
      config_text_(std::move(d.config_text)),
      token_(options.token),
      ender_(d.registry,
             [link_server = d.link_server]() -> ManagerLinks* {
               LinkServer* server = link_server();
               return server == nullptr ? nullptr : &server->links(0);
             },
             d.events),
      users_(d.accounts, &ender_),
      rosters_(d.shard),
      import_(d.shard, d.accounts),
      export_(d.shard, d.accounts),
      sessions_(d.registry, d.redis, &ender_),
      managers_(d.loops, d.redis, d.link_server, std::move(d.sessions_of)),
      domains_(d.store->Domains(loop_), std::move(d.configured_domains),
               std::move(d.domains_changed)),
      doctor_({.loop = loop_,
               .store = d.store,
               .redis = d.redis,
               .managers = &managers_,
               .link_server = d.link_server,
               .redis_addresses = std::move(options.redis_addresses),
               .certificate_files = std::move(options.certificate_files),
               .token_bytes = options.token.size()}),
      methods_{
          {"AddUser", Call(&users_, &UserMethods::Add)},
          {"SetPassword", Call(&users_, &UserMethods::SetPassword)},
          {"DeleteUser", Call(&users_, &UserMethods::Delete)},
          {"LockUser", Call(&users_, &UserMethods::Lock)},
          {"GetUser", Call(&users_, &UserMethods::Get)},
          {"ListUsers", Call(&users_, &UserMethods::List)},
          {"ImportUsers", Call(&import_, &UserImport::Import)},
          {"ExportUser", Call(&export_, &UserExport::Export)},
          {"ListRoster", Call(&rosters_, &RosterMethods::List)},
          {"SetContact", Call(&rosters_, &RosterMethods::Set)},
          {"RemoveContact", Call(&rosters_, &RosterMethods::Remove)},
          {"ListSessions", Call(&sessions_, &SessionMethods::List)},
          {"KickSession", Call(&sessions_, &SessionMethods::Kick)},
          {"ListDomains", Call(&domains_, &DomainMethods::List)},
          {"AddDomain", Call(&domains_, &DomainMethods::Add)},
          {"DeleteDomain", Call(&domains_, &DomainMethods::Delete)},
          {"ListManagers", Call(&managers_, &ManagerMethods::List)},
          {"DrainManager", Call(&managers_, &ManagerMethods::Drain)},
          {"PrintConfig", Call(this, &AdminService::PrintConfig)},
          {"CheckStore", Call(this, &AdminService::CheckStore)},
          {"Doctor", Call(&doctor_, &Doctor::Examine)},
      } {}

void AdminService::Handle(const std::string& method, std::string request,
                          const std::string& authorization, runtime::RpcServer::Respond respond) {
  if (!token_.Admits(authorization)) {
    runtime::LogWarn("admin_refused", "a call without the admin token", {{"method", method}});
    respond(static_cast<int>(AdminCode::kUnauthenticated), "the admin token is missing or wrong",
            {});
    return;
  }
  std::string_view name = method;
  const bool ours = name.substr(0, kService.size()) == kService;
  if (ours) name.remove_prefix(kService.size());
  const auto found = methods_.find(name);
  if (!ours || found == methods_.end()) {
    respond(static_cast<int>(AdminCode::kUnimplemented), "no such method: " + method, {});
    return;
  }
  // An operator's terminal does not wait as stanzas do.
  if (const auto trouble = store_->Trouble(); trouble.has_value() && !kWithoutStore.contains(name)) {
    respond(static_cast<int>(AdminCode::kUnavailable), "the store is not reached: " + *trouble, {});
    return;
  }
  loop_->Post([call = &found->second, request = std::move(request),
               respond = std::move(respond)]() mutable {
    runtime::Spawn(Answer((*call)(std::move(request)), std::move(respond)));
  });
}

Task<AdminAnswer> AdminService::PrintConfig(xylem::v1::Empty) {
  xylem::v1::ConfigText text;
  text.set_yaml(config_text_());
  co_return AdminAnswer::Ok(text);
}

Task<AdminAnswer> AdminService::CheckStore(xylem::v1::Empty) {
  runtime::Result<Store::Report> found = co_await store_->Check(loop_);
  if (!found) co_return AdminAnswer::Trouble("checking the store", found.error());
  xylem::v1::StoreReport report;
  report.set_engine(found->engine);
  report.set_schema(found->schema);
  report.set_known(found->known);
  for (const std::string& fault : found->faults) report.add_faults(fault);
  report.set_write_us(static_cast<uint64_t>(found->write.count()));
  co_return AdminAnswer::Ok(report);
}

}  // namespace business
