#include "business/admin/domain_methods.h"

#include <arpa/inet.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "lib/runtime/log.h"
#include "lib/xmpp/jid.h"
#include "proto/admin.pb.h"

namespace business {

using runtime::Result;
using runtime::Task;

namespace {

bool IsIpAddress(const std::string& name) {
  in_addr four{};
  return name.starts_with('[') || inet_pton(AF_INET, name.c_str(), &four) == 1;
}

AdminAnswer NoDomain(const std::string& name) {
  return AdminAnswer::InvalidArgument("'" + name + "' is no domain");
}

}  // namespace

bool DomainMethods::Configured(const std::string& name) const {
  return std::find(configured_.begin(), configured_.end(), name) != configured_.end();
}

Task<AdminAnswer> DomainMethods::List(xylem::v1::Empty) {
  Result<DomainList> stored = co_await store_->List();
  if (!stored) co_return AdminAnswer::Trouble("reading the domains", stored.error());
  xylem::v1::DomainList list;
  for (const std::string& name : configured_) {
    auto* domain = list.add_domains();
    domain->set_name(name);
    domain->set_configured(true);
  }
  for (const Domain& one : stored->domains) {
    const auto known = std::find(configured_.begin(), configured_.end(), one.name);
    auto* domain = known != configured_.end()
                       ? list.mutable_domains(static_cast<int>(known - configured_.begin()))
                       : list.add_domains();
    domain->set_name(one.name);
    domain->set_added(one.added);
  }
  co_return AdminAnswer::Ok(list);
}

Task<AdminAnswer> DomainMethods::Changed(const char* event, std::string name) {
  runtime::LogInfo(event, "an operator changed the served domains", {{"domain", name}});
  changed_();
  AdminAnswer answer = co_await List({});
  co_return answer;
}

Task<AdminAnswer> DomainMethods::Add(xylem::v1::DomainRequest request) {
  std::optional<std::string> name = xmpp::NormalizeDomainpart(request.name());
  if (!name.has_value()) co_return NoDomain(request.name());
  if (IsIpAddress(*name)) {
    co_return AdminAnswer::InvalidArgument("'" + *name + "' is an address, not a domain");
  }
  if (Configured(*name)) {
    co_return AdminAnswer::AlreadyExists(*name + " is served already: it is in the configuration");
  }
  Domain domain{.name = *name};
  Result<DomainStore::Put> put = co_await store_->Add(std::move(domain));
  if (!put) co_return AdminAnswer::Trouble("adding the domain", put.error());
  if (*put == DomainStore::Put::kExists) {
    co_return AdminAnswer::AlreadyExists(*name + " is served already");
  }
  AdminAnswer answer = co_await Changed("domain_added", *std::move(name));
  co_return answer;
}

Task<AdminAnswer> DomainMethods::Delete(xylem::v1::DomainRequest request) {
  std::optional<std::string> name = xmpp::NormalizeDomainpart(request.name());
  if (!name.has_value()) co_return NoDomain(request.name());
  Result<DomainStore::Put> put = co_await store_->Remove(*name);
  if (!put) co_return AdminAnswer::Trouble("deleting the domain", put.error());
  if (*put == DomainStore::Put::kMissing) {
    if (Configured(*name)) {
      co_return AdminAnswer::InvalidArgument(
          *name + " is in the configuration of the business servers: take it out of `domains` there");
    }
    co_return AdminAnswer::NotFound(*name + " is not served");
  }
  AdminAnswer answer = co_await Changed("domain_deleted", *std::move(name));
  co_return answer;
}

}  // namespace business
