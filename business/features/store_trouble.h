// What a client is told when a store does not do what it should.
#pragma once

#include "lib/runtime/result.h"
#include "lib/xmpp/stanza_error.h"

namespace business {

// "Try again" where nobody knows, or where trying again helps.
inline xmpp::StanzaError StoreTrouble(const runtime::Error& error) {
  if (error.kind == runtime::ErrorKind::kFailed) return xmpp::StanzaError::InternalServerError();
  return xmpp::StanzaError::ResourceConstraint();
}

}  // namespace business
