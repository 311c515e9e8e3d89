#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "admin/admin_client.h"
#include "admin/invocation.h"
#include "admin/output.h"
#include "admin/password_input.h"
#include "proto/admin.pb.h"

namespace admin {
namespace {

using xylem::v1::User;

struct UserOptions {
  std::string jid;
  bool password_stdin = false;
  std::string domain, after;
  uint32_t limit = 0;  // 0 = all, page by page
};
using Options = std::shared_ptr<UserOptions>;

Json UserJson(const User& user) {
  return {{"jid", user.jid()},
          {"locked", user.locked()},
          {"created", user.created()},
          {"password_changed", user.password_changed()}};
}

std::vector<std::string> UserRow(const User& user) {
  return {user.jid(), user.locked() ? "locked" : "active", TimeText(user.created()),
          TimeText(user.password_changed())};
}

const std::vector<std::string> kHeader{"JID", "STATE", "CREATED", "PASSWORD SET"};

// The account as it is now; people read `sentence` instead, if there is one.
ExitCode Show(const User& user, const std::string& sentence, Output& output) {
  if (output.json()) {
    output.WriteJson({{"user", UserJson(user)}});
  } else if (!sentence.empty()) {
    output.WriteLine(user.jid() + " " + sentence);
  } else {
    output.WriteTable({kHeader, UserRow(user)});
  }
  return ExitCode::kOk;
}

ExitCode AddUser(const UserOptions& options, AdminClient& client, Output& output) {
  xylem::v1::AddUserRequest request;
  request.set_jid(options.jid);
  std::optional<Failure> failure = ReadPassword(options.password_stdin, request.mutable_password());
  if (failure.has_value()) return output.Fail(*failure);
  User user;
  failure = client.Call("AddUser", request, &user, AdminClient::Repeat::kNo);
  if (failure.has_value()) return output.Fail(*failure);
  return Show(user, "is added", output);
}

ExitCode SetPassword(const UserOptions& options, AdminClient& client, Output& output) {
  xylem::v1::SetPasswordRequest request;
  request.set_jid(options.jid);
  std::optional<Failure> failure = ReadPassword(options.password_stdin, request.mutable_password());
  if (failure.has_value()) return output.Fail(*failure);
  User user;
  failure = client.Call("SetPassword", request, &user);
  if (failure.has_value()) return output.Fail(*failure);
  return Show(user, "has a new password", output);
}

ExitCode DeleteUser(const UserOptions& options, AdminClient& client, Output& output) {
  xylem::v1::UserRequest request;
  request.set_jid(options.jid);
  xylem::v1::Empty done;
  std::optional<Failure> failure = client.Call("DeleteUser", request, &done);
  if (failure.has_value()) return output.Fail(*failure);
  if (output.json()) {
    output.WriteJson({{"deleted", options.jid}});
  } else {
    output.WriteLine(options.jid + " is deleted");
  }
  return ExitCode::kOk;
}

ExitCode LockUser(const UserOptions& options, bool locked, AdminClient& client, Output& output) {
  xylem::v1::LockUserRequest request;
  request.set_jid(options.jid);
  request.set_locked(locked);
  User user;
  std::optional<Failure> failure = client.Call("LockUser", request, &user);
  if (failure.has_value()) return output.Fail(*failure);
  return Show(user, locked ? "is locked, its sessions are ended" : "may log in again", output);
}

ExitCode ShowUser(const UserOptions& options, AdminClient& client, Output& output) {
  xylem::v1::UserRequest request;
  request.set_jid(options.jid);
  User user;
  std::optional<Failure> failure = client.Call("GetUser", request, &user);
  if (failure.has_value()) return output.Fail(*failure);
  return Show(user, "", output);
}

// Page by page, until there is no more or `limit` is reached.
std::optional<Failure> ReadUsers(const UserOptions& options, AdminClient& client,
                                 xylem::v1::UserList* users) {
  xylem::v1::ListUsersRequest request;
  request.set_domain(options.domain);
  request.set_after(options.after);
  for (;;) {
    const auto got = static_cast<uint32_t>(users->users_size());
    if (options.limit > 0) request.set_limit(std::min(options.limit - got, 1000u));
    xylem::v1::UserList page;
    std::optional<Failure> failure = client.Call("ListUsers", request, &page);
    if (failure.has_value()) return failure;
    users->MergeFrom(page);
    users->set_more(page.more());
    if (!page.more() || page.users().empty()) return std::nullopt;
    if (options.limit > 0 && got + static_cast<uint32_t>(page.users_size()) >= options.limit) {
      return std::nullopt;
    }
    request.set_after(page.users().rbegin()->jid());
  }
}

ExitCode ListUsers(const UserOptions& options, AdminClient& client, Output& output) {
  xylem::v1::UserList list;
  std::optional<Failure> failure = ReadUsers(options, client, &list);
  if (failure.has_value()) return output.Fail(*failure);
  Json users = Json::array();
  std::vector<std::vector<std::string>> rows{kHeader};
  for (const User& user : list.users()) {
    users.push_back(UserJson(user));
    rows.push_back(UserRow(user));
  }
  if (output.json()) {
    output.WriteJson({{"users", users}, {"more", list.more()}});
    return ExitCode::kOk;
  }
  output.WriteTable(rows);
  if (list.users().empty()) output.WriteNote("no accounts");
  if (list.more()) output.WriteNote("there are more: --after " + list.users().rbegin()->jid());
  return ExitCode::kOk;
}

void AddJid(CLI::App* verb, const Options& options) {
  verb->add_option("JID", options->jid, "the account, as name@domain")->required()->type_name("");
}

void AddPasswordStdin(CLI::App* verb, const Options& options) {
  verb->add_flag("--password-stdin", options->password_stdin,
                 "read it from standard input (one line), not from the terminal");
}

}  // namespace

void AddUserCommands(CLI::App* app, Invocation* invocation) {
  CLI::App* noun = app->add_subcommand("user", "accounts: add, delete, lock, list them");
  noun->require_subcommand(1);
  auto options = std::make_shared<UserOptions>();

  using Action = ExitCode (*)(const UserOptions&, AdminClient&, Output&);
  auto verb = [&](const char* name, const char* help, Action action) {
    CLI::App* added = noun->add_subcommand(name, help);
    added->callback([=] {
      invocation->ask = [=](AdminClient& client, Output& output) {
        return action(*options, client, output);
      };
    });
    return added;
  };

  CLI::App* add = verb("add", "add an account", AddUser);
  AddJid(add, options);
  AddPasswordStdin(add, options);
  CLI::App* passwd = verb("passwd", "give an account a new password", SetPassword);
  AddJid(passwd, options);
  AddPasswordStdin(passwd, options);
  AddJid(verb("del", "delete an account and end its sessions", DeleteUser), options);
  CLI::App* list = verb("list", "list accounts, ordered by JID", ListUsers);
  list->add_option("--domain", options->domain, "only accounts of this domain")
      ->type_name("DOMAIN");
  list->add_option("--after", options->after, "begin behind this JID")->type_name("JID");
  list->add_option("--limit", options->limit, "at most this many; all without it")->type_name("N");
  AddJid(verb("lock", "refuse an account's logins and end its sessions",
              [](const UserOptions& o, AdminClient& client, Output& output) {
                return LockUser(o, true, client, output);
              }),
         options);
  AddJid(verb("unlock", "allow an account's logins again",
              [](const UserOptions& o, AdminClient& client, Output& output) {
                return LockUser(o, false, client, output);
              }),
         options);
  AddJid(verb("show", "show one account", ShowUser), options);
}

}  // namespace admin
