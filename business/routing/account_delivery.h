// One stanza on its way to the sessions of one local account: look up, deliver, and find out what
// became of it (R4).
#pragma once

#include <absl/container/inlined_vector.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "business/link/manager_links.h"
#include "business/message/recipient_rule.h"
#include "lib/cluster/cluster_id.h"
#include "lib/cluster/outbox.h"
#include "lib/cluster/session_record.h"
#include "lib/runtime/result.h"
#include "lib/xmpp/jid.h"

namespace business {

struct Shard;

// Effects of one stanza, told apart by index (R2). Values stay: they are in managers' rings.
enum EffectIndex : uint16_t {
  kEffectDelivery = 0,
  kEffectReply = 1,
  kEffectDirectedUnavailable = 2,
  // Rosters: what a change is recognised by in the store, and what is said because of it.
  kEffectRosterChange = 10,
  kEffectRosterPush = 11,
  kEffectContactChange = 12,
  kEffectContactPush = 13,
  kEffectSubscription = 14,
  kEffectStoredRequest = 15,
  kEffectPubsubEvent = 40,
  // What a session that ended left: the error to who asked or wrote.
  kEffectUndelivered = 3,
  // Copies of a message for one's other clients; rows of an archive, counted from here.
  kEffectSentCopy = 20,
  kEffectReceivedCopy = 21,
  kEffectErrorCopy = 22,
  kEffectArchiveRow = 1000,
  kEffectBlockPush = 30,
  kEffectAnnouncement = 50,
  kEffectLastItem = 41,
  kEffectServerRequest = 42,
};

// Lives on its shard's loop; keeps itself alive through the callbacks it waits for. The heir says
// when a step may be taken and what follows.
//
//   LookUp → OnLookedUp → Send → OnDelivered
//                           └──→ OnTryAgain (after a pause) → LookUp …
class AccountDelivery {
 public:
  enum class End {
    kTaken,          // by everybody who was chosen
    kNobody,         // nobody was there; see nobody()
    kUndeliverable,  // not resolved within kDeliveryDeadline
    kNoRegistry,     // Redis did not answer for kRegistryDeadline
  };
  static constexpr uint64_t kDeliveryDeadlineMs = 25000;
  static constexpr uint64_t kRegistryDeadlineMs = 30000;

  AccountDelivery(Shard* shard, xmpp::BareJid account);
  virtual ~AccountDelivery() = default;

 protected:
  void LookUp();
  // Chooses among the rows that were found, and delivers.
  void Send();

  virtual std::shared_ptr<AccountDelivery> Self() = 0;
  virtual Recipients Choose(const std::vector<cluster::SessionRecord>& rows) = 0;
  virtual DeliverBody Body() = 0;
  // What is written as `to`; may be empty.
  virtual const std::string& WrittenTo() const = 0;
  virtual std::string WrittenToRow(const cluster::SessionRecord& row) const {
    (void)row;
    return WrittenTo();
  }
  virtual const cluster::ClusterId& Id() const = 0;
  virtual EffectIndex Index() const { return kEffectDelivery; }
  // Whose effect it is; a session's is remembered until the session has committed it.
  virtual cluster::OutboxOrigin Origin() const { return {}; }
  // It has lost its purpose: nothing more is called.
  virtual bool Abandoned() const = 0;
  virtual void OnLookedUp() = 0;
  // Some did not take it; until OnTryAgain nobody may overtake it on the way to this account.
  virtual void OnPause() {}
  virtual void OnTryAgain() = 0;
  virtual void OnDelivered(End end) = 0;

  Shard& shard() const { return *shard_; }
  const xmpp::BareJid& account() const { return account_; }
  // Hash of the owners that Send would deliver to now.
  uint64_t OwnersHash();
  NobodyThere nobody() const { return chosen_.nobody; }
  bool anybody_took() const { return !taken_.empty(); }

 private:
  void OnRows(runtime::Result<std::vector<cluster::SessionRecord>> rows);
  void ChooseNow();
  // Some of those chosen have stream management: their outboxes take it, in one script.
  void SendMixed(DeliverBody body, std::vector<DeliverTarget> targets);
  void Append();
  void OnAppended(const runtime::Result<std::vector<cluster::AppendResult>>& results);
  std::string OthersThan(const cluster::SessionRecord& row) const;
  void OnPart();
  void OnOutcomes(const std::vector<DeliverOutcome>& outcomes);
  void NoteRefusal(const cluster::SessionRecord& row);
  void Pause();

  struct Refusal {
    cluster::Epoch epoch;
    uint64_t since_ms;
  };

  Shard* const shard_;
  const xmpp::BareJid account_;
  std::vector<cluster::SessionRecord> rows_;
  Recipients chosen_;
  bool chosen_is_new_ = false;
  absl::InlinedVector<std::string, 1> taken_;  // sessions
  // SendMixed: what became of each that was chosen, and how many answers are missing.
  struct Mixed {
    std::vector<DeliverOutcome> outcomes;
    std::vector<uint32_t> plain, managed;  // which of those chosen
    DeliverBody body;
    std::vector<DeliverTarget> pushes;  // to `managed`
    uint32_t open = 0;
  };
  std::unique_ptr<Mixed> mixed_;
  absl::InlinedVector<Refusal, 1> refused_;
  uint64_t started_ms_ = 0;
  uint32_t attempts_ = 0;
};

}  // namespace business
