#include "business/routing/server_iq.h"

#include <exception>
#include <utility>

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
  try {
    reply = co_await (*self->handler_)(self->iq_);
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
