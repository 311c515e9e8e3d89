// A session tells everybody that it is available, how, or that it is not (RFC 6121 §4.2, §4.4, §4.5).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "business/feature.h"
#include "business/presence/contact_rows.h"
#include "business/presence/presence_audience.h"
#include "business/routing/account_delivery.h"
#include "business/session/submission.h"
#include "lib/xmpp/stanza.h"

namespace business {

// The registry first, then the account's resources and contacts, then what the session itself wants
// to know (R6).
//
//   Prepare → stages → Write (registry, ticket) ─┬→ LookUp ──────────┬→ Issue ─┬→ own resources
//                                                └→ LookUpContacts ──┘         ├→ contacts
//         at first: the others' presence, the contacts', requests to subscribe ┤
//                                                  at last: directed targets   ┘
class OwnPresence final : public Submission, public AccountDelivery {
 public:
  // `stanza` is of type none or unavailable. `directed`: who is told of the latter besides.
  OwnPresence(std::shared_ptr<Session> session, uint64_t in_seq, xmpp::Stanza stanza,
              int32_t priority, std::vector<std::string> directed, const cluster::ClusterId& id);

  void Prepare() override;
  void Issue() override;
  void Retry() override;
  void Reply() override;
  bool barrier() const override { return true; }  // later stanzas see the change

 protected:
  std::shared_ptr<AccountDelivery> Self() override;
  Recipients Choose(const std::vector<cluster::SessionRecord>& rows) override;
  DeliverBody Body() override;
  // RFC 6121 §4.2.2: from the full JID, to the bare one.
  const std::string& WrittenTo() const override { return account().ToString(); }
  const cluster::ClusterId& Id() const override { return id_; }
  bool Abandoned() const override;
  void OnLookedUp() override;
  void OnPause() override { owners_ = 0; }
  void OnTryAgain() override;
  void OnDelivered(End) override { OneDone(); }

 private:
  std::shared_ptr<OwnPresence> Me();
  bool available() const { return stanza_.type == xmpp::StanzaType::kNone; }
  void OnStage(StageVerdict verdict);
  static Task<void> Write(std::shared_ptr<OwnPresence> self);
  cluster::SessionRecord Changed(uint64_t number) const;
  void OnWritten(cluster::SessionRecord record);
  void ReadContacts(PresenceAudience audience);
  static Task<void> Filter(std::shared_ptr<OwnPresence> self, std::vector<ContactRows> read);
  void OnContactsRead(std::vector<ContactRows> read);
  void PreparedIfRead();
  void ShowLater(int times);
  void TellContacts();
  void ShowContacts();
  void ShowRequests();
  void TellDirected();
  void OneDone();
  void Bounce(xmpp::StanzaError error);

  xmpp::Stanza stanza_;
  const int32_t priority_;
  std::vector<std::string> directed_;
  const cluster::ClusterId id_;
  StageEvent event_;
  bool first_ = false;  // the session was not available before
  bool issued_ = false;
  uint32_t open_ = 0;  // deliveries under way
  std::vector<cluster::SessionRecord> others_;  // first_: whose presence the session is shown
  PresenceAudience audience_;
  std::vector<ContactRows> told_, shown_;  // of the audience
  bool own_read_ = false, contacts_read_ = false;
  std::unique_ptr<xmpp::StanzaError> error_;
};

}  // namespace business
