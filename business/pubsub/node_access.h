// Who may do what with a node (XEP-0060 §4.1, §4.5): functions of what is known of who asks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "business/pubsub/node_config.h"
#include "business/store/pubsub_store.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/stanza_error.h"

namespace business {

// Who asks, as whoever owns the service sees him.
struct PubsubAsker {
  xmpp::Jid jid;           // of any form
  bool service = false;    // owns every node: the account itself
  bool presence = false;   // is subscribed to the owner's presence
  std::vector<std::string> groups;  // of the owner's roster that he is in
};

// nullopt: he may. Errors as §6.5.9 has them for each access model. `affiliation` and `subscribed`
// are his at this node.
std::optional<xmpp::StanzaError> MayRead(const NodeConfig& config, PubsubAffiliation affiliation,
                                         bool subscribed, const PubsubAsker& asker);
bool MayPublish(const NodeConfig& config, PubsubAffiliation affiliation, bool subscribed,
                const PubsubAsker& asker);
inline bool MayConfigure(PubsubAffiliation affiliation, const PubsubAsker& asker) {
  return asker.service || affiliation == PubsubAffiliation::kOwner;
}

std::string_view AffiliationName(PubsubAffiliation affiliation);
std::optional<PubsubAffiliation> ParseAffiliation(std::string_view name);

}  // namespace business
