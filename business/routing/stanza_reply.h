// What goes back to the sender of a stanza: results and errors (RFC 6120 §8.2.3, §8.3).
#pragma once

#include <string>
#include <string_view>

#include "business/feature.h"
#include "lib/xmpp/stanza.h"
#include "lib/xmpp/stanza_error.h"

namespace business {

// True if an error may be sent in answer: never to an error, never to an iq result (§8.3.1), and
// nobody waits for an answer to presence that only tells of oneself.
bool MayBeBounced(const xmpp::Stanza& stanza);

// Canonical `<iq type='result' …>` with `from`, without `to`.
std::string WriteResult(std::string_view id, std::string_view from,
                        const std::optional<xmpp::Element>& payload);

// Canonical `<message|presence|iq type='error' …>` with `from`, without `to`.
std::string WriteError(xmpp::StanzaKind kind, std::string_view id, std::string_view from,
                       const xmpp::StanzaError& error);

}  // namespace business
