#include "business/admin/roster_methods.h"

#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "business/presence/roster_set.h"
#include "business/presence/roster_writer.h"
#include "business/presence/subscriptions.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/runtime/log.h"
#include "lib/xmpp/namespaces.h"
#include "lib/xmpp/sasl/scram_keys.h"
#include "proto/admin.pb.h"

namespace business {

using runtime::Result;
using runtime::Task;
using Outcome = RosterUpdate::Outcome;

namespace {

constexpr const char* kNames[] = {"none", "to", "from", "both"};

std::optional<Subscription> SubscriptionOf(const std::string& name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (name == kNames[i]) return static_cast<Subscription>(i);
  }
  return std::nullopt;
}

Subscription Mirrored(Subscription subscription) {
  const auto bits = static_cast<uint8_t>(subscription);
  return static_cast<Subscription>((bits & 1) << 1 | bits >> 1);
}

AdminAnswer NoAccount(const std::string& jid) {
  return AdminAnswer::NotFound("there is no account " + jid);
}

// Nothing of it comes again: an operator repeats a call, not a stanza.
cluster::ClusterId NewId(Shard* shard) {
  return shard->ids->Make(xmpp::sasl::RandomBytes(16), 0, {}, "admin");
}

void Write(const RosterEntry& entry, xylem::v1::Roster* roster) {
  if (entry.request) roster->add_requests(entry.contact.ToString());
  if (!entry.item) return;
  xylem::v1::Contact* contact = roster->add_contacts();
  contact->set_jid(entry.contact.ToString());
  contact->set_name(entry.item->name);
  contact->set_subscription(kNames[static_cast<size_t>(entry.item->subscription) & 3]);
  contact->set_ask(entry.item->ask);
  contact->set_approved(entry.item->approved);
  for (const std::string& group : entry.item->groups) contact->add_groups(group);
}

// By the same rules as a client's.
std::variant<RosterSet, AdminAnswer> Read(const xylem::v1::SetContactRequest& request,
                                          const xmpp::BareJid& account) {
  xmpp::Element query("query", xmpp::ns::kRoster);
  xmpp::Element& item = query.Add("item", xmpp::ns::kRoster);
  item.SetAttr("jid", request.contact());
  item.SetAttr("name", request.name());
  for (const std::string& group : request.groups()) {
    item.Add("group", xmpp::ns::kRoster).AddText(group);
  }
  auto read = ReadRosterSet(query, account);
  if (auto* error = std::get_if<xmpp::StanzaError>(&read)) {
    const std::string why = error->text.empty() ? "it is no address" : error->text;
    return AdminAnswer::InvalidArgument("'" + request.contact() + "': " + why);
  }
  return std::get<RosterSet>(std::move(read));
}

}  // namespace

Task<AdminAnswer> RosterMethods::ListOf(std::string jid) {
  const auto account = xmpp::BareJid::Parse(jid);
  if (!account) {
    co_return AdminAnswer::InvalidArgument("'" + jid + "' is no account's address (name@domain)");
  }
  const auto found = co_await shard_->stores->accounts->Find(*account);
  if (!found) co_return AdminAnswer::Trouble("reading the account", found.error());
  if (!found->has_value()) co_return NoAccount(jid);
  const Result<Roster> roster = co_await shard_->stores->rosters->Load(*account);
  if (!roster) co_return AdminAnswer::Trouble("reading the roster", roster.error());
  xylem::v1::Roster answer;
  answer.set_jid(account->ToString());
  answer.set_version(roster->version);
  for (const RosterEntry& entry : roster->entries) Write(entry, &answer);
  co_return AdminAnswer::Ok(answer);
}

Task<AdminAnswer> RosterMethods::List(xylem::v1::RosterRequest request) {
  return ListOf(request.jid());
}

