// Who of an account's sessions gets a stanza: RFC 6121 §8.5, as a function of the stanza's type, the
// resource addressed, and the rows of the registry.
#pragma once

#include <absl/container/inlined_vector.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "lib/cluster/session_record.h"
#include "lib/xmpp/stanza.h"

namespace business {

// What to do when nobody is chosen.
enum class NobodyThere : uint8_t {
  kDrop,   // silently, as the RFC says
  kError,  // service-unavailable to the sender
};

struct Recipients {
  absl::InlinedVector<uint32_t, 4> rows;  // indices into the rows given
  NobodyThere nobody = NobodyThere::kDrop;
};

// `resource` empty = the bare JID was addressed. An unknown account has no rows and is treated as
// one without resources, so that the two cannot be told apart.
//
// Of several resources, a message of type normal or chat goes to all that share the highest
// non-negative priority (§8.5.2.1.1 leaves the choice: the person is at one of them).
Recipients ChooseRecipients(xmpp::StanzaKind kind, xmpp::StanzaType type, std::string_view resource,
                            const std::vector<cluster::SessionRecord>& rows);

}  // namespace business
