// One session's presence to many accounts: what was read in one pipeline leaves as one delivery,
// which the links split by manager.
#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "business/link/manager_links.h"
#include "business/presence/contact_rows.h"
#include "business/routing/account_delivery.h"
#include "lib/cluster/cluster_id.h"
#include "lib/xmpp/jid.h"

namespace business {

struct Shard;

struct BroadcastPresence {
  xmpp::FullJid from;
  cluster::Epoch epoch = 0;  // of the session
  uint64_t number = 0;       // of its presence; not used of a session that ended
  bool available = false;
  bool ended = false;        // the session is over: its row may be gone
  std::string bytes;         // canonical, without addresses
  uint64_t flags = 0;
  cluster::ClusterId id{};
  EffectIndex index = kEffectDelivery;
};

// Lives on its shard's loop; keeps itself alive until everybody took it. Those who were not reached
// are tried again behind the caller's back, for as long as AccountDelivery would, unless the session
// has said something newer meanwhile: presence may be overtaken by the next, not the other way round
// (R6).
class ContactFanout final : public std::enable_shared_from_this<ContactFanout> {
 public:
  // Deliveries of more targets would make frames that others wait behind.
  static constexpr size_t kBatch = 500;

  ContactFanout(Shard* shard, BroadcastPresence presence);

  // To each account's available resources. `done` is called once the managers have answered for the
  // first time; from inside if nobody is there. Called once.
  void Send(std::vector<ContactRows> contacts, absl::AnyInvocable<void()> done);

 private:
  struct Target {
    uint32_t contact;
    uint32_t row;
  };

  void Deliver();
  void DeliverBatch(std::vector<Target> batch);
  void OnOutcomes(const std::vector<Target>& batch, const std::vector<DeliverOutcome>& outcomes);
  std::vector<Target> Choose();
  // Somebody of it has an outbox, which takes the presence in a script of the account's own.
  void SendToAccount(const xmpp::BareJid& account);
  bool Wanted(const cluster::SessionRecord& row, const xmpp::BareJid& account);
  void NoteRefusal(const ContactRows& contact, const cluster::SessionRecord& row);
  void OneDone();
  void Again();
  void OnReadAgain(std::vector<ContactRows> read);
  bool Superseded(const std::vector<cluster::SessionRecord>& own) const;

  Shard* const shard_;
  const BroadcastPresence presence_;
  DeliverBody body_;
  std::vector<ContactRows> contacts_;
  std::vector<bool> missing_;               // by contact: somebody did not take it
  absl::flat_hash_set<std::string> taken_;  // sessions, of contacts that are tried again
  absl::flat_hash_map<cluster::Epoch, uint64_t> refused_;  // since when
  absl::AnyInvocable<void()> done_;
  uint64_t started_ms_ = 0;
  uint32_t attempts_ = 0;
  size_t open_ = 0;
};

}  // namespace business
