// XEP-0359: Unique and Stable Stanza IDs. Stamps each message for a local account with the cluster id
// under which it is delivered, archived and traced.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "business/feature.h"
#include "lib/xmpp/stanza.h"

namespace business {

struct Shard;

// `shard`: whose domains are this cluster's.
Feature StanzaIds(const Shard* shard);

// Adds `<stanza-id by='by' id='id'/>` as the last child of `message->bytes`, after removing what
// was forged (tests/attacks, row 34): every stanza-id that names one of `domains` or an account of
// theirs, and every delay (XEP-0203) that one of `domains` would have said. Those of others and
// origin-id stay.
void StampMessage(xmpp::Stanza* message, const std::vector<std::string>& domains,
                  std::string_view by, std::string_view id);

// The message as it was before StampMessage with `id`: for whom the recipient's archive is none of
// his business (XEP-0313 §3.5).
std::string WithoutStamp(std::string_view bytes, std::string_view id);

}  // namespace business
