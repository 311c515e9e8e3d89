#include "business/presence/presence_delivery.h"

#include <utility>
#include <vector>

#include "business/routing/server_stanza.h"

namespace business {
namespace {

// The same resource is available again: whoever is told "unavailable" now would keep that as its
// newest news (R6).
bool IsBack(const xmpp::FullJid& from, cluster::Epoch epoch,
            const std::vector<cluster::SessionRecord>& rows) {
  for (const cluster::SessionRecord& row : rows) {
    if (row.resource == from.resource() && row.owner.epoch > epoch && row.available) return true;
  }
  return false;
}

}  // namespace

void TellUnavailable(Shard* shard, PresenceNotice notice, absl::AnyInvocable<void()> done) {
  ServerStanza stanza;
  stanza.kind = xmpp::StanzaKind::kPresence;
  stanza.type = xmpp::StanzaType::kUnavailable;
  stanza.from = notice.from.ToString();
  stanza.to = notice.to;
  stanza.bytes = std::move(notice.bytes);
  stanza.stanza_class = kClassPresence;
  stanza.id = notice.id;
  stanza.index = notice.index;
  const bool own = notice.to.BareView() == notice.from.BareView();
  stanza.choose = [own, from = notice.from, epoch = notice.epoch,
                   resource = std::string(notice.to.resource())](
                      const std::vector<cluster::SessionRecord>& rows) -> Recipients {
    if (own && IsBack(from, epoch, rows)) return {};
    return ChooseRecipients(xmpp::StanzaKind::kPresence, xmpp::StanzaType::kUnavailable, resource,
                            rows);
  };
  SendServerStanza(shard, std::move(stanza),
                   [done = std::move(done)](AccountDelivery::End) mutable {
                     if (done) done();
                   });
}

}  // namespace business
