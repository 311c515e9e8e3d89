// RFC 6121 §2: rosters, with versions (§2.6) and pre-approval (§3.4).
#include "business/presence/roster_iq.h"

#include <absl/strings/numbers.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "business/presence/roster_lookup.h"
#include "business/presence/roster_push.h"
#include "business/presence/roster_set.h"
#include "business/presence/roster_writer.h"
#include "business/presence/subscriptions.h"
#include "business/session/session.h"
#include "business/session/session_flags.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using runtime::Result;
using xmpp::Element;
using xmpp::StanzaError;
using Outcome = RosterUpdate::Outcome;

// More changes than that are no shorter than the roster.
constexpr size_t kMostInterimPushes = 50;

StanzaError Trouble(const runtime::Error& error) {
  if (error.kind == runtime::ErrorKind::kFailed) return StanzaError::InternalServerError();
  return StanzaError::ResourceConstraint();
}

xmpp::BareJid AccountOf(const Iq& iq) { return *xmpp::BareJid::From(iq.from); }

IqReply Whole(const Roster& roster) {
  Element query = RosterQuery(roster.version);
  for (const RosterEntry& entry : roster.entries) {
    if (entry.item) query.Add(RosterItemElement(entry));
  }
  return IqReply::Result(std::move(query));
}

// §2.6.3: what changed since the client's version, behind an empty result. Only the last push says
// the new version: a client that leaves in between asks for the rest again.
void PushChanges(Shard* shard, const Iq& iq, int64_t since, const RosterChanges& changes) {
  const xmpp::BareJid account = AccountOf(iq);
  uint64_t number = 0;
  for (const RosterEntry& entry : changes.changed) {
    const bool last = ++number == changes.changed.size();
    const std::string origin(iq.cluster_id.begin(), iq.cluster_id.end());
    ServerStanza push = RosterPush(account, entry, last ? changes.version : since,
                                   shard->ids->Make(origin, number, {}, {}), kEffectRosterPush);
    push.to = iq.from;
    push.to_resources = false;
    push.choose = nullptr;  // this resource
    SendServerStanza(shard, std::move(push), nullptr);
  }
}

// The roster is at `newest` and the client knows `ver`. nullopt: it needs the whole.
Task<std::optional<IqReply>> Changes(Shard* shard, Iq iq, int64_t newest, std::string ver) {
  int64_t since = 0;
  if (ver.empty() || !absl::SimpleAtoi(ver, &since)) co_return std::nullopt;
  if (since == newest) co_return IqReply::Result();
  Result<RosterChanges> changes = co_await shard->stores->rosters->Since(AccountOf(iq), since);
  if (!changes || !changes->known || changes->changed.size() > kMostInterimPushes) {
    co_return std::nullopt;
  }
  auto kept = std::make_shared<const RosterChanges>(*std::move(changes));
  co_return IqReply::Result().Then(
      [shard, iq, since, kept] { PushChanges(shard, iq, since, *kept); });
}

Task<IqReply> Get(Shard* shard, Iq iq) {
  // Before the roster is read: a change that is not in what is read then is pushed (§2.1.6).
  if (iq.session) {
    const bool interested = co_await ChangeSessionFlags(iq.session, cluster::kSessionInterested, 0);
    if (!interested) co_return StanzaError::ResourceConstraint();
  }
  const Result<RosterPtr> roster = co_await shard->rosters->RosterOf(AccountOf(iq));
  if (!roster) co_return Trouble(roster.error());
  const Element query = iq.Payload();
  if (!query.HasAttribute("ver")) co_return Whole(**roster);
  std::string ver(query.Attr("ver"));
  const int64_t newest = (*roster)->version;
  std::optional<IqReply> changes = co_await Changes(shard, iq, newest, std::move(ver));
  if (changes) co_return *std::move(changes);
  co_return Whole(**roster);
}

StanzaError Refusal(Outcome outcome) {
  if (outcome == Outcome::kFull) return StanzaError::ResourceConstraint("the roster is full");
  return StanzaError::ItemNotFound();
}

Task<IqReply> Set(Shard* shard, Iq iq) {
  const xmpp::BareJid account = AccountOf(iq);
  auto read = ReadRosterSet(iq.Payload(), account);
  if (auto* error = std::get_if<StanzaError>(&read)) co_return std::move(*error);
  const RosterSet set = std::move(std::get<RosterSet>(read));
  auto effects = std::make_shared<SubscriptionEffects>();
  Result<Outcome> outcome = Outcome::kUnchanged;
  if (set.remove) {
    outcome = co_await RemoveContact(shard, account, set.contact, iq.cluster_id, effects);
  } else {
    RosterChange change;
    change.account = account;
    change.contact = set.contact;
    change.transition = [set](const RosterEntry& before) { return Apply(set, before); };
    change.id = iq.cluster_id;
    const auto update = co_await ChangeRoster(shard, std::move(change), effects->stanzas);
    if (!update) co_return Trouble(update.error());
    outcome = update->outcome;
  }
  if (!outcome) co_return Trouble(outcome.error());
  const bool absent = set.remove && *outcome == Outcome::kUnchanged && !iq.repeated;
  if (absent || *outcome == Outcome::kFull || *outcome == Outcome::kNoOwner) {
    co_return Refusal(*outcome);
  }
  co_await IssueWithPatience(shard, std::move(*effects));
  co_return IqReply::Result();
}

// §2.1.5, §2.3.3: only the account itself.
Task<IqReply> Forbidden(Iq) { co_return StanzaError::Forbidden(); }

// Others' service discovery of an account: for who may see that it is there (XEP-0030 §8).
Task<std::optional<DiscoPart>> ForContacts(Shard* shard, Iq iq, std::string node) {
  if (!node.empty()) co_return std::nullopt;
  const auto account = xmpp::BareJid::From(iq.to);
  if (!account) co_return std::nullopt;
  const auto subscribed = co_await shard->rosters->IsSubscribed(*account, iq.from);
  if (!subscribed || !*subscribed) co_return std::nullopt;
  co_return DiscoPart(std::vector<Element>());
}

std::string Offer(std::string_view name, std::string_view ns) {
  return std::string("<").append(name).append(" xmlns='").append(ns).append("'/>");
}

}  // namespace

Feature RosterManagement(Shard* shard) {
  Feature feature;
  feature.name = "roster";
  feature.specs = {{.rfc = 6121}, {.xep = 237, .version = "1.3"}};
  feature.stream_features = {[] { return Offer("ver", ns::kRosterVersions); },
                             [] { return Offer("sub", ns::kPreApproval); }};
  feature.disco.account = {ns::kRoster};
  feature.disco_extensions = {{.addressee = Addressee::kAccount,
                               .info =
                                   [shard](Iq iq, std::string node) {
                                     return ForContacts(shard, std::move(iq), std::move(node));
                                   },
                               // XEP-0030 §8: an empty list for who may know of the account.
                               .items = [shard](Iq iq, std::string node) {
                                 return ForContacts(shard, std::move(iq), std::move(node));
                               }}};
  feature.iqs = {
      {IqType::kGet, ns::kRoster, "query", Addressee::kOwnAccount,
       [shard](Iq iq) { return Get(shard, std::move(iq)); }},
      {IqType::kSet, ns::kRoster, "query", Addressee::kOwnAccount,
       [shard](Iq iq) { return Set(shard, std::move(iq)); }},
      {IqType::kGet, ns::kRoster, "query", Addressee::kAccount, Forbidden},
      {IqType::kSet, ns::kRoster, "query", Addressee::kAccount, Forbidden},
  };
  return feature;
}

}  // namespace business
