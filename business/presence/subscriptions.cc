#include "business/presence/subscriptions.h"

#include <chrono>
#include <utility>

#include "business/presence/contact_rows.h"
#include "business/presence/presence_audience.h"
#include "business/presence/roster_writer.h"
#include "business/presence/subscription_rules.h"
#include "business/session/shard.h"
#include "lib/runtime/process.h"

namespace business {
namespace {

using runtime::Result;
using runtime::Task;
using xmpp::StanzaKind;
using xmpp::StanzaType;
using Outcome = RosterUpdate::Outcome;
using EffectsPtr = std::shared_ptr<SubscriptionEffects>;

constexpr std::chrono::milliseconds kPushPatience{1000};
constexpr std::string_view kUnavailable = "<presence type='unavailable'/>";

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string Plain(StanzaType type) {
  return "<presence type='" + std::string(xmpp::TypeName(type)) + "'/>";
}

// What the server says because of `cause`, the `number`th.
cluster::ClusterId Following(Shard* shard, const cluster::ClusterId& cause, uint64_t number,
                             const SubscriptionStanza& stanza) {
  const std::string origin(cause.begin(), cause.end());
  return shard->ids->Make(origin, number, stanza.to.ToString(), stanza.bytes);
}

// §3.1.3: who is available is asked. §3.1.6, §3.2.3, §3.3.3: who shows rosters is told the rest.
Recipients Told(StanzaType type, const std::vector<cluster::SessionRecord>& rows) {
  Recipients chosen;
  for (uint32_t i = 0; i < rows.size(); ++i) {
    const bool interested = (rows[i].flags & cluster::kSessionInterested) != 0;
    if (type == StanzaType::kSubscribe ? rows[i].available : interested) chosen.rows.push_back(i);
  }
  return chosen;
}

ServerStanza Delivery(const SubscriptionStanza& stanza) {
  ServerStanza delivery;
  delivery.kind = StanzaKind::kPresence;
  delivery.type = stanza.type;
  delivery.from = stanza.from.ToString();
  delivery.to = stanza.to;
  delivery.bytes = stanza.bytes;
  delivery.stanza_class = kClassOutbox;
  delivery.id = stanza.id;
  delivery.index = kEffectSubscription;
  delivery.choose = [type = stanza.type](const auto& rows) { return Told(type, rows); };
  return delivery;
}

// A.3, at `stanza.to`.
Task<Result<void>> Arrive(Shard* shard, SubscriptionStanza stanza, EffectsPtr effects) {
  if (effects->blocked && stanza.type == StanzaType::kSubscribe) co_return Result<void>();
  const SubscriptionRequest request{.stanza = stanza.bytes, .stamp = NowMs()};
  RosterChange change;
  change.account = stanza.to;
  change.contact = stanza.from;
  change.transition = [type = stanza.type, request](const RosterEntry& before) {
    return Inbound(type, before, request).after;
  };
  change.id = stanza.id;
  change.cause = kEffectContactChange;
  change.push = kEffectContactPush;
  auto pushes = std::make_shared<std::vector<ServerStanza>>();
  const auto update = co_await ChangeRoster(shard, std::move(change), pushes);
  if (!update) co_return update.error();
  if (update->outcome == Outcome::kNoOwner || update->outcome == Outcome::kFull) {
    // The same silence for who does not exist as for who does not answer (§8.5.1).
    shard->metrics->CountDrop(update->outcome == Outcome::kFull ? "requests_full" : "no_account");
    co_return Result<void>();
  }
  const SubscriptionStep step = Inbound(stanza.type, update->before, request);
  if (step.deliver && !effects->blocked) effects->stanzas->push_back(Delivery(stanza));
  for (ServerStanza& push : *pushes) effects->stanzas->push_back(std::move(push));
  const SubscriptionEffects::Introduction introduction{stanza.to, stanza.from, step.shows,
                                                       stanza.id};
  const bool shows = step.shows && !effects->blocked;
  if (shows || step.hides) effects->introductions.push_back(introduction);
  if (step.reply) {
    SubscriptionStanza reply{StanzaType::kSubscribed, stanza.to, stanza.from,
                             Plain(StanzaType::kSubscribed), {}};
    reply.id = Following(shard, stanza.id, 0, reply);
    const auto replied = co_await Arrive(shard, std::move(reply), effects);
    if (!replied) co_return replied.error();
  }
  co_return Result<void>();
}

// One row after the other: few sessions, and rarely.
struct Issuing : std::enable_shared_from_this<Issuing> {
  Shard* shard;
  absl::AnyInvocable<void()> done;
  size_t open = 1;

