// The last published items, sent to a resource that has become available (XEP-0163 §4.3.3).
#pragma once

#include <absl/container/flat_hash_map.h>

#include <memory>
#include <string>
#include <vector>

#include "business/pep/caps_cache.h"
#include "business/pep/last_items.h"
#include "business/pep/personal_nodes.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

class Session;

// One per loop, lives on it.
class PresenceItems {
 public:
  explicit PresenceItems(std::shared_ptr<PersonalNodes> nodes) : nodes_(std::move(nodes)) {}

  // The session is available and its client wants these. Sends items of the account's own nodes and
  // of contacts' with whom presence is shared, unless they were sent since it became available.
  void OnKnown(const std::shared_ptr<Session>& session, const Interests& interests);
  void OnUnavailable(const Session& session);

  size_t remembered() const { return sent_.size(); }

 private:
  // Who gets items: one resource.
  struct Target {
    xmpp::BareJid account;
    cluster::SessionRecord row;
    Interests interests;
  };
  struct Sent {
    std::weak_ptr<Session> session;
    Interests interests;
  };

  static runtime::Task<void> Send(PresenceItems* self, Target target);
  static runtime::Task<void> SendOf(PresenceItems* self, const Target* target, xmpp::BareJid owner,
                                    PubsubVersion version);
  void SendItem(const Target& target, const xmpp::BareJid& owner, const LastItem& last,
                const PubsubItem& item);
  void Forget();

  const std::shared_ptr<PersonalNodes> nodes_;
  absl::flat_hash_map<std::string, Sent> sent_;  // by session
};

}  // namespace business
