// A client asks for the presence of its own account (RFC 6121 §4.3.2): an entity is implicitly
// subscribed to itself (§4.2.2).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "business/session/submission.h"
#include "lib/cluster/cluster_id.h"
#include "lib/cluster/session_record.h"

namespace business {

class OwnProbe final : public Submission {
 public:
  // `resource` empty: all of them.
  OwnProbe(std::shared_ptr<Session> session, uint64_t in_seq, std::string resource,
           const cluster::ClusterId& id);

  void Prepare() override;
  void Reply() override;
  bool barrier() const override { return true; }  // sees what the session said before

 private:
  const std::string resource_;
  const cluster::ClusterId id_;
  std::vector<cluster::SessionRecord> rows_;
};

}  // namespace business
