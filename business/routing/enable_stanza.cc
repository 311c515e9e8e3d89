#include "business/routing/enable_stanza.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "business/routing/account_delivery.h"
#include "business/session/backoff.h"
#include "business/session/ownership_guard.h"
#include "business/session/session.h"
#include "business/session/session_resumer.h"
#include "business/session/shard.h"
#include "lib/runtime/process.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/stream_management.h"

namespace business {
namespace {

// What the client wishes, within what the operator allows (§3).
std::chrono::milliseconds ResumptionFor(const Shard& shard, const xmpp::Stanza& enable) {
  const auto element = xmpp::Element::Parse(enable.bytes);
  if (!element || !xmpp::ParseSmBoolean(element->Attr("resume"))) return {};
  const auto wished = xmpp::ParseSmCount(element->Attr("max"));
  const std::chrono::milliseconds at_most = shard.resumption.at_most;
  if (!wished || *wished == 0) return std::min(shard.resumption.usual, at_most);
  return std::min<std::chrono::milliseconds>(std::chrono::seconds(*wished), at_most);
}

}  // namespace

EnableStanza::EnableStanza(std::shared_ptr<Session> session, uint64_t in_seq,
                           const xmpp::Stanza& enable, const cluster::ClusterId& id)
    : Submission(std::move(session), in_seq),
      id_(id),
      resumption_(ResumptionFor(session_->shard(), enable)) {}

void EnableStanza::Reply() {
  runtime::Spawn(Run(std::static_pointer_cast<EnableStanza>(shared_from_this())));
}

runtime::Task<void> EnableStanza::Run(std::shared_ptr<EnableStanza> self) {
  const SessionPtr session = self->session_->shared_from_this();
  Shard& shard = session->shard();
  if (session->sm.base != 0 && session->sm.base != self->in_seq()) {
    self->Answer(xmpp::WriteSmFailed("unexpected-request", std::nullopt));  // §3: once
    co_return;
  }
  Backoff backoff(shard.loop);
  for (;;) {
    // Another owner, or no row yet: the guard finds out, and fences it or not.
    const auto enabled = co_await shard.outbox->Enable(session->full(), session->record,
                                                       self->in_seq(), self->resumption_);
    if (session->gone()) co_return;
    if (enabled && *enabled) break;
    if (enabled) shard.guard->Require(session);
    co_await backoff.Pause();
    if (session->gone()) co_return;
  }
  runtime::KillPoint("enable.after");
  session->record.flags |= cluster::kSessionStreamManagement;
  session->sm.base = self->in_seq();
  session->sm.resumption = self->resumption_;
  session->sm.committed = self->in_seq() - 1;
  session->SendTicket();
  const bool resumable = self->resumption_.count() > 0;
  std::string id;
  if (resumable) id = StreamManagementId(shard, session->account(), session->record.session);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(self->resumption_).count();
  self->Answer(xmpp::WriteSmEnabled(id, static_cast<uint64_t>(seconds)));
}

// Without a number: it is no stanza.
void EnableStanza::Answer(std::string element) {
  DeliverBody body;
  body.bytes = std::move(element);
  body.kind = static_cast<uint8_t>(xmpp::StanzaKind::kNonza);
  std::vector<DeliverTarget> targets;
  targets.push_back({.owner = session_->record.owner,
                     .out_seq = 0,
                     .to = {},
                     .effect = cluster::EffectId(id_, kEffectReply)});
  session_->shard().links->Deliver(
      std::move(body), std::move(targets),
      [self = shared_from_this()](const std::vector<DeliverOutcome>&) {
        self->Become(State::kFinished);
      });
}

}  // namespace business
