#include "business/auth/account_admin.h"

#include <algorithm>
#include <utility>

#include "business/auth/confusable_name.h"
#include "business/auth/password_workers.h"

namespace business {

using runtime::Error;
using runtime::Result;
using runtime::Task;
using xmpp::BareJid;
using Outcome = AccountAdmin::Outcome;
using Put = AccountStore::Put;

namespace {

constexpr uint32_t kDefaultPage = 1000;

// A password over the bound could be stored and never be used: PLAIN refuses it.
std::optional<std::string> Prepare(std::string_view password) {
  if (password.size() > xmpp::kMaxJidPartBytes) return std::nullopt;
  return xmpp::PreparePassword(password);
}

Outcome OutcomeOf(Put put) {
  switch (put) {
    case Put::kDone:
      return Outcome::kDone;
    case Put::kExists:
      return Outcome::kExists;
    case Put::kMissing:
      break;
  }
  return Outcome::kMissing;
}

}  // namespace

AccountAdmin::AccountAdmin(runtime::EventLoop* loop, AccountStore* store,
                           cluster::SessionRegistry* registry, PasswordWorkers* workers,
                           Options options)
    : loop_(loop),
      store_(store),
      registry_(registry),
      workers_(workers),
      scram_iterations_(std::max(options.scram_iterations, xmpp::sasl::kMinIterations)) {
  for (const std::string& domain : options.domains) {
    domains_.push_back(xmpp::NormalizeDomainpart(domain).value_or(domain));
  }
}

Task<Result<Outcome>> AccountAdmin::Add(std::string jid, std::string password) {
  loop_->AssertInLoop();
  const auto account_jid = BareJid::Parse(jid);
  if (!account_jid || IsConfusable(account_jid->local())) co_return Outcome::kBadJid;
  if (!Serves(account_jid->domain())) co_return Outcome::kForeignDomain;
  const auto prepared = Prepare(password);
  if (!prepared) co_return Outcome::kBadPassword;
  auto keys = co_await workers_->Derive(loop_, *prepared, scram_iterations_);
  if (!keys.has_value()) co_return keys.error();

  Account account;
  account.jid = *account_jid;
  account.keys = std::move(*keys);
  Result<Put> put = co_await store_->Add(std::move(account));
  Result<Outcome> outcome = co_await RaiseVersion(*account_jid, std::move(put));
  co_return outcome;
}

Task<Result<Outcome>> AccountAdmin::AddWithKeys(std::string jid,
                                                std::vector<xmpp::sasl::ScramKeys> keys) {
  loop_->AssertInLoop();
  const auto account_jid = BareJid::Parse(jid);
  if (!account_jid || IsConfusable(account_jid->local())) co_return Outcome::kBadJid;
  if (!Serves(account_jid->domain())) co_return Outcome::kForeignDomain;
  if (keys.empty()) co_return Outcome::kBadPassword;
  Account account;
  account.jid = *account_jid;
  account.keys = std::move(keys);
  Result<Put> put = co_await store_->Add(std::move(account));
  Result<Outcome> outcome = co_await RaiseVersion(*account_jid, std::move(put));
  co_return outcome;
}

Task<Result<Outcome>> AccountAdmin::SetPassword(std::string jid, std::string password) {
  loop_->AssertInLoop();
  const auto account_jid = BareJid::Parse(jid);
  if (!account_jid) co_return Outcome::kBadJid;
  const auto prepared = Prepare(password);
  if (!prepared) co_return Outcome::kBadPassword;
  auto keys = co_await workers_->Derive(loop_, *prepared, scram_iterations_);
  if (!keys.has_value()) co_return keys.error();
  Result<Put> put = co_await store_->SetKeys(*account_jid, std::move(*keys));
  Result<Outcome> outcome = co_await RaiseVersion(*account_jid, std::move(put));
  co_return outcome;
}

Task<Result<Outcome>> AccountAdmin::Delete(std::string jid) {
  loop_->AssertInLoop();
  const auto account_jid = BareJid::Parse(jid);
  if (!account_jid) co_return Outcome::kBadJid;
  Result<Put> put = co_await store_->Remove(*account_jid);
  Result<Outcome> outcome = co_await RaiseVersion(*account_jid, std::move(put));
  co_return outcome;
}

Task<Result<Outcome>> AccountAdmin::SetLocked(std::string jid, bool locked) {
  loop_->AssertInLoop();
  const auto account_jid = BareJid::Parse(jid);
  if (!account_jid) co_return Outcome::kBadJid;
  Result<Put> put = co_await store_->SetLocked(*account_jid, locked);
  Result<Outcome> outcome = co_await RaiseVersion(*account_jid, std::move(put));
  co_return outcome;
}

Task<Result<std::optional<Account>>> AccountAdmin::Get(std::string jid) {
  loop_->AssertInLoop();
  const auto account_jid = BareJid::Parse(jid);
  if (!account_jid) co_return std::optional<Account>();
  Result<std::optional<Account>> found = co_await store_->Find(*account_jid);
  co_return found;
}

Task<Result<std::vector<Account>>> AccountAdmin::List(std::string domain, std::string after,
                                                      uint32_t limit) {
  loop_->AssertInLoop();
  if (!domain.empty()) {
    auto normalized = xmpp::NormalizeDomainpart(domain);
    if (!normalized) co_return std::vector<Account>();
    domain = std::move(*normalized);
  }
  Result<std::vector<Account>> accounts =
      co_await store_->List(std::move(domain), std::move(after), limit == 0 ? kDefaultPage : limit);
  co_return accounts;
}

bool AccountAdmin::Serves(std::string_view domain) const {
  return std::find(domains_.begin(), domains_.end(), domain) != domains_.end();
}

// Also where nothing was changed or nobody knows (R4): the call may be the second try of one that
// committed and could not raise the version.
Task<Result<Outcome>> AccountAdmin::RaiseVersion(BareJid jid, Result<Put> put) {
  if (!put.has_value() && !put.error().unknown()) co_return put.error();
  const Result<uint64_t> raised = co_await registry_->RaiseVersion(jid);
  if (!put.has_value()) co_return put.error();
  if (!raised.has_value()) {
    co_return Error::Unknown("stored, but servers may use the old account for a minute: " +
                             raised.error().message);
  }
  co_return OutcomeOf(*put);
}

}  // namespace business
