// A message, an iq for a resource, or directed presence, from a local session to a local account:
// the plain path.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "business/feature.h"
#include "business/routing/account_delivery.h"
#include "business/routing/message_copies.h"
#include "business/routing/session_delivery.h"
#include "business/session/submission.h"
#include "lib/xmpp/stanza.h"

namespace business {

class RoutedStanza final : public Submission, public AccountDelivery {
 public:
  // `to` has a localpart; `stanza.to` stays as the sender wrote it and is empty if he wrote none.
  RoutedStanza(std::shared_ptr<Session> session, uint64_t in_seq, xmpp::Stanza stanza, xmpp::Jid to,
               const cluster::ClusterId& id);

  void Prepare() override;
  void Store() override;
  void Issue() override;
  void Retry() override;
  void Reply() override;
  bool barrier() const override { return false; }

 protected:
  std::shared_ptr<AccountDelivery> Self() override;
  Recipients Choose(const std::vector<cluster::SessionRecord>& rows) override;
  DeliverBody Body() override;
  const std::string& WrittenTo() const override { return to_.ToString(); }
  const cluster::ClusterId& Id() const override { return id_; }
  cluster::OutboxOrigin Origin() const override { return OriginOf(*session_, in_seq_); }
  bool Abandoned() const override;
  void OnLookedUp() override;
  void OnPause() override { owners_ = 0; }
  void OnTryAgain() override;
  void OnDelivered(End end) override;

 private:
  std::shared_ptr<RoutedStanza> Me();
  void RunStages(Stage stage);
  void OnStage(Stage stage, StageVerdict verdict);
  void OnKeptDecided();
  // Behind the commit: who becomes available after it finds the message in the archive.
  void StartLookUp();
  // Submitted again, and somebody is there now: the first time it may have been put away for later.
  static runtime::Task<void> ForgetFirstTry(std::shared_ptr<RoutedStanza> self);
  // Submitted again: whoever had it the first time may be gone by now (R2).
  static runtime::Task<void> AskWhetherSeen(std::shared_ptr<RoutedStanza> self);
  void OnNobody(StageVerdict verdict);
  // XEP-0280.
  MessageCopies& Copies();
  bool SenderMayWantCopies() const;
  void NoteChosen(const std::vector<cluster::SessionRecord>& rows, const Recipients& chosen);
  void SendCopy(std::optional<ServerStanza> copy);
  // The delivery, or a copy, is where it was to go.
  void OneDone();
  void Bounce(xmpp::StanzaError error);
  void Finish();

  // Sampled: one stanza in 16 has its stages timed (BusinessMetrics).
  struct Times {
    std::chrono::steady_clock::time_point taken, looking, issued;
  };

  xmpp::Stanza stanza_;
  const xmpp::Jid to_;
  const cluster::ClusterId id_;
  StageEvent event_;
  std::unique_ptr<xmpp::StanzaError> error_;
  std::unique_ptr<Times> times_;
  bool issued_once_ = false;
  std::unique_ptr<MessageCopies> copies_;
  uint64_t store_began_ms_ = 0;
  bool slow_store_ = false;
  uint32_t open_ = 1;  // the delivery, and copies under way: accepted when all have arrived
};

}  // namespace business
