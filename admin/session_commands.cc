#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "admin/admin_client.h"
#include "admin/invocation.h"
#include "admin/output.h"
#include "proto/admin.pb.h"

namespace admin {
namespace {

using xylem::v1::Session;

struct SessionOptions {
  std::string jid;
  uint32_t limit = 0;
  std::string text;
};

Json SessionJson(const Session& session) {
  return {{"jid", session.jid()},
          {"session", session.session()},
          {"manager", session.manager()},
          {"manager_incarnation", HexText(session.manager_incarnation())},
          {"connection", HexText(session.connection())},
          {"epoch", HexText(session.epoch())},
          {"available", session.available()},
          {"priority", session.priority()},
          {"since", session.since()},
          {"peer_address", session.peer_address()}};
}

std::string StateText(const Session& session) {
  if (!session.available()) return "connected";
  return "available, priority " + std::to_string(session.priority());
}

std::optional<Failure> ReadSessions(const SessionOptions& options, AdminClient& client,
                                    xylem::v1::SessionList* list) {
  xylem::v1::ListSessionsRequest request;
  request.set_jid(options.jid);
  request.set_limit(options.limit);
  return client.Call("ListSessions", request, list, AdminClient::Repeat::kYes,
                     std::chrono::seconds(60));
}

ExitCode ListSessions(const SessionOptions& options, AdminClient& client, Output& output) {
  xylem::v1::SessionList list;
  std::optional<Failure> failure = ReadSessions(options, client, &list);
  if (failure.has_value()) return output.Fail(*failure);
  Json sessions = Json::array();
  std::vector<std::vector<std::string>> rows{{"JID", "MANAGER", "SINCE", "FROM", "STATE"}};
  for (const Session& session : list.sessions()) {
    sessions.push_back(SessionJson(session));
    rows.push_back({session.jid(), session.manager(), TimeText(session.since()),
                    session.peer_address(), StateText(session)});
  }
  if (output.json()) {
    output.WriteJson({{"sessions", sessions}, {"more", list.more()}});
    return ExitCode::kOk;
  }
  output.WriteTable(rows);
  if (list.sessions().empty()) output.WriteNote("no sessions");
  if (list.more()) output.WriteNote("there are more: ask for one account, or give --limit");
  return ExitCode::kOk;
}

ExitCode ShowSession(const SessionOptions& options, AdminClient& client, Output& output) {
  if (options.jid.find('/') == std::string::npos) {
    return output.Fail({ExitCode::kUsage, "USAGE",
                        "a session has a full JID, as name@domain/resource; see session list"});
  }
  xylem::v1::SessionList list;
  std::optional<Failure> failure = ReadSessions(options, client, &list);
  if (failure.has_value()) return output.Fail(*failure);
  if (list.sessions().empty()) {
    return output.Fail({ExitCode::kNotFound, "NOT_FOUND", "there is no session " + options.jid});
  }
  const Session& session = list.sessions(0);
  if (output.json()) {
    output.WriteJson({{"session", SessionJson(session)}});
    return ExitCode::kOk;
  }
  output.WriteTable({{"SESSION", session.session()},
                     {"JID", session.jid()},
                     {"state", StateText(session)},
                     {"since", TimeText(session.since())},
                     {"from", session.peer_address()},
                     {"manager", session.manager()},
                     {"incarnation", HexText(session.manager_incarnation())},
                     {"connection", HexText(session.connection())},
                     {"epoch", HexText(session.epoch())}});
  return ExitCode::kOk;
}

ExitCode KickSession(const SessionOptions& options, AdminClient& client, Output& output) {
  xylem::v1::KickSessionRequest request;
  request.set_jid(options.jid);
  request.set_text(options.text);
  xylem::v1::KickSessionResponse response;
  std::optional<Failure> failure = client.Call("KickSession", request, &response);
  if (failure.has_value()) return output.Fail(*failure);
  if (output.json()) {
    output.WriteJson({{"kicked", response.kicked()}});
  } else {
    output.WriteLine(std::to_string(response.kicked()) +
                     (response.kicked() == 1 ? " session ended" : " sessions ended"));
  }
  return ExitCode::kOk;
}

}  // namespace

void AddSessionCommands(CLI::App* app, Invocation* invocation) {
  CLI::App* noun = app->add_subcommand("session", "who is logged in, where; end sessions");
  noun->require_subcommand(1);
  auto options = std::make_shared<SessionOptions>();

  using Action = ExitCode (*)(const SessionOptions&, AdminClient&, Output&);
  auto verb = [&](const char* name, const char* help, Action action) {
    CLI::App* added = noun->add_subcommand(name, help);
    added->callback([=] {
      invocation->ask = [=](AdminClient& client, Output& output) {
        return action(*options, client, output);
      };
    });
    return added;
  };

  CLI::App* list =
      verb("list", "list sessions of one account or of the whole cluster", ListSessions);
  list->add_option("JID", options->jid, "an account or a full JID; all without it")->type_name("");
  list->add_option("--limit", options->limit, "at most this many (default 1000, up to 10000)")
      ->type_name("N");
  CLI::App* show = verb("show", "show one session", ShowSession);
  show->add_option("JID", options->jid, "the session, as name@domain/resource")
      ->required()
      ->type_name("");
  CLI::App* kick = verb("kick", "end one session, or all of an account", KickSession);
  kick->add_option("JID", options->jid, "name@domain/resource, or name@domain for all")
      ->required()
      ->type_name("");
  kick->add_option("--text", options->text, "what the client is told, in English");
}

}  // namespace admin
