#include "business/routing/sender_reply.h"

#include <utility>
#include <vector>

#include "business/routing/account_delivery.h"
#include "business/routing/session_delivery.h"
#include "business/routing/stanza_class.h"
#include "business/session/session.h"
#include "business/session/shard.h"
#include "lib/runtime/process.h"

namespace business {
void ReplyToSender(const SubmissionPtr& submission, xmpp::StanzaKind kind, std::string bytes,
                   const cluster::ClusterId& id) {
  Session& session = submission->session();
  Shard& shard = session.shard();
  DeliverBody body;
  body.bytes = std::move(bytes);
  body.splice_offset = xmpp::SpliceOffset(kind);
  body.kind = static_cast<uint8_t>(kind);
  body.stanza_class = kClassOutbox;
  shard.metrics->StanzasOut(kind).Add();
  DeliverToSession(session, std::move(body), session.full().ToString(),
                   cluster::EffectId(id, kEffectReply), submission->in_seq(),
                   [submission] { submission->Become(Submission::State::kFinished); });
}

void AnsweredStanza::Prepare() { Become(reply_.empty() ? State::kFinished : State::kReplyWanted); }

void AnsweredStanza::Reply() {
  ReplyToSender(shared_from_this(), kind_, std::move(reply_), id_);
}

}  // namespace business
