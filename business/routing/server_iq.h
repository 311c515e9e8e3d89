// An iq get or set that the cluster itself answers: one handler, exactly one reply (R9).
#pragma once

#include <functional>
#include <string>

#include "business/feature.h"
#include "business/session/submission.h"

namespace business {

class ServerIq final : public Submission {
 public:
  // `handler` lives in the FeatureSet.
  ServerIq(std::shared_ptr<Session> session, uint64_t in_seq, const IqHandler* handler, Iq iq);

  void Prepare() override;
  void Reply() override;
  bool barrier() const override { return true; }  // a set changes what later stanzas read

 private:
  static Task<void> Run(std::shared_ptr<ServerIq> self);

  const IqHandler* const handler_;
  Iq iq_;
  std::string reply_;
  std::function<void()> next_;
};

}  // namespace business
