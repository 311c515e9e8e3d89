// Errors of publish-subscribe: a stanza error with a condition of pubsub#errors (XEP-0060).
#pragma once

#include <string_view>

#include "lib/runtime/result.h"
#include "lib/xmpp/stanza_error.h"

namespace business {

// `error` with `<condition xmlns='…pubsub#errors'/>`.
xmpp::StanzaError WithPubsub(xmpp::StanzaError error, std::string_view condition);
// feature-not-implemented with `<unsupported feature='…'/>`.
xmpp::StanzaError UnsupportedPubsub(std::string_view feature);
// What a store's trouble is to who asked: try again later.
xmpp::StanzaError PubsubTrouble(const runtime::Error& error);

xmpp::StanzaError NodeIdRequired();
xmpp::StanzaError NoSuchNode();

}  // namespace business
