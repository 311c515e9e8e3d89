// XEP-0077: In-Band Registration 2.4, for who is logged in: a new password (§3.3), and the end of
// the account (§3.2). Strangers are the Registrar's.
#include "business/features/registration.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "business/auth/account_admin.h"
#include "business/features/store_trouble.h"
#include "business/session/session_kicker.h"
#include "business/session/shard.h"
#include "lib/runtime/log.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using runtime::Result;
using xmpp::Element;
using xmpp::StanzaError;
using Outcome = AccountAdmin::Outcome;

xmpp::BareJid AccountOf(const Iq& iq) { return *xmpp::BareJid::From(iq.from); }

Task<IqReply> Get(Iq iq) {
  Element query("query", ns::kRegister);
  query.Add("registered", ns::kRegister);
  query.Add("username", ns::kRegister).AddText(std::string(iq.from.local()));
  query.Add("password", ns::kRegister);
  co_return IqReply::Result(std::move(query));
}

Task<void> EndAll(Shard* shard, xmpp::BareJid account) {
  SessionKicker kicker = KickerOf(shard);
  xmpp::StreamError error{xmpp::StreamCondition::kNotAuthorized, "The account is removed.", {}};
  const Result<uint32_t> ended = co_await kicker.End(account, {}, std::move(error));
  if (!ended) {
    runtime::LogError("account_sessions", "An account is removed, its sessions are not.",
                      {{"jid", account.ToString()}, {"err", ended.error().message}});
  }
}

Task<IqReply> Remove(Shard* shard, Iq iq) {
  const xmpp::BareJid account = AccountOf(iq);
  const Result<Outcome> outcome = co_await shard->accounts->Delete(account.ToString());
  if (!outcome) co_return StoreTrouble(outcome.error());
  // kMissing: it is the second try of one that was not answered.
  runtime::LogInfo("account_deleted", "A user removed an account.", {{"jid", account.ToString()}});
  co_return IqReply::Result().Then([shard, account] { runtime::Spawn(EndAll(shard, account)); });
}

Task<IqReply> ChangePassword(Shard* shard, Iq iq, std::string username, std::string password) {
  const auto local = xmpp::NormalizeLocalpart(username);
  if (!local || *local != iq.from.local()) {
    co_return StanzaError::NotAllowed("the name of an account cannot be changed");
  }
  const Result<Outcome> outcome =
      co_await shard->accounts->SetPassword(AccountOf(iq).ToString(), std::move(password));
  if (!outcome) co_return StoreTrouble(outcome.error());
  if (*outcome == Outcome::kBadPassword) {
    co_return StanzaError::NotAcceptable("empty, too long, or with characters that are forbidden");
  }
  if (*outcome != Outcome::kDone) co_return StanzaError::ItemNotFound();
  runtime::LogInfo("password_set", "A user changed a password.",
                   {{"jid", AccountOf(iq).ToString()}});
  co_return IqReply::Result();
}

Task<IqReply> Set(Shard* shard, RegistrationOptions options, Iq iq) {
  const Element query = iq.Payload();
  if (query.Find("remove", ns::kRegister) != nullptr) {
    // §3.2: nothing else stands beside it.
    if (query.Elements().size() != 1) co_return StanzaError::BadRequest();
    if (!options.remove_account) co_return StanzaError::NotAllowed();
    IqReply reply = co_await Remove(shard, std::move(iq));
    co_return reply;
  }
  const Element* username = query.Find("username", ns::kRegister);
  const Element* password = query.Find("password", ns::kRegister);
  if (username == nullptr || password == nullptr) co_return StanzaError::BadRequest();
  if (!options.change_password) co_return StanzaError::NotAllowed();
  IqReply reply = co_await ChangePassword(shard, std::move(iq), username->Text(), password->Text());
  co_return reply;
}

}  // namespace

Feature Registration(Shard* shard, const RegistrationOptions& options) {
  Feature feature;
  feature.name = "registration";
  feature.specs = {{.xep = 77, .version = "2.4"}};
  feature.config = "registration";
  feature.disco.server = {ns::kRegister};
  for (Addressee addressee : {Addressee::kServer, Addressee::kOwnAccount}) {
    feature.iqs.push_back({IqType::kGet, ns::kRegister, "query", addressee, Get});
    feature.iqs.push_back({IqType::kSet, ns::kRegister, "query", addressee,
                           [shard, options](Iq iq) { return Set(shard, options, std::move(iq)); }});
  }
  return feature;
}

}  // namespace business
