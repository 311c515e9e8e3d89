// How a node is configured (XEP-0060 §8.2, §16.4.4): a value, the form it is shown and sent as, and
// how it is stored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/xmpp/data_form.h"
#include "lib/xmpp/stanza_error.h"

namespace business {

enum class AccessModel : uint8_t { kOpen, kPresence, kRoster, kAuthorize, kWhitelist };
enum class PublishModel : uint8_t { kPublishers, kSubscribers, kOpen };
enum class SendLast : uint8_t { kNever, kOnSub, kOnSubAndPresence };

// Defaults are those of XEP-0163 §5.
struct NodeConfig {
  AccessModel access = AccessModel::kPresence;
  PublishModel publish = PublishModel::kPublishers;
  SendLast send_last = SendLast::kOnSubAndPresence;
  std::optional<uint32_t> max_items = 1;  // nullopt: "max", what the service allows
  bool persist_items = true;
  bool deliver_notifications = true;
  bool deliver_payloads = true;
  bool notify_config = false;
  bool notify_delete = true;  // XEP-0060 §8.4.2: MUST
  bool notify_retract = false;
  bool headline = true;  // notifications are of type headline, else normal
  bool presence_based_delivery = false;
  std::optional<uint32_t> max_payload_size;  // bytes; nullopt: what the service allows
  std::vector<std::string> roster_groups;
  std::string title, description, language, payload_type;

  friend bool operator==(const NodeConfig&, const NodeConfig&) = default;

  // As it stands in the store: what differs from the defaults above, which therefore stay. Read takes
  // what a later version wrote: unknown fields are skipped.
  std::string Write() const;
  static NodeConfig Read(std::string_view stored);

  // The form for an owner: every field, with labels and options.
  xmpp::DataForm Form() const;
  // The fields that others may know, for the meta-data form.
  void AddMetaData(xmpp::DataForm* form) const;
};

// What a service allows.
struct NodeConfigLimits {
  bool authorize = false;        // access model `authorize`
  uint32_t max_items = 1000;     // and what "max" means
  uint32_t max_payload = 262144;  // bytes
};

// Fields of a submitted node_config form put into `config`. Unknown fields are left alone: clients
// send forms back whole. Error: not-acceptable, `config` is then half changed.
std::optional<xmpp::StanzaError> ApplyForm(const xmpp::DataForm& form,
                                           const NodeConfigLimits& limits, NodeConfig* config);

// XEP-0060 §7.1.5: fields of publish-options as what the node has to be. kUnknown: a field that is
// not known, or a value that cannot be.
enum class Preconditions { kMet, kNotMet, kUnknown };
Preconditions CheckOptions(const xmpp::DataForm& options, const NodeConfigLimits& limits,
                           const NodeConfig& config);

std::string_view AccessModelName(AccessModel model);

}  // namespace business
