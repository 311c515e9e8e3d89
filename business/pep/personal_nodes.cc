#include "business/pep/personal_nodes.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "business/presence/presence_audience.h"
#include "business/presence/roster_lookup.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/runtime/metrics.h"

namespace business {
namespace {

using cluster::SessionRecord;
using runtime::Result;

constexpr std::chrono::milliseconds kTellFor{1000};
constexpr size_t kBucketsKept = 10000;
// Effects of one cause beyond the first (account_delivery.h).
constexpr uint16_t kMoreEvents = 1000;

// Comes when it is set or after a while, whichever is first.
struct Patience {
  runtime::OneShot<bool> over;
  void Done() {
    if (!over.is_set()) over.Set(true);
  }
};

PubsubAsker AskerIn(const Roster& roster, const xmpp::Jid& who) {
  PubsubAsker asker;
  asker.jid = who;
  const RosterItem* item = FindItem(roster, who);
  if (item != nullptr) {
    asker.presence = HasFrom(*item);
    asker.groups = item->groups;
  }
  return asker;
}

PubsubAffiliation AffiliationIn(const PubsubEvent& event, std::string_view bare) {
  for (const PubsubAffiliate& one : event.affiliates) {
    if (one.jid.BareView() == bare) return one.affiliation;
  }
  return PubsubAffiliation::kNone;
}

runtime::Counter& Throttled() {
  static runtime::Counter& counter = runtime::Metrics::Get().GetCounter(
      "xylem_pep_throttled_total", "Changes refused because their account notified too much");
  return counter;
}

}  // namespace

PersonalNodes::PersonalNodes(Shard* shard, PepOptions options)
    : shard_(shard),
      options_(std::move(options)),
      caps_(std::make_shared<CapsCache>(shard)),
      last_items_(shard) {}

const PubsubService& PersonalNodes::service() {
  if (!service_) {
    service_ = std::make_unique<PubsubService>(shard_->stores->pubsub.get(), options_.rules);
  }
  return *service_;
}

PubsubAsker PersonalNodes::OwnerOf(const xmpp::Jid& account) {
  PubsubAsker asker;
  asker.jid = account;
  asker.service = true;
  return asker;
}

Task<Result<PubsubAsker>> PersonalNodes::AskerOf(xmpp::BareJid owner, xmpp::Jid who) {
  if (who.BareView() == owner.ToString()) co_return OwnerOf(who);
  const Result<RosterPtr> roster = co_await shard_->rosters->RosterOf(owner);
  if (!roster) co_return roster.error();
  co_return AskerIn(**roster, who);
}

void PersonalNodes::Watch(std::string_view node, Follow follow) {
  watches_.emplace_back(node, std::move(follow));
}

Task<Result<void>> PersonalNodes::FollowUp(std::string node, Iq iq) {
  for (const auto& [watched, follow] : watches_) {
    if (watched != node) continue;
    Result<void> followed = co_await follow(iq);
    if (!followed) co_return followed;
  }
  co_return Result<void>();
}

// ---- how much ----

PersonalNodes::Bucket& PersonalNodes::BucketOf(const std::string& owner) {
  const uint64_t now = shard_->loop->NowMs();
  const double burst = options_.notification_burst;
  const auto refill = [&](Bucket& bucket) {
    const double seconds = static_cast<double>(now - bucket.at_ms) / 1000;
    bucket.tokens = std::min(burst, bucket.tokens + seconds * options_.notifications_per_second);
    bucket.at_ms = now;
  };
  if (buckets_.size() > kBucketsKept) {
    absl::erase_if(buckets_, [&](auto& entry) {
      refill(entry.second);
      return entry.second.tokens >= burst;
    });
  }
  Bucket& bucket = buckets_.try_emplace(owner, Bucket{burst, now}).first->second;
  refill(bucket);
  return bucket;
}

bool PersonalNodes::MayNotify(const xmpp::BareJid& owner) {
  if (options_.notifications_per_second == 0) return true;
  if (BucketOf(owner.ToString()).tokens >= 1) return true;
  Throttled().Add();
  return false;
}

void PersonalNodes::Spend(const xmpp::BareJid& owner, size_t notifications) {
  if (options_.notifications_per_second == 0) return;
  BucketOf(owner.ToString()).tokens -= static_cast<double>(std::max<size_t>(notifications, 1));
}

// ---- who is told ----

Task<std::vector<PersonalNodes::Listener>> PersonalNodes::ListenersOf(xmpp::BareJid owner,
                                                                      const PubsubEvent* event) {
  std::vector<Listener> listeners;
  const PresenceAudience audience = co_await AudienceOf(shard_, owner);
  static const Roster kNobody;
  const Roster& roster = audience.roster ? *audience.roster : kNobody;
  const auto add = [&](xmpp::BareJid account, bool presence) -> Listener& {
    for (Listener& known : listeners) {
      if (known.account == account) return known;
    }
    Listener& listener = listeners.emplace_back();
    listener.account = std::move(account);
    listener.presence = presence;
    return listener;
  };
  if (event->only.empty()) {
    listeners.reserve(audience.told.size() + event->subscriptions.size() + 1);
    Listener own;
    own.account = owner;
    own.presence = true;
    listeners.push_back(std::move(own));
    for (const xmpp::BareJid& contact : audience.told) {
      // XEP-0163 §2.3: the owner has to know the contact's presence, too.
      if (!WeSubscribeTo(roster, contact)) continue;
      const PubsubAsker asker = AskerIn(roster, contact);
      const PubsubAffiliation affiliation = AffiliationIn(*event, contact.ToString());
      if (MayRead(event->config, affiliation, false, asker)) continue;
      Listener listener;
      listener.account = contact;
      listener.presence = true;
      listeners.push_back(std::move(listener));
    }
  }
  std::vector<xmpp::Jid> explicitly;
  if (!event->only.empty()) explicitly.push_back(event->only);
  for (const PubsubSubscription& one : event->subscriptions) {
    if (one.state == PubsubSubscription::State::kSubscribed) explicitly.push_back(one.jid);
  }
  for (const xmpp::Jid& jid : explicitly) {
    auto account = xmpp::BareJid::From(jid);
    if (!account || !shard_->Serves(account->domain())) continue;
    PubsubAsker asker = AskerIn(roster, jid);
    asker.service = *account == owner;
    const PubsubAffiliation affiliation = AffiliationIn(*event, account->ToString());
    // What changed since he subscribed counts (§6.1).
    if (MayRead(event->config, affiliation, true, asker)) continue;
    if (!asker.service) {
      const bool hears = co_await MayHear(shard_, *account, owner);
      if (!hears) continue;
    }
    Listener& listener = add(std::move(*account), asker.presence || asker.service);
    if (jid.HasResource()) {
      listener.resources.emplace_back(jid.resource());
    } else {
      listener.bare = true;
    }
  }
  co_return listeners;
}

// XEP-0163 §4.3.2: interested resources; who subscribed with a full address there, interested or
// not; who subscribed with his bare one and is interested nowhere, wherever messages to it go.
bool PersonalNodes::IsTold(const Listener& listener, const SessionRecord& row,
                           std::string_view node, bool any_interested) {
  if (std::find(listener.resources.begin(), listener.resources.end(), row.resource) !=
      listener.resources.end()) {
    return true;
  }
  if (!row.available) return false;
  if (IsInterested(caps_->Known(row), node)) return listener.presence || listener.bare;
  return listener.bare && !any_interested && row.priority >= 0;
}

Task<void> PersonalNodes::Send(xmpp::BareJid owner, const PubsubEvent* event,
                               std::vector<Listener> listeners, std::vector<ContactRows> rows,
                               cluster::ClusterId cause, uint32_t number) {
  std::vector<SessionRecord> unknown;
  for (const ContactRows& contact : rows) {
    if (!contact.rows) continue;
    for (const SessionRecord& row : *contact.rows) {
      if (row.available && caps_->Known(row) == nullptr) unknown.push_back(row);
    }
  }
  if (!unknown.empty()) co_await caps_->Load(std::move(unknown));
  std::vector<EventTarget> with_presence, without;
  auto listener = listeners.begin();
  for (ContactRows& contact : rows) {
    if (!contact.rows) continue;
    // Both are in one order; some are missing here.
    while (listener != listeners.end() && listener->account != contact.account) ++listener;
    if (listener == listeners.end()) break;
    bool any_interested = false;
    for (const SessionRecord& row : *contact.rows) {
      any_interested |= row.available && IsInterested(caps_->Known(row), event->node);
    }
    for (SessionRecord& row : *contact.rows) {
      if (!IsTold(*listener, row, event->node, any_interested)) continue;
      auto& targets = listener->presence ? with_presence : without;
      targets.push_back({contact.account, std::move(row)});
    }
  }
  Spend(owner, with_presence.size() + without.size());
  EventStanza stanza;
  stanza.from = owner;
  stanza.headline = event->config.headline;
  stanza.id = cause;
  if (number > 0) stanza.index = static_cast<EffectIndex>(kMoreEvents + number);
  const std::string id =
      cluster::ClusterIdText(cause) + (number > 0 ? "-" + std::to_string(number) : "");
  auto patience = std::make_shared<Patience>();
  auto left = std::make_shared<int>(2);
  const auto one_done = [patience, left] {
    if (--*left == 0) patience->Done();
  };
  // §4.3.1: who published is told to those who see his presence, and to nobody else.
  stanza.bytes = EventMessage(event->content, stanza.headline, id, event->publisher.ToString(), {});
  SendEvent(shard_, stanza, std::move(with_presence), one_done);
  stanza.bytes = EventMessage(event->content, stanza.headline, id, {}, {});
  SendEvent(shard_, std::move(stanza), std::move(without), one_done);
  shard_->loop->RunAfter(kTellFor, [patience] { patience->Done(); });
  co_await patience->over;
}

Task<void> PersonalNodes::TellOne(xmpp::BareJid owner, PubsubEvent event, cluster::ClusterId cause,
                                  uint32_t number) {
  if (!event.config.deliver_notifications) co_return;
  std::vector<Listener> listeners = co_await ListenersOf(owner, &event);
  std::vector<xmpp::BareJid> accounts;
  accounts.reserve(listeners.size());
  for (const Listener& listener : listeners) accounts.push_back(listener.account);
  runtime::OneShot<std::vector<ContactRows>> reading;
  LookUpContacts(shard_, std::move(accounts),
                 [&reading](std::vector<ContactRows> read) { reading.Set(std::move(read)); });
  std::vector<ContactRows> rows = co_await reading;
  rows = co_await WithoutDeaf(shard_, owner, std::move(rows));
  co_await Send(owner, &event, std::move(listeners), std::move(rows), cause, number);
}

Task<void> PersonalNodes::Tell(xmpp::BareJid owner, PubsubEvents events, cluster::ClusterId cause,
                               uint32_t first) {
  co_await last_items_.Changed(owner, cause);
  for (PubsubEvent& event : events) {
    co_await TellOne(owner, std::move(event), cause, first++);
  }
}

}  // namespace business
