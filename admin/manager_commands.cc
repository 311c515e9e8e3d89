#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "admin/admin_client.h"
#include "admin/invocation.h"
#include "admin/output.h"
#include "proto/admin.pb.h"

namespace admin {
namespace {

using xylem::v1::Manager;
using xylem::v1::ManagerList;

std::string StateText(const Manager& manager) {
  if (manager.draining()) return "draining";
  if (manager.loops_attached() > 0) return manager.lease() ? "attached" : "attached, no lease";
  return manager.lease() ? "not attached" : "gone";
}

ExitCode Show(const ManagerList& list, Output& output) {
  Json managers = Json::array();
  std::vector<std::vector<std::string>> rows{
      {"MANAGER", "INCARNATION", "STATE", "LOOPS", "SESSIONS HERE"}};
  for (const Manager& manager : list.managers()) {
    managers.push_back({{"instance", manager.instance()},
                        {"incarnation", HexText(manager.incarnation())},
                        {"loops_attached", manager.loops_attached()},
                        {"sessions", manager.sessions()},
                        {"draining", manager.draining()},
                        {"lease", manager.lease()}});
    rows.push_back({manager.instance(), HexText(manager.incarnation()), StateText(manager),
                    std::to_string(manager.loops_attached()), std::to_string(manager.sessions())});
  }
  if (output.json()) {
    output.WriteJson({{"managers", managers}});
    return ExitCode::kOk;
  }
  output.WriteTable(rows);
  if (list.managers().empty()) output.WriteNote("no connection managers");
  return ExitCode::kOk;
}

ExitCode ListManagers(AdminClient& client, Output& output) {
  ManagerList list;
  std::optional<Failure> failure = client.Call("ListManagers", xylem::v1::Empty(), &list);
  if (failure.has_value()) return output.Fail(*failure);
  return Show(list, output);
}

ExitCode DrainManager(const std::string& instance, bool undrain, AdminClient& client,
                      Output& output) {
  xylem::v1::DrainManagerRequest request;
  request.set_instance(instance);
  request.set_undrain(undrain);
  ManagerList list;
  std::optional<Failure> failure = client.Call("DrainManager", request, &list);
  if (failure.has_value()) return output.Fail(*failure);
  return Show(list, output);
}

}  // namespace

void AddManagerCommands(CLI::App* app, Invocation* invocation) {
  CLI::App* noun =
      app->add_subcommand("manager", "connection managers: list, drain before maintenance");
  noun->require_subcommand(1);
  noun->add_subcommand("list", "list connection managers")->callback([=] {
    invocation->ask = ListManagers;
  });

  auto instance = std::make_shared<std::string>();
  auto order = [&](const char* name, const char* help, bool undrain) {
    CLI::App* verb = noun->add_subcommand(name, help);
    verb->add_option("INSTANCE", *instance, "the manager, as `manager list` names it")
        ->required()
        ->type_name("");
    verb->callback([=] {
      invocation->ask = [=](AdminClient& client, Output& output) {
        return DrainManager(*instance, undrain, client, output);
      };
    });
  };
  order("drain", "take no new connections and move the clients away, paced", false);
  order("undrain", "take connections again", true);
}

}  // namespace admin
