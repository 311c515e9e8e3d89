// A client's subscribe, subscribed, unsubscribe or unsubscribed (RFC 6121 §3).
#pragma once

#include <memory>
#include <string>

#include "business/presence/subscriptions.h"
#include "business/session/submission.h"
#include "lib/xmpp/stanza_error.h"

namespace business {

// Both rosters in Prepare, the effects in Issue.
class SubscriptionSubmission final : public Submission {
 public:
  SubscriptionSubmission(std::shared_ptr<Session> session, uint64_t in_seq,
                         SubscriptionStanza stanza, std::string id);

  void Prepare() override;
  void Issue() override;
  void Reply() override;
  bool barrier() const override { return true; }  // later stanzas see the roster changed

 private:
  static runtime::Task<void> Run(std::shared_ptr<SubscriptionSubmission> self);

  runtime::Task<bool> Refused();

  const SubscriptionStanza stanza_;
  const std::string id_;  // the stanza's own, for an error
  std::shared_ptr<SubscriptionEffects> effects_ = std::make_shared<SubscriptionEffects>();
  std::unique_ptr<xmpp::StanzaError> error_;
};

}  // namespace business
