// Presence that the server sends on a session's behalf to one local account: unavailable to those
// who were shown the session.
#pragma once

#include <absl/functional/any_invocable.h>

#include <memory>
#include <string>

#include "business/routing/account_delivery.h"
#include "lib/cluster/cluster_id.h"
#include "lib/cluster/session_record.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/stanza.h"

namespace business {

struct PresenceNotice {
  xmpp::FullJid from;
  cluster::Epoch epoch = 0;  // of the session it tells of
  xmpp::Jid to;              // account or resource of a served domain
  std::string bytes;         // canonical `<presence type='unavailable'…>` without addresses
  cluster::ClusterId id{};
  EffectIndex index = kEffectDelivery;
};

// Goes on whatever becomes of the session: what it tells stays true.
class PresenceDelivery final : public AccountDelivery,
                               public std::enable_shared_from_this<PresenceDelivery> {
 public:
  using Done = absl::AnyInvocable<void()>;
  // `done` is called when the recipients' managers have answered, or nobody is there; may be empty.
  // It may be called from inside.
  static void Start(Shard* shard, PresenceNotice notice, Done done);

  PresenceDelivery(Shard* shard, xmpp::BareJid account, PresenceNotice notice, Done done);

 protected:
  std::shared_ptr<AccountDelivery> Self() override { return shared_from_this(); }
  Recipients Choose(const std::vector<cluster::SessionRecord>& rows) override;
  DeliverBody Body() override;
  const std::string& WrittenTo() const override { return notice_.to.ToString(); }
  const cluster::ClusterId& Id() const override { return notice_.id; }
  EffectIndex Index() const override { return notice_.index; }
  bool Abandoned() const override { return false; }
  void OnLookedUp() override { Send(); }
  void OnTryAgain() override { LookUp(); }
  void OnDelivered(End end) override;

 private:
  const PresenceNotice notice_;
  Done done_;
};

}  // namespace business