Task<AdminAnswer> RosterMethods::Set(xylem::v1::SetContactRequest request) {
  const auto account = xmpp::BareJid::Parse(request.jid());
  if (!account) {
    co_return AdminAnswer::InvalidArgument("'" + request.jid() +
                                           "' is no account's address (name@domain)");
  }
  const auto subscription = SubscriptionOf(request.subscription());
  if (!subscription && !request.subscription().empty()) {
    co_return AdminAnswer::InvalidArgument("a subscription is none, to, from or both");
  }
  auto read = Read(request, *account);
  if (auto* refusal = std::get_if<AdminAnswer>(&read)) co_return std::move(*refusal);
  const RosterSet set = std::get<RosterSet>(std::move(read));
  const auto contact = xmpp::BareJid::From(set.contact);
  if (request.mirror() && (!contact || !subscription || !shard_->Serves(contact->domain()))) {
    co_return AdminAnswer::InvalidArgument(
        "the other side can be set for an account of this cluster, with a subscription");
  }
  auto effects = std::make_shared<SubscriptionEffects>();
  const cluster::ClusterId id = NewId(shard_);
  RosterChange change;
  change.account = *account;
  change.contact = set.contact;
  change.transition = [set, subscription](const RosterEntry& before) {
    RosterEntry after = Apply(set, before);
    if (subscription) after.item->subscription = *subscription;
    return after;
  };
  change.id = id;
  const auto update = co_await ChangeRoster(shard_, std::move(change), effects->stanzas);
  if (!update) co_return AdminAnswer::Trouble("changing the roster", update.error());
  if (update->outcome == Outcome::kNoOwner) co_return NoAccount(request.jid());
  if (update->outcome == Outcome::kFull) {
    co_return AdminAnswer::InvalidArgument("the roster is full");
  }
  if (request.mirror()) {
    RosterChange other;
    other.account = *contact;
    other.contact = *account;
    other.transition = [subscription](const RosterEntry& before) {
      RosterEntry after = before;
      if (!after.item) after.item.emplace();
      after.item->subscription = Mirrored(*subscription);
      after.item->ask = false;
      after.request.reset();
      return after;
    };
    other.id = id;
    other.cause = kEffectContactChange;
    other.push = kEffectContactPush;
    const auto mirrored = co_await ChangeRoster(shard_, std::move(other), effects->stanzas);
    if (!mirrored) co_return AdminAnswer::Trouble("changing the other side", mirrored.error());
    if (mirrored->outcome == Outcome::kNoOwner) co_return NoAccount(contact->ToString());
  }
  runtime::LogInfo("roster_changed", "an operator changed a roster",
                   {{"jid", account->ToString()}, {"contact", set.contact.ToString()}});
  IssueSubscriptionEffects(shard_, std::move(*effects), nullptr);
  AdminAnswer answer = co_await ListOf(request.jid());
  co_return answer;
}

Task<AdminAnswer> RosterMethods::Remove(xylem::v1::RemoveContactRequest request) {
  const auto account = xmpp::BareJid::Parse(request.jid());
  const auto contact = xmpp::Jid::Parse(request.contact());
  if (!account || !contact) {
    co_return AdminAnswer::InvalidArgument("'" + (account ? request.contact() : request.jid()) +
                                           "' is no address");
  }
  auto effects = std::make_shared<SubscriptionEffects>();
  const auto outcome = co_await RemoveContact(shard_, *account, *contact, NewId(shard_), effects);
  if (!outcome) co_return AdminAnswer::Trouble("removing the contact", outcome.error());
  if (*outcome == Outcome::kNoOwner) co_return NoAccount(request.jid());
  if (*outcome == Outcome::kUnchanged) {
    co_return AdminAnswer::NotFound(contact->ToString() + " is not in the roster of " +
                                    account->ToString());
  }
  runtime::LogInfo("contact_removed", "an operator changed a roster",
                   {{"jid", account->ToString()}, {"contact", contact->ToString()}});
  IssueSubscriptionEffects(shard_, std::move(*effects), nullptr);
  AdminAnswer answer = co_await ListOf(request.jid());
  co_return answer;
}

}  // namespace business
