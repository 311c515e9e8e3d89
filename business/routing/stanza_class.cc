#include "business/routing/stanza_class.h"

#include "proto/connmgr_business.pb.h"

namespace business {

static_assert(kClassDurable == static_cast<int>(xylem::v1::CLASS_D));
static_assert(kClassRemote == static_cast<int>(xylem::v1::CLASS_REMOTE));
static_assert(kClassIq == static_cast<int>(xylem::v1::CLASS_IQ));
static_assert(kClassOutbox == static_cast<int>(xylem::v1::CLASS_OUTBOX));
static_assert(kClassPresence == static_cast<int>(xylem::v1::CLASS_V));

StanzaClass ClassOf(const xmpp::Stanza& stanza) {
  using xmpp::StanzaType;
  switch (stanza.kind) {
    case xmpp::StanzaKind::kMessage:
      if ((stanza.type == StanzaType::kNormal || stanza.type == StanzaType::kChat) &&
          (stanza.flags & xmpp::kNoPayload) == 0) {
        return kClassDurable;
      }
      return kClassOutbox;
    case xmpp::StanzaKind::kIq:
      return stanza.type == StanzaType::kGet || stanza.type == StanzaType::kSet ? kClassIq
                                                                               : kClassOutbox;
    case xmpp::StanzaKind::kPresence:
      return stanza.type == StanzaType::kNone || stanza.type == StanzaType::kUnavailable
                 ? kClassPresence
                 : kClassOutbox;
    case xmpp::StanzaKind::kNonza:
      break;
  }
  return kClassOutbox;
}

}  // namespace business
