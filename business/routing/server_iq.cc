#include "business/routing/server_iq.h"

#include <exception>
#include <optional>
#include <utility>

#include "business/routing/feature_set.h"
#include "business/routing/sender_reply.h"
#include "business/routing/stanza_reply.h"
#include "business/session/session.h"
#include "business/session/shard.h"
#include "lib/runtime/log.h"

namespace business {
namespace {

IqReply Thrown(Shard& shard, const char* what) {
  shard.metrics->handler_exceptions.Add();
  runtime::LogError("iq_exception", "an iq handler threw", {{"err", what}});
  return xmpp::StanzaError::InternalServerError();
}

// What is answered on behalf of somebody else's account passes the stages as if it went there: who
// may not reach him (blocking) learns no more than that. nullopt: nobody objects.
Task<std::optional<xmpp::StanzaError>> Refusal(Shard& shard, Iq iq) {
  if (!iq.to.HasLocal() || iq.to.BareView() == iq.from.BareView()) co_return std::nullopt;
  xmpp::Stanza stanza;
  stanza.kind = xmpp::StanzaKind::kIq;
  stanza.type = iq.type == IqType::kGet ? xmpp::StanzaType::kGet : xmpp::StanzaType::kSet;
  stanza.id = iq.id;
  stanza.bytes = iq.bytes;
  StageEvent event;
  event.session = iq.session;
  event.stanza = &stanza;
  event.from = &iq.from;
  event.to = &iq.to;
  event.id = iq.cluster_id;
  for (const Stage stage : {Stage::kFromClient, Stage::kToAccount}) {
    if (!shard.features->HasStage(stage, xmpp::StanzaKind::kIq)) continue;
    runtime::OneShot<StageVerdict> said;
    shard.features->RunStage(stage, xmpp::StanzaKind::kIq, event,
                             [&said](StageVerdict verdict) { said.Set(std::move(verdict)); });
    StageVerdict verdict = co_await said;
    if (std::holds_alternative<Continue>(verdict)) continue;
    if (auto* error = std::get_if<xmpp::StanzaError>(&verdict)) co_return std::move(*error);
    co_return xmpp::StanzaError::ServiceUnavailable();  // R9: there has to be a reply
  }
  co_return std::nullopt;
}

}  // namespace

ServerIq::ServerIq(std::shared_ptr<Session> session, uint64_t in_seq, const IqHandler* handler,
                   Iq iq)
    : Submission(std::move(session), in_seq), handler_(handler), iq_(std::move(iq)) {}

void ServerIq::Prepare() {
  runtime::Spawn(Run(std::static_pointer_cast<ServerIq>(shared_from_this())));
}

Task<void> ServerIq::Run(std::shared_ptr<ServerIq> self) {
  Shard& shard = self->session().shard();
  IqReply reply = xmpp::StanzaError::InternalServerError();
  std::optional<xmpp::StanzaError> refusal = co_await Refusal(shard, self->iq_);
  try {
    if (refusal) {
      reply = *std::move(refusal);
    } else {
      reply = co_await (*self->handler_)(self->iq_);
    }
  } catch (const std::exception& e) {
    reply = Thrown(shard, e.what());
  } catch (...) {
    reply = Thrown(shard, "unknown exception");
  }
  const std::string& from = self->iq_.to.ToString();
  if (const xmpp::StanzaError* error = reply.error()) {
    shard.metrics->CountError(error->condition);
    self->reply_ = WriteError(xmpp::StanzaKind::kIq, self->iq_.id, from, *error);
  } else {
    self->reply_ = WriteResult(self->iq_.id, from, reply.payload());
  }
  self->next_ = reply.next();
  self->Become(State::kReplyWanted);
}

void ServerIq::Reply() {
  ReplyToSender(shared_from_this(), xmpp::StanzaKind::kIq, std::move(reply_), iq_.cluster_id);
  if (next_) std::exchange(next_, nullptr)();
}

}  // namespace business
