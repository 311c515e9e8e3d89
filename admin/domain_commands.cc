#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "admin/admin_client.h"
#include "admin/invocation.h"
#include "admin/output.h"
#include "proto/admin.pb.h"

namespace admin {
namespace {

using xylem::v1::DomainList;
using xylem::v1::DomainRequest;

// People read `sentence` instead of the list, if there is one.
ExitCode Show(const DomainList& list, const std::string& sentence, Output& output) {
  Json domains = Json::array();
  std::vector<std::vector<std::string>> rows{{"DOMAIN", "FROM", "ADDED"}};
  for (const auto& domain : list.domains()) {
    domains.push_back({{"name", domain.name()},
                       {"configured", domain.configured()},
                       {"added", domain.added()}});
    rows.push_back({domain.name(), domain.configured() ? "configuration" : "run time",
                    TimeText(domain.added())});
  }
  if (output.json()) {
    output.WriteJson({{"domains", domains}});
  } else if (!sentence.empty()) {
    output.WriteLine(sentence);
  } else {
    output.WriteTable(rows);
  }
  return ExitCode::kOk;
}

ExitCode ListDomains(AdminClient& client, Output& output) {
  DomainList list;
  std::optional<Failure> failure = client.Call("ListDomains", xylem::v1::Empty(), &list);
  if (failure.has_value()) return output.Fail(*failure);
  return Show(list, "", output);
}

ExitCode AddDomain(const std::string& name, AdminClient& client, Output& output) {
  DomainRequest request;
  request.set_name(name);
  DomainList list;
  // Its second answer would be "already there".
  std::optional<Failure> failure =
      client.Call("AddDomain", request, &list, AdminClient::Repeat::kNo);
  if (failure.has_value()) return output.Fail(*failure);
  return Show(list,
              name + " is added; every server knows it within two seconds.\n"
                     "Its clients are shown the managers' certificate for it: c2s.certificates "
                     "names it, or has \"*\".",
              output);
}

ExitCode DeleteDomain(const std::string& name, AdminClient& client, Output& output) {
  DomainRequest request;
  request.set_name(name);
  DomainList list;
  std::optional<Failure> failure =
      client.Call("DeleteDomain", request, &list, AdminClient::Repeat::kNo);
  if (failure.has_value()) return output.Fail(*failure);
  return Show(list, name + " is deleted: its sessions end; its accounts are kept and cannot log in.",
              output);
}

}  // namespace

void AddDomainCommands(CLI::App* app, Invocation* invocation) {
  CLI::App* noun = app->add_subcommand("domain", "domains served: list, add and delete at run time");
  noun->require_subcommand(1);
  noun->add_subcommand("list", "list the served domains")->callback([=] {
    invocation->ask = ListDomains;
  });
  auto name = std::make_shared<std::string>();
  auto change = [&](const char* verb_name, const char* help, auto work) {
    CLI::App* verb = noun->add_subcommand(verb_name, help);
    verb->add_option("DOMAIN", *name, "as in addresses")->required()->type_name("");
    verb->callback([=] {
      invocation->ask = [=](AdminClient& client, Output& output) {
        return work(*name, client, output);
      };
    });
  };
  change("add", "serve one more domain, on every server, without a restart", AddDomain);
  change("del", "serve it no more; its accounts are kept", DeleteDomain);
}

}  // namespace admin
