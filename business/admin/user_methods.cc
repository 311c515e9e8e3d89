#include "business/admin/user_methods.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "business/admin/page_limit.h"
#include "business/auth/account_admin.h"
#include "business/session/session_kicker.h"
#include "lib/runtime/log.h"
#include "lib/xmpp/jid.h"
#include "proto/admin.pb.h"

namespace business {

using runtime::Result;
using runtime::Task;
using xmpp::StreamCondition;
using Outcome = AccountAdmin::Outcome;

namespace {

AdminAnswer NoAccountsAddress(const std::string& jid) {
  return AdminAnswer::InvalidArgument("'" + jid + "' is no account's address (name@domain)");
}

AdminAnswer NoSuchAccount(const std::string& jid) {
  return AdminAnswer::NotFound("there is no account " + jid);
}

// What went wrong; nullopt for kDone.
std::optional<AdminAnswer> Refusal(Outcome outcome, const std::string& jid) {
  switch (outcome) {
    case Outcome::kDone:
      return std::nullopt;
    case Outcome::kExists:
      return AdminAnswer::AlreadyExists("there is an account " + jid + " already");
    case Outcome::kMissing:
      return NoSuchAccount(jid);
    case Outcome::kBadJid:
      if (!xmpp::BareJid::Parse(jid)) return NoAccountsAddress(jid);
      return AdminAnswer::InvalidArgument("the name of " + jid + " looks like another one");
    case Outcome::kForeignDomain:
      return AdminAnswer::InvalidArgument("this cluster does not serve the domain of " + jid);
    case Outcome::kBadPassword:
      return AdminAnswer::InvalidArgument(
          "the password is empty, too long, or has characters that passwords must not have "
          "(RFC 8265)");
  }
  return AdminAnswer::Unavailable("unexpected outcome");
}

void Write(const Account& account, xylem::v1::User* user) {
  user->set_jid(account.jid.ToString());
  user->set_locked(account.locked);
  user->set_created(account.created);
  user->set_password_changed(account.password_changed);
}

AdminAnswer UserAnswer(const Account& account) {
  xylem::v1::User user;
  Write(account, &user);
  return AdminAnswer::Ok(user);
}

}  // namespace

// The account as it is after a change.
Task<AdminAnswer> UserMethods::Changed(std::string jid, const char* event) {
  runtime::LogInfo(event, "an operator changed an account", {{"jid", jid}});
  Result<std::optional<Account>> account = co_await accounts_->Get(jid);
  if (!account) {
    co_return AdminAnswer::Trouble("it is done, but reading the account back failed",
                                   account.error());
  }
  if (!account->has_value()) co_return NoSuchAccount(jid);  // deleted by somebody else meanwhile
  co_return UserAnswer(**account);
}

Task<AdminAnswer> UserMethods::Add(xylem::v1::AddUserRequest request) {
  Result<Outcome> outcome = co_await accounts_->Add(request.jid(), request.password());
  if (!outcome) co_return AdminAnswer::Trouble("adding the account", outcome.error());
  std::optional<AdminAnswer> refusal = Refusal(*outcome, request.jid());
  if (refusal.has_value()) co_return *std::move(refusal);
  AdminAnswer answer = co_await Changed(request.jid(), "account_added");
  co_return answer;
}

Task<AdminAnswer> UserMethods::SetPassword(xylem::v1::SetPasswordRequest request) {
  Result<Outcome> outcome = co_await accounts_->SetPassword(request.jid(), request.password());
  if (!outcome) co_return AdminAnswer::Trouble("setting the password", outcome.error());
  std::optional<AdminAnswer> refusal = Refusal(*outcome, request.jid());
  if (refusal.has_value()) co_return *std::move(refusal);
  AdminAnswer answer = co_await Changed(request.jid(), "password_set");
  co_return answer;
}

Task<AdminAnswer> UserMethods::Delete(xylem::v1::UserRequest request) {
  const std::optional<xmpp::BareJid> jid = xmpp::BareJid::Parse(request.jid());
  if (!jid.has_value()) co_return NoAccountsAddress(request.jid());
  Result<Outcome> outcome = co_await accounts_->Delete(request.jid());
  if (!outcome) co_return AdminAnswer::Trouble("deleting the account", outcome.error());
  const bool missing = *outcome == Outcome::kMissing;
  std::optional<AdminAnswer> refusal = Refusal(*outcome, request.jid());
  if (refusal.has_value() && !missing) co_return *std::move(refusal);
  if (!missing) {
    runtime::LogInfo("account_deleted", "an operator deleted an account",
                     {{"jid", jid->ToString()}});
  }
  // Missing: the first attempt may have come this far only.
  xmpp::StreamError error{StreamCondition::kNotAuthorized, "This account was deleted.", {}};
  Result<uint32_t> ended = co_await sessions_->End(*jid, {}, std::move(error));
  if (!ended) {
    co_return AdminAnswer::Trouble(
        "the account is deleted, ending its sessions failed (repeat the call)", ended.error());
  }
  if (missing && *ended == 0) co_return *std::move(refusal);
  co_return AdminAnswer::Ok(xylem::v1::Empty());
}

Task<AdminAnswer> UserMethods::Lock(xylem::v1::LockUserRequest request) {
  const std::optional<xmpp::BareJid> jid = xmpp::BareJid::Parse(request.jid());
  if (!jid.has_value()) co_return NoAccountsAddress(request.jid());
  Result<Outcome> outcome = co_await accounts_->SetLocked(request.jid(), request.locked());
  if (!outcome) co_return AdminAnswer::Trouble("locking the account", outcome.error());
  std::optional<AdminAnswer> refusal = Refusal(*outcome, request.jid());
  if (refusal.has_value()) co_return *std::move(refusal);
  if (request.locked()) {
    xmpp::StreamError error{StreamCondition::kPolicyViolation, "This account is locked.", {}};
    Result<uint32_t> ended = co_await sessions_->End(*jid, {}, std::move(error));
    if (!ended) {
      co_return AdminAnswer::Trouble(
          "the account is locked, ending its sessions failed (repeat the call)", ended.error());
    }
  }
  AdminAnswer answer =
      co_await Changed(request.jid(), request.locked() ? "account_locked" : "account_unlocked");
  co_return answer;
}

Task<AdminAnswer> UserMethods::Get(xylem::v1::UserRequest request) {
  if (!xmpp::BareJid::Parse(request.jid())) co_return NoAccountsAddress(request.jid());
  Result<std::optional<Account>> account = co_await accounts_->Get(request.jid());
  if (!account) co_return AdminAnswer::Trouble("reading the account", account.error());
  if (!account->has_value()) co_return NoSuchAccount(request.jid());
  co_return UserAnswer(**account);
}

Task<AdminAnswer> UserMethods::List(xylem::v1::ListUsersRequest request) {
  std::string domain, after;
  if (!request.domain().empty()) {
    std::optional<std::string> normal = xmpp::NormalizeDomainpart(request.domain());
    if (!normal.has_value()) {
      co_return AdminAnswer::InvalidArgument("'" + request.domain() + "' is no domain");
    }
    domain = *std::move(normal);
  }
  if (!request.after().empty()) {
    std::optional<xmpp::BareJid> normal = xmpp::BareJid::Parse(request.after());
    if (!normal.has_value()) co_return NoAccountsAddress(request.after());
    after = normal->ToString();
  }
  const uint32_t limit = PageLimit(request.limit());
  // One more than asked for tells whether there is more.
  Result<std::vector<Account>> accounts = co_await accounts_->List(domain, after, limit + 1);
  if (!accounts) co_return AdminAnswer::Trouble("reading the accounts", accounts.error());
  xylem::v1::UserList list;
  list.set_more(accounts->size() > limit);
  const size_t shown = std::min<size_t>(accounts->size(), limit);
  for (size_t i = 0; i < shown; ++i) Write((*accounts)[i], list.add_users());
  co_return AdminAnswer::Ok(list);
}

}  // namespace business
