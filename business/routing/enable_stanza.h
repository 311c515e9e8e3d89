// <enable/> of stream management (XEP-0198 §3), in the session's order: what comes behind it counts.
#pragma once

#include <chrono>
#include <string>

#include "business/session/submission.h"
#include "lib/cluster/cluster_id.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/stanza.h"

namespace business {

class EnableStanza final : public Submission {
 public:
  EnableStanza(std::shared_ptr<Session> session, uint64_t in_seq, const xmpp::Stanza& enable,
               const cluster::ClusterId& id);

  // What went before has to be finished: it was numbered without an outbox.
  void Prepare() override { Become(State::kReplyWanted); }
  void Reply() override;
  bool barrier() const override { return true; }

 private:
  static runtime::Task<void> Run(std::shared_ptr<EnableStanza> self);
  void Answer(std::string element);

  const cluster::ClusterId id_;
  std::chrono::milliseconds resumption_{0};
};

}  // namespace business
