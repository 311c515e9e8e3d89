// Nodes, items, affiliations and subscriptions (XEP-0060): of accounts (PEP, XEP-0163) and of
// services.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/runtime/result.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/jid.h"

namespace business {

struct PubsubNode {
  std::string name;
  std::string type = "leaf";  // leaf, collection
  std::string config;         // the caller's, opaque
  int64_t version = 0;        // of the configuration, from 1; given by the store
  int64_t created_ms = 0;     // since the epoch; 0 when created: now
};

struct PubsubItem {
  std::string id;
  xmpp::Jid publisher;   // full JID
  std::string payload;   // canonical XML, may be empty
  int64_t stamp_ms = 0;  // since the epoch; 0 when published: now
  int64_t number = 0;    // given by the store: ascending in order of publication
};

// XEP-0060 §4.1. kNone stands for having none.
enum class PubsubAffiliation : uint8_t {
  kNone,
  kOutcast,
  kMember,
  kPublishOnly,
  kPublisher,
  kOwner,
};

struct PubsubAffiliate {
  std::string node;
  xmpp::Jid jid;  // bare
  PubsubAffiliation affiliation = PubsubAffiliation::kNone;

  friend bool operator==(const PubsubAffiliate&, const PubsubAffiliate&) = default;
};

struct PubsubSubscription {  // XEP-0060 §4.2; a node has one for each (jid, subid)
  enum class State : uint8_t { kPending, kUnconfigured, kSubscribed };
  std::string node;
  xmpp::Jid jid;  // as it subscribed, bare or full
  std::string subid;
  State state = State::kSubscribed;
  std::string options;  // the caller's, opaque

  friend bool operator==(const PubsubSubscription&, const PubsubSubscription&) = default;
};

struct PubsubPublish {
  std::string node;
  std::vector<PubsubItem> items;
  uint32_t max_items = 1;  // the oldest beyond go; at least 1
  // A node that is missing is made of this, for this owner (auto-create).
  std::optional<PubsubNode> create;
  std::vector<PubsubAffiliate> create_affiliates;
  uint32_t max_nodes = 1000;
  // What publish-options (§7.1.5) or access were judged by; another one: kConflict.
  std::optional<int64_t> expected_version;
};

struct PubsubPublished {
  enum class Outcome {
    kDone,
    kRepeated,  // all items stood so already: nothing written, the order stays
    kNoNode,
    kConflict,
    kFull,  // max_nodes
    kNoOwner,
  };
  Outcome outcome = Outcome::kDone;
  bool created = false;              // the node
  std::vector<std::string> evicted;  // ids of the items that went for these, oldest first
};

struct PubsubQuery {
  std::string node;
  std::vector<std::string> ids;  // not empty: these, as far as they stand; no paging
  // RSM as in ArchiveQuery; items are in order of publication either way.
  bool backward = false;
  std::optional<std::string> anchor;  // an item's id
  uint32_t max = 50;
};

struct PubsubPage {
  bool node_missing = false;
  bool item_not_found = false;  // the anchor
  std::vector<PubsubItem> items;
  bool complete = true;
  uint32_t count = 0;  // items of the node
};

struct PubsubNewest {
  PubsubNode node;
  PubsubItem item;
};

// `owner`: an account or a service domain (which OwnerStore knows). One per loop, as AccountStore;
// errors and unknown outcomes as there. All changes are idempotent.
class PubsubStore {
 public:
  virtual ~PubsubStore() = default;

  // ---- nodes ----
  enum class Put { kDone, kExists, kMissing, kConflict, kFull, kNoOwner };
  virtual runtime::Task<runtime::Result<Put>> CreateNode(xmpp::Jid owner, PubsubNode node,
                                                         std::vector<PubsubAffiliate> affiliates,
                                                         uint32_t max_nodes) = 0;
  virtual runtime::Task<runtime::Result<std::optional<PubsubNode>>> FindNode(xmpp::Jid owner,
                                                                             std::string node) = 0;
  // By name, behind `after` ("": from the first), at most `limit`.
  virtual runtime::Task<runtime::Result<std::vector<PubsubNode>>> Nodes(xmpp::Jid owner,
                                                                        std::string after,
                                                                        uint32_t limit) = 0;
  // kConflict: the configuration has another version (0: whichever).
  virtual runtime::Task<runtime::Result<Put>> Configure(xmpp::Jid owner, std::string node,
                                                        std::string config,
                                                        int64_t expected_version) = 0;
  virtual runtime::Task<runtime::Result<Put>> DeleteNode(xmpp::Jid owner, std::string node) = 0;

  // ---- items ----
  virtual runtime::Task<runtime::Result<PubsubPublished>> Publish(xmpp::Jid owner,
                                                                  PubsubPublish publish) = 0;
  // Ids of those that stood; nullopt: no such node.
  virtual runtime::Task<runtime::Result<std::optional<std::vector<std::string>>>> Retract(
      xmpp::Jid owner, std::string node, std::vector<std::string> ids) = 0;
  virtual runtime::Task<runtime::Result<Put>> Purge(xmpp::Jid owner, std::string node) = 0;
  virtual runtime::Task<runtime::Result<PubsubPage>> Items(xmpp::Jid owner, PubsubQuery query) = 0;
  // The newest item of each node that has one (XEP-0163 §4.3.4), or of `nodes` if not empty.
  virtual runtime::Task<runtime::Result<std::vector<PubsubNewest>>> Newest(
      xmpp::Jid owner, std::vector<std::string> nodes) = 0;

  // ---- who ----
  // kNone removes. All in one transaction; kMissing, and nothing done: one of the nodes is missing.
  virtual runtime::Task<runtime::Result<Put>> SetAffiliations(
      xmpp::Jid owner, std::vector<PubsubAffiliate> affiliates) = 0;
  virtual runtime::Task<runtime::Result<std::vector<PubsubAffiliate>>> Affiliations(
      xmpp::Jid owner, std::string node) = 0;
  virtual runtime::Task<runtime::Result<std::vector<PubsubAffiliate>>> AffiliationsOf(
      xmpp::Jid owner, xmpp::Jid jid) = 0;
  // kFull: the node has `max` others. Replaces one of the same jid and subid.
  virtual runtime::Task<runtime::Result<Put>> Subscribe(xmpp::Jid owner,
                                                        PubsubSubscription subscription,
                                                        uint32_t max) = 0;
  virtual runtime::Task<runtime::Result<Put>> Unsubscribe(xmpp::Jid owner, std::string node,
                                                          xmpp::Jid jid, std::string subid) = 0;
  virtual runtime::Task<runtime::Result<std::vector<PubsubSubscription>>> Subscriptions(
      xmpp::Jid owner, std::string node) = 0;
  // With any resource of `jid`.
  virtual runtime::Task<runtime::Result<std::vector<PubsubSubscription>>> SubscriptionsOf(
      xmpp::Jid owner, xmpp::Jid jid) = 0;
};

}  // namespace business
