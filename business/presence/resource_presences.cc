#include "business/presence/resource_presences.h"

#include <string>
#include <string_view>
#include <utility>

#include "business/link/manager_links.h"
#include "business/routing/account_delivery.h"
#include "business/routing/session_delivery.h"
#include "business/routing/stanza_class.h"
#include "business/session/session.h"
#include "business/session/shard.h"
#include "lib/xmpp/stanza.h"

namespace business {
namespace {

using xmpp::StanzaKind;

// Counts down what is on the way.
struct Open {
  size_t left;
  absl::AnyInvocable<void()> done;
  void One() {
    if (--left == 0) done();
  }
};

DeliverBody BodyOf(const xmpp::BareJid& account, const cluster::SessionRecord& row) {
  const std::string from = account.ToString() + "/" + row.resource;
  DeliverBody body;
  body.bytes = xmpp::WithAddresses(row.presence, StanzaKind::kPresence, from, {});
  body.splice_offset = xmpp::SpliceOffset(StanzaKind::kPresence);
  body.kind = static_cast<uint8_t>(StanzaKind::kPresence);
  body.stanza_class = kClassPresence;
  return body;
}

// Of the cause and of what is shown: a later cause shows the same presence again, a repetition of
// this one does not.
cluster::ClusterId IdOf(Shard& shard, const cluster::ClusterId& cause,
                        const cluster::SessionRecord& row) {
  const std::string origin(cause.begin(), cause.end());
  return shard.ids->Make(origin, row.presence_number, row.session, row.presence);
}

}  // namespace

void ShowPresences(Session& session, const xmpp::BareJid& account,
                   const std::vector<cluster::SessionRecord>& rows,
                   const cluster::ClusterId& cause, absl::AnyInvocable<void()> done) {
  Shard& shard = session.shard();
  auto open = std::make_shared<Open>(Open{1, std::move(done)});
  for (const cluster::SessionRecord& row : rows) {
    if (!row.available || row.presence.empty()) continue;
    ++open->left;
    shard.metrics->StanzasOut(StanzaKind::kPresence).Add();
    // A session that does not take it is about to end, and needs it no more.
    DeliverToSession(session, BodyOf(account, row), session.full().ToString(),
                     cluster::EffectId(IdOf(shard, cause, row), kEffectDelivery), 0,
                     [open] { open->One(); });
  }
  open->One();
}

}  // namespace business