  void One() {
    if (--open == 0 && done) std::exchange(done, nullptr)();
  }
  void Send(ServerStanza stanza) {
    ++open;
    SendServerStanza(shard, std::move(stanza),
                     [self = shared_from_this()](AccountDelivery::End) { self->One(); });
  }
  void Introduce(SubscriptionEffects::Introduction introduction) {
    ++open;
    std::vector<xmpp::BareJid> accounts{introduction.account};
    LookUpContacts(shard, std::move(accounts),
                   [self = shared_from_this(),
                    introduction = std::move(introduction)](std::vector<ContactRows> read) {
                     if (read.front().rows) self->Show(introduction, *read.front().rows);
                     self->One();
                   });
  }
  void Show(const SubscriptionEffects::Introduction& introduction,
            const std::vector<cluster::SessionRecord>& rows) {
    const std::string origin(introduction.id.begin(), introduction.id.end());
    for (const cluster::SessionRecord& row : rows) {
      if (!row.available || (introduction.available && row.presence.empty())) continue;
      ServerStanza presence;
      presence.kind = StanzaKind::kPresence;
      presence.type = introduction.available ? StanzaType::kNone : StanzaType::kUnavailable;
      presence.from = introduction.account.ToString() + "/" + row.resource;
      presence.to = introduction.contact;
      presence.bytes = introduction.available ? row.presence : std::string(kUnavailable);
      presence.stanza_class = kClassPresence;
      presence.id = shard->ids->Make(origin, row.presence_number, row.session, presence.bytes);
      Send(std::move(presence));
    }
  }
};

}  // namespace

void IssueSubscriptionEffects(Shard* shard, SubscriptionEffects effects,
                              absl::AnyInvocable<void()> done) {
  auto issuing = std::make_shared<Issuing>();
  issuing->shard = shard;
  issuing->done = std::move(done);
  for (ServerStanza& stanza : *effects.stanzas) issuing->Send(std::move(stanza));
  for (auto& introduction : effects.introductions) issuing->Introduce(std::move(introduction));
  issuing->One();
}

Task<void> IssueWithPatience(Shard* shard, SubscriptionEffects effects) {
  auto done = std::make_shared<runtime::OneShot<bool>>();
  const auto set = [done] {
    if (!done->is_set()) done->Set(true);
  };
  IssueSubscriptionEffects(shard, std::move(effects), set);
  if (!done->is_set()) shard->loop->RunAfter(kPushPatience, set);
  runtime::OneShot<bool>& finished = *done;
  co_await finished;
}

Task<Result<Outcome>> SendSubscription(Shard* shard, SubscriptionStanza stanza,
                                       EffectsPtr effects) {
  RosterChange change;
  change.account = stanza.from;
  change.contact = stanza.to;
  change.transition = [type = stanza.type](const RosterEntry& before) {
    return Outbound(type, before).after;
  };
  change.id = stanza.id;
  const auto update = co_await ChangeRoster(shard, std::move(change), effects->stanzas);
  if (!update) co_return update.error();
  if (update->outcome == Outcome::kNoOwner || update->outcome == Outcome::kFull) {
    co_return update->outcome;
  }
  const SubscriptionStep step = Outbound(stanza.type, update->before);
  const SubscriptionEffects::Introduction introduction{stanza.from, stanza.to, step.shows,
                                                       stanza.id};
  runtime::KillPoint("subscription.between");
  const bool hears = co_await MayHear(shard, stanza.to, stanza.from);
  effects->blocked = !hears;
  if (step.route) {
    const auto arrived = co_await Arrive(shard, std::move(stanza), effects);
    if (!arrived) co_return arrived.error();
  }
  // Behind what tells the contact why (§3.1.5, §3.2.2).
  const bool shows = step.shows && !effects->blocked;
  if (shows || step.hides) effects->introductions.push_back(introduction);
  co_return update->outcome;
}

Task<Result<Outcome>> RemoveContact(Shard* shard, xmpp::BareJid account, xmpp::Jid contact,
                                    cluster::ClusterId id, EffectsPtr effects) {
  RosterChange change;
  change.account = account;
  change.contact = contact;
  change.transition = [](const RosterEntry& before) {
    // A request alone is nothing that clients see in a roster: it is refused, not removed.
    return before.item ? Remove(before).after : before;
  };
  change.id = id;
  const auto update = co_await ChangeRoster(shard, std::move(change), effects->stanzas);
  if (!update) co_return update.error();
  const bool removed =
      update->outcome == Outcome::kChanged || update->outcome == Outcome::kRepeated;
  const auto local = xmpp::BareJid::From(contact);
  if (!removed || !local || contact.HasResource() || !shard->Serves(local->domain())) {
    co_return update->outcome;
  }
  const bool hears = co_await MayHear(shard, *local, account);
  effects->blocked = !hears;
  const Removal removal = Remove(update->before);
  uint64_t number = 0;
  for (const StanzaType type : {StanzaType::kUnsubscribe, StanzaType::kUnsubscribed}) {
    ++number;
    if (!(type == StanzaType::kUnsubscribe ? removal.unsubscribe : removal.unsubscribed)) continue;
    SubscriptionStanza stanza{type, account, *local, Plain(type), {}};
    stanza.id = Following(shard, id, number, stanza);
    const auto arrived = co_await Arrive(shard, std::move(stanza), effects);
    if (!arrived) co_return arrived.error();
  }
  if (removal.hides) effects->introductions.push_back({account, *local, false, id});
  co_return update->outcome;
}

}  // namespace business
