// A delivery back to the session that sent a stanza: no look-up, its home is here.
#pragma once

#include <string>

#include "business/session/submission.h"
#include "lib/cluster/cluster_id.h"
#include "lib/xmpp/stanza.h"

namespace business {

// Sends `bytes` (canonical, with `from`, without `to`) to the submission's session and finishes the
// submission when the manager has answered; a session that is not there any more needs no reply.
// Called from Submission::Reply.
void ReplyToSender(const SubmissionPtr& submission, xmpp::StanzaKind kind, std::string bytes,
                   const cluster::ClusterId& id);

// A submission whose reply is known from the start, or that needs nothing done.
class AnsweredStanza final : public Submission {
 public:
  // `reply` empty: nothing is sent, the stanza is accepted once its predecessors are.
  AnsweredStanza(std::shared_ptr<Session> session, uint64_t in_seq, xmpp::StanzaKind kind,
                 std::string reply, const cluster::ClusterId& id)
      : Submission(std::move(session), in_seq), kind_(kind), reply_(std::move(reply)), id_(id) {}

  void Prepare() override;
  void Reply() override;
  bool barrier() const override { return false; }

 private:
  const xmpp::StanzaKind kind_;
  std::string reply_;
  const cluster::ClusterId id_;
};

}  // namespace business
