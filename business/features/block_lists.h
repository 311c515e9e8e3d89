// Whom accounts have blocked (XEP-0191), by account version.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "business/session/shard.h"
#include "business/store/versioned_cache.h"
#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

// Immutable. JIDs of any form, normalised, sorted.
class BlockList {
 public:
  explicit BlockList(std::vector<std::string> jids);

  // §5: the full JID, the bare one, domain/resource, or the domain stands in it.
  bool Blocks(const xmpp::Jid& jid) const;
  const std::vector<std::string>& jids() const { return jids_; }

 private:
  bool Has(std::string_view text) const;

  const std::vector<std::string> jids_;
};

// One per loop, lives on it.
class BlockLists {
 public:
  using ListPtr = std::shared_ptr<const BlockList>;  // nullptr: nobody is blocked

  explicit BlockLists(Shard* shard);

  runtime::Task<runtime::Result<ListPtr>> Of(xmpp::BareJid account) { return cache_.Of(account); }
  // Both look-ups in one pipeline.
  using DoneTwo = absl::AnyInvocable<void(const runtime::Result<ListPtr>& first,
                                          const runtime::Result<ListPtr>& second)>;
  void OfTwo(xmpp::BareJid first, xmpp::BareJid second, DoneTwo done);

  // Leaves those of `accounts` that have not blocked `from`; one pipeline. Who has cannot be known
  // while neither Redis nor the store answers: then nobody is left.
  runtime::Task<void> KeepListeners(xmpp::Jid from, std::vector<xmpp::BareJid>* accounts);
  // Leaves those of `contacts` that `account` has not blocked; nobody while it is not known.
  runtime::Task<void> KeepUnblocked(xmpp::BareJid account, std::vector<xmpp::BareJid>* contacts);

 private:
  VersionedCache<ListPtr, Shard> cache_;
};

}  // namespace business
