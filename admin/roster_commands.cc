#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "admin/admin_client.h"
#include "admin/invocation.h"
#include "admin/output.h"
#include "proto/admin.pb.h"

namespace admin {
namespace {

using xylem::v1::Contact;
using xylem::v1::Roster;

struct RosterOptions {
  std::string jid, contact, name, subscription;
  std::vector<std::string> groups;
  bool mirror = false;
};

std::string GroupsText(const Contact& contact) {
  std::string text;
  for (const std::string& group : contact.groups()) text += (text.empty() ? "" : ", ") + group;
  return text.empty() ? "-" : text;
}

std::string SubscriptionText(const Contact& contact) {
  return contact.subscription() + (contact.ask() ? ", asked" : "") +
         (contact.approved() ? ", approved" : "");
}

ExitCode Show(const Roster& roster, Output& output) {
  Json contacts = Json::array(), requests = Json::array();
  std::vector<std::vector<std::string>> rows{{"CONTACT", "NAME", "SUBSCRIPTION", "GROUPS"}};
  for (const Contact& contact : roster.contacts()) {
    Json groups = Json::array();
    for (const std::string& group : contact.groups()) groups.push_back(group);
    contacts.push_back({{"jid", contact.jid()},
                        {"name", contact.name()},
                        {"subscription", contact.subscription()},
                        {"ask", contact.ask()},
                        {"approved", contact.approved()},
                        {"groups", groups}});
    rows.push_back({contact.jid(), contact.name().empty() ? "-" : contact.name(),
                    SubscriptionText(contact), GroupsText(contact)});
  }
  for (const std::string& jid : roster.requests()) requests.push_back(jid);
  if (output.json()) {
    output.WriteJson({{"jid", roster.jid()},
                      {"version", roster.version()},
                      {"contacts", contacts},
                      {"requests", requests}});
    return ExitCode::kOk;
  }
  output.WriteTable(rows);
  if (roster.contacts().empty()) output.WriteNote("no contacts");
  for (const std::string& jid : roster.requests()) {
    output.WriteNote(jid + " has asked to subscribe and waits for an answer");
  }
  return ExitCode::kOk;
}

ExitCode ListRoster(const RosterOptions& options, AdminClient& client, Output& output) {
  xylem::v1::RosterRequest request;
  request.set_jid(options.jid);
  Roster roster;
  std::optional<Failure> failure = client.Call("ListRoster", request, &roster);
  if (failure.has_value()) return output.Fail(*failure);
  return Show(roster, output);
}

ExitCode SetContact(const RosterOptions& options, AdminClient& client, Output& output) {
  xylem::v1::SetContactRequest request;
  request.set_jid(options.jid);
  request.set_contact(options.contact);
  request.set_name(options.name);
  request.set_subscription(options.subscription);
  for (const std::string& group : options.groups) request.add_groups(group);
  request.set_mirror(options.mirror);
  Roster roster;
  std::optional<Failure> failure = client.Call("SetContact", request, &roster);
  if (failure.has_value()) return output.Fail(*failure);
  return Show(roster, output);
}

ExitCode RemoveContact(const RosterOptions& options, AdminClient& client, Output& output) {
  xylem::v1::RemoveContactRequest request;
  request.set_jid(options.jid);
  request.set_contact(options.contact);
  Roster roster;
  std::optional<Failure> failure =
      client.Call("RemoveContact", request, &roster, AdminClient::Repeat::kNo);
  if (failure.has_value()) return output.Fail(*failure);
  return Show(roster, output);
}

}  // namespace

void AddRosterCommands(CLI::App* app, Invocation* invocation) {
  CLI::App* noun = app->add_subcommand("roster", "who is whose contact");
  noun->require_subcommand(1);
  auto options = std::make_shared<RosterOptions>();

  using Action = ExitCode (*)(const RosterOptions&, AdminClient&, Output&);
  auto verb = [&](const char* name, const char* help, Action action) {
    CLI::App* added = noun->add_subcommand(name, help);
    added->callback([=] {
      invocation->ask = [=](AdminClient& client, Output& output) {
        return action(*options, client, output);
      };
    });
    added->add_option("USER", options->jid, "the account, as name@domain")
        ->required()
        ->type_name("");
    return added;
  };
  const auto contact = [&](CLI::App* added) {
    added->add_option("CONTACT", options->contact, "whom its roster names")
        ->required()
        ->type_name("");
  };

  verb("list", "list an account's contacts, and who has asked to become one", ListRoster);
  CLI::App* set = verb("set", "add a contact, or change what stands", SetContact);
  contact(set);
  set->add_option("--name", options->name, "how the account calls it (default: no name)");
  set->add_option("--group", options->groups, "a group it is in; may be repeated (default: none)")
      ->type_name("GROUP");
  set->add_option("--subscription", options->subscription,
                  "none, to, from or both (default: as it stands)");
  set->add_flag("--mirror", options->mirror, "set the contact's side of the subscription, too");
  contact(verb("remove", "remove a contact and both subscriptions", RemoveContact));
}

}  // namespace admin
