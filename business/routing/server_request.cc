#include "business/routing/server_request.h"

#include <utility>
#include <vector>

#include "business/routing/account_delivery.h"
#include "business/routing/session_delivery.h"
#include "business/routing/stanza_class.h"
#include "business/session/session.h"
#include "business/session/shard.h"
#include "lib/xmpp/canonical_writer.h"

namespace business {

ServerRequests::~ServerRequests() { *alive_ = false; }

bool ServerRequests::Get(Session& session, std::string_view payload, Done done) {
  if (waiting_.size() >= kMost) {
    shard_->metrics->CountDrop("server_requests_full");
    return false;
  }
  const cluster::ClusterId effect =
      shard_->ids->Make(session.record.session, ++number_, "server request", payload);
  // Cannot be guessed: it is an answer's only proof that it was asked for.
  const std::string id = "ask-" + cluster::ClusterIdText(effect);
  DeliverBody body;
  body.bytes = "<iq";
  xmpp::AppendAttribute(&body.bytes, "from", session.account().domain());
  body.bytes += " type='get'";
  xmpp::AppendAttribute(&body.bytes, "id", id);
  body.bytes.append(">").append(payload).append("</iq>");
  body.splice_offset = xmpp::SpliceOffset(xmpp::StanzaKind::kIq);
  body.kind = static_cast<uint8_t>(xmpp::StanzaKind::kIq);
  body.stanza_class = kClassOutbox;
  waiting_.emplace(id, Waiting{session.full().ToString(), std::move(done)});
  shard_->metrics->StanzasOut(xmpp::StanzaKind::kIq).Add();
  DeliverToSession(session, std::move(body), session.full().ToString(),
                   cluster::EffectId(effect, kEffectServerRequest), 0, nullptr);
  shard_->loop->RunAfter(kDeadline, [this, alive = alive_, id] {
    if (!*alive) return;
    const auto it = waiting_.find(id);
    if (it == waiting_.end()) return;
    Done late = std::move(it->second.done);
    waiting_.erase(it);
    late(nullptr);
  });
  return true;
}

bool ServerRequests::OnAnswer(Session& session, const xmpp::Stanza& answer) {
  const auto it = waiting_.find(answer.id);
  if (it != waiting_.end() && it->second.full == session.full().ToString()) {
    Done done = std::move(it->second.done);
    waiting_.erase(it);
    done(&answer);
    return true;
  }
  if (answer.type != xmpp::StanzaType::kResult) return false;
  const auto handler = unasked_.find(answer.payload_ns);
  if (handler == unasked_.end()) return false;
  handler->second(session, answer);
  return true;
}

}  // namespace business
