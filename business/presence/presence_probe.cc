#include "business/presence/presence_probe.h"

#include <utility>

#include "business/presence/presence_audience.h"
#include "business/presence/resource_presences.h"
#include "business/presence/roster_lookup.h"
#include "business/routing/sender_reply.h"
#include "business/session/session.h"
#include "business/session/shard.h"
#include "lib/xmpp/canonical_writer.h"

namespace business {

PresenceProbe::PresenceProbe(std::shared_ptr<Session> session, uint64_t in_seq, xmpp::Jid of,
                             std::string id, const cluster::ClusterId& cluster_id)
    : Submission(std::move(session), in_seq),
      of_(std::move(of)),
      account_(*xmpp::BareJid::From(of_)),
      id_(std::move(id)),
      cluster_id_(cluster_id) {}

void PresenceProbe::Prepare() {
  runtime::Spawn(Run(std::static_pointer_cast<PresenceProbe>(shared_from_this())));
}

runtime::Task<void> PresenceProbe::Run(std::shared_ptr<PresenceProbe> self) {
  Shard& shard = self->session().shard();
  const bool may = co_await MayHear(&shard, self->account_, self->session().account());
  if (!may) {  // XEP-0191 §3.3: the server must not respond
    self->Become(State::kFinished);
    co_return;
  }
  const auto subscribed =
      co_await shard.rosters->IsSubscribed(self->account_, self->session().account());
  if (!subscribed) {
    // Neither yes nor no: the client may ask again.
    shard.metrics->CountDrop("no_roster");
    self->Become(State::kFinished);
    co_return;
  }
  self->subscribed_ = *subscribed;
  if (self->subscribed_) {
    auto rows = co_await shard.registry->Lookup(self->account_);
    // Without Redis nobody is known to be available.
    if (rows) self->rows_ = *std::move(rows);
    std::erase_if(self->rows_, [&](const cluster::SessionRecord& row) {
      return !row.available || (self->of_.HasResource() && row.resource != self->of_.resource());
    });
    if (self->rows_.empty()) self->last_ = co_await LastPresenceOf(&shard, self->account_);
  }
  self->Become(State::kReplyWanted);
}

void PresenceProbe::Reply() {
  if (!subscribed_) {
    ReplyToSender(shared_from_this(), xmpp::StanzaKind::kPresence,
                  Answer(xmpp::StanzaType::kUnsubscribed, account_.ToString()), cluster_id_);
  } else if (rows_.empty()) {
    ReplyToSender(shared_from_this(), xmpp::StanzaKind::kPresence,
                  last_ ? WriteLastPresence(*last_, of_.ToString(), id_)
                        : Answer(xmpp::StanzaType::kUnavailable, of_.ToString()),
                  cluster_id_);
  } else {
    ShowPresences(*session_, account_, rows_, cluster_id_,
                  [self = shared_from_this()] { self->Become(State::kFinished); });
  }
}

std::string PresenceProbe::Answer(xmpp::StanzaType type, std::string_view from) const {
  std::string bytes = "<presence";
  xmpp::AppendAttribute(&bytes, "from", from);
  xmpp::AppendAttribute(&bytes, "type", xmpp::TypeName(type));
  if (!id_.empty()) xmpp::AppendAttribute(&bytes, "id", id_);
  return bytes.append("/>");
}

}  // namespace business
