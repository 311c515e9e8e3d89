#include "business/presence/own_probe.h"

#include <utility>

#include "business/presence/resource_presences.h"
#include "business/routing/sender_reply.h"
#include "business/session/session.h"
#include "business/session/shard.h"
#include "lib/xmpp/canonical_writer.h"

namespace business {

OwnProbe::OwnProbe(std::shared_ptr<Session> session, uint64_t in_seq, std::string resource,
                   const cluster::ClusterId& id)
    : Submission(std::move(session), in_seq), resource_(std::move(resource)), id_(id) {}

void OwnProbe::Prepare() {
  auto self = std::static_pointer_cast<OwnProbe>(shared_from_this());
  session_->shard().registry->Lookup(
      session_->account(),
      [self](runtime::Result<std::vector<cluster::SessionRecord>> rows) {
        // Without Redis nobody is known to be available; the client may ask again.
        if (rows) self->rows_ = std::move(*rows);
        std::erase_if(self->rows_, [&](const cluster::SessionRecord& row) {
          return !row.available || (!self->resource_.empty() && row.resource != self->resource_);
        });
        self->Become(State::kReplyWanted);
      });
}

void OwnProbe::Reply() {
  if (!rows_.empty()) {
    ShowPresences(*session_, rows_, id_,
                  [self = shared_from_this()] { self->Become(State::kFinished); });
    return;
  }
  std::string from = session_->account().ToString();
  if (!resource_.empty()) from += "/" + resource_;
  std::string bytes = "<presence";
  xmpp::AppendAttribute(&bytes, "from", from);
  bytes += " type='unavailable'/>";
  ReplyToSender(shared_from_this(), xmpp::StanzaKind::kPresence, std::move(bytes), id_);
}

}  // namespace business
