#include "business/features/befriending.h"

#include <memory>
#include <string>
#include <utility>

#include "business/presence/roster_writer.h"
#include "business/presence/subscriptions.h"
#include "business/session/shard.h"
#include "lib/xmpp/sasl/scram_keys.h"

namespace business {
namespace {

RosterEntry SeesBoth(const RosterEntry& before) {
  RosterEntry after = before;
  if (!after.item) after.item.emplace();
  after.item->subscription = Subscription::kBoth;
  after.item->ask = false;
  after.request.reset();
  return after;
}

}  // namespace

runtime::Task<void> Befriend(Shard* shard, xmpp::BareJid inviter, xmpp::BareJid invited) {
  auto effects = std::make_shared<SubscriptionEffects>();
  const cluster::ClusterId id = shard->ids->Make(xmpp::sasl::RandomBytes(16), 0, {}, "invitation");
  for (const auto& [account, contact] :
       {std::pair{inviter, invited}, std::pair{invited, inviter}}) {
    RosterChange change;
    change.account = account;
    change.contact = contact;
    change.transition = SeesBoth;
    change.id = id;
    // What could not be written is for the two to make good: they may still ask each other.
    const auto changed = co_await ChangeRoster(shard, std::move(change), effects->stanzas);
    (void)changed;
    effects->introductions.push_back({account, contact, true, id});
  }
  co_await IssueWithPatience(shard, std::move(*effects));
}

}  // namespace business
