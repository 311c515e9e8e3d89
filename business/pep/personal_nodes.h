// What all of PEP shares on a loop: the pubsub core over accounts' nodes, who asks, and who is told
// (XEP-0163).
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "business/feature.h"
#include "business/pep/caps_cache.h"
#include "business/pep/event_fanout.h"
#include "business/pep/last_items.h"
#include "business/pep/pep_options.h"
#include "business/pubsub/pubsub_service.h"
#include "lib/cluster/cluster_id.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

struct Shard;

// One per loop, lives on it.
class PersonalNodes {
 public:
  PersonalNodes(Shard* shard, PepOptions options);

  // First asked for when stanzas are handled: the stores are there by then.
  const PubsubService& service();
  CapsCache& caps() { return *caps_; }
  const std::shared_ptr<CapsCache>& shared_caps() { return caps_; }
  LastItems& last_items() { return last_items_; }
  Shard& shard() { return *shard_; }

  // `who` as `owner` sees him. Errors: the store's.
  runtime::Task<runtime::Result<PubsubAsker>> AskerOf(xmpp::BareJid owner, xmpp::Jid who);
  static PubsubAsker OwnerOf(const xmpp::Jid& account);

  // The nodes have changed: remembers that, and sends the events to whom they concern. Comes back
  // when their managers have answered for the first time, or after a second. `first`: number of the
  // first event among those of this cause.
  runtime::Task<void> Tell(xmpp::BareJid owner, PubsubEvents events, cluster::ClusterId cause,
                           uint32_t first = 0);
  // What else has to follow when somebody has changed a node of that name, before he is answered.
  // The iq's `to` is the owner. May be called again for a repeated iq.
  using Follow = std::function<runtime::Task<runtime::Result<void>>(Iq iq)>;
  void Watch(std::string_view node, Follow follow);
  runtime::Task<runtime::Result<void>> FollowUp(std::string node, Iq iq);

  // False: this account's changes have caused too much lately.
  bool MayNotify(const xmpp::BareJid& owner);

 private:
  // Who of an event's node is told, of those whose rows were read.
  struct Listener {
    xmpp::BareJid account;
    bool presence = false;             // the owner and he see each other's presence, or it is he
    bool bare = false;                 // subscribed explicitly, with his bare JID
    std::vector<std::string> resources;  // subscribed explicitly, with these
  };
  struct Bucket {
    double tokens;
    uint64_t at_ms;
  };

  runtime::Task<void> TellOne(xmpp::BareJid owner, PubsubEvent event, cluster::ClusterId cause,
                              uint32_t number);
  runtime::Task<std::vector<Listener>> ListenersOf(xmpp::BareJid owner, const PubsubEvent* event);
  runtime::Task<void> Send(xmpp::BareJid owner, const PubsubEvent* event,
                           std::vector<Listener> listeners, std::vector<ContactRows> rows,
                           cluster::ClusterId cause, uint32_t number);
  bool IsTold(const Listener& listener, const cluster::SessionRecord& row, std::string_view node,
              bool any_interested);
  void Spend(const xmpp::BareJid& owner, size_t notifications);
  Bucket& BucketOf(const std::string& owner);

  Shard* const shard_;
  const PepOptions options_;
  const std::shared_ptr<CapsCache> caps_;
  LastItems last_items_;
  std::unique_ptr<PubsubService> service_;
  std::vector<std::pair<std::string, Follow>> watches_;
  absl::flat_hash_map<std::string, Bucket> buckets_;  // of those who notified lately
};

}  // namespace business
