// The protocol of publish-subscribe (XEP-0060): what an iq asks of a PubsubService, and the answer.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "business/pubsub/pubsub_service.h"
#include "lib/runtime/task.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/stanza_error.h"

namespace business {

struct PubsubRequest {
  xmpp::Jid owner;
  PubsubAsker asker;
  bool set = false;        // iq type set, else get
  xmpp::Element payload;   // {pubsub}pubsub or {pubsub#owner}pubsub
  std::string unique;      // of the iq: items without id get theirs from it
  bool repeated = false;   // the iq may have been done before
};

struct PubsubAnswer {
  // The reply's payload, none, or an error.
  std::variant<std::optional<xmpp::Element>, xmpp::StanzaError> reply;
  PubsubEvents events;
};

// `service` outlives the task.
runtime::Task<PubsubAnswer> AnswerPubsub(const PubsubService* service, PubsubRequest request);

}  // namespace business
