#include "business/presence/subscription_rules.h"

#include "business/presence/roster_lookup.h"
#include "lib/runtime/check.h"

namespace business {
namespace {

using xmpp::StanzaType;

constexpr uint8_t kTo = static_cast<uint8_t>(Subscription::kTo);
constexpr uint8_t kFrom = static_cast<uint8_t>(Subscription::kFrom);

bool Has(const RosterEntry& entry, uint8_t bit) {
  return entry.item && (static_cast<uint8_t>(entry.item->subscription) & bit) != 0;
}
bool Asks(const RosterEntry& entry) { return entry.item && entry.item->ask; }
bool IsApproved(const RosterEntry& entry) { return entry.item && entry.item->approved; }

RosterItem& ItemOf(RosterEntry* entry) {
  if (!entry->item) entry->item.emplace();
  return *entry->item;
}
void Set(RosterEntry* entry, uint8_t bit) {
  RosterItem& item = ItemOf(entry);
  item.subscription =
      static_cast<Subscription>(static_cast<uint8_t>(item.subscription) | bit);
}
void Clear(RosterEntry* entry, uint8_t bit) {
  if (!entry->item) return;
  RosterItem& item = *entry->item;
  item.subscription =
      static_cast<Subscription>(static_cast<uint8_t>(item.subscription) & ~bit);
}

// A.2.3: granted to who waits for it; to who does not, beforehand (§3.4).
void Grant(SubscriptionStep* step) {
  RosterEntry& after = step->after;
  if (after.request) {
    after.request.reset();
    Set(&after, kFrom);
    step->route = step->shows = true;
  } else if (!Has(after, kFrom)) {
    ItemOf(&after).approved = true;
  }
}

// A.2.4: refused, or taken back; also what was granted beforehand (§3.4.3).
void Refuse(SubscriptionStep* step) {
  RosterEntry& after = step->after;
  step->route = Has(after, kFrom) || after.request.has_value();
  step->hides = Has(after, kFrom);
  after.request.reset();
  Clear(&after, kFrom);
  if (after.item) after.item->approved = false;
}

// A.3.1
void IsAsked(SubscriptionStep* step, const SubscriptionRequest& request) {
  RosterEntry& after = step->after;
  if (Has(after, kFrom)) {
    step->reply = true;  // [3]: who asks has lost what he was told
  } else if (IsApproved(after)) {
    after.request.reset();
    Set(&after, kFrom);
    step->reply = step->shows = true;
  } else if (!after.request) {
    after.request = request;
    step->deliver = true;
  }
}

// A.3.2
void IsLeft(SubscriptionStep* step) {
  RosterEntry& after = step->after;
  step->deliver = Has(after, kFrom) || after.request.has_value();
  step->hides = Has(after, kFrom);
  after.request.reset();
  Clear(&after, kFrom);
}

}  // namespace

SubscriptionStep Outbound(StanzaType type, const RosterEntry& before) {
  SubscriptionStep step{.after = before};
  switch (type) {
    case StanzaType::kSubscribe:  // A.2.1
      if (!Has(before, kTo)) ItemOf(&step.after).ask = true;
      step.route = true;
      break;
    case StanzaType::kUnsubscribe:  // A.2.2
      Clear(&step.after, kTo);
      if (step.after.item) step.after.item->ask = false;
      step.route = true;
      break;
    case StanzaType::kSubscribed:
      Grant(&step);
      break;
    case StanzaType::kUnsubscribed:
      Refuse(&step);
      break;
    default:
      CHECK(!"no subscription stanza");
  }
  return step;
}

SubscriptionStep Inbound(StanzaType type, const RosterEntry& before,
                         const SubscriptionRequest& request) {
  SubscriptionStep step{.after = before};
  switch (type) {
    case StanzaType::kSubscribe:
      IsAsked(&step, request);
      break;
    case StanzaType::kUnsubscribe:
      IsLeft(&step);
      break;
    case StanzaType::kSubscribed:  // A.3.3
      if (!Asks(before)) break;
      step.after.item->ask = false;
      Set(&step.after, kTo);
      step.deliver = true;
      break;
    case StanzaType::kUnsubscribed:  // A.3.4
      step.deliver = Asks(before) || Has(before, kTo);
      if (!step.deliver) break;
      step.after.item->ask = false;
      Clear(&step.after, kTo);
      break;
    default:
      CHECK(!"no subscription stanza");
  }
  return step;
}

Removal Remove(const RosterEntry& before) {
  Removal removal{.after = {.contact = before.contact, .item = {}, .request = {}}};
  removal.unsubscribe = Has(before, kTo) || Asks(before);
  removal.unsubscribed = Has(before, kFrom) || before.request.has_value();
  removal.hides = Has(before, kFrom);
  return removal;
}

}  // namespace business
