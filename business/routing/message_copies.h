// XEP-0280: what the other clients of a message's sender and of its recipient get of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "business/message/forwarded_message.h"
#include "business/message/message_content.h"
#include "business/message/recipient_rule.h"
#include "business/routing/server_stanza.h"
#include "business/session/session.h"
#include "lib/cluster/cluster_id.h"
#include "lib/cluster/session_record.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/stanza.h"

namespace business {

inline bool WantsCopies(const cluster::SessionRecord& row) {
  return (row.flags & cluster::kSessionCarbons) != 0;
}

// Lives in its RoutedStanza, made only if somebody may want copies. Each copy is handed out once,
// whatever is tried again.
class MessageCopies {
 public:
  struct Original {
    const Session& sender;
    const xmpp::Stanza& stanza;  // as it is delivered
    const xmpp::Jid& to;
    const xmpp::BareJid& recipient;
    cluster::ClusterId id;
  };
  explicit MessageCopies(Original original);

  // Of the recipient's sessions, `chosen` are sent the original: in this attempt, and they stay
  // excepted in those that follow.
  void NoteChosen(const std::vector<cluster::SessionRecord>& rows, const Recipients& chosen);
  bool anybody_chosen() const { return !got_original_.empty(); }

  // nullopt: the message is none that is copied, nobody wants it, or it was handed out before.
  // `in_archive`: the sender's has it, under the id that stands in the copy then.
  std::optional<ServerStanza> Sent(bool in_archive);
  std::optional<ServerStanza> Received();
  // §6.1: who got a copy of what was sent gets one of what became of it. `error` is canonical,
  // without `to`.
  std::optional<ServerStanza> OfError(const std::string& error) const;

 private:
  bool IsToSelf() const;
  ServerStanza Copy(CopyDirection direction, const xmpp::BareJid& whose,
                    const std::string& message) const;

  const Original original_;
  const MessageContent content_;
  std::vector<std::string> got_original_;  // sessions
  bool others_want_copies_ = false;        // of the recipient's
  bool sent_made_ = false, received_made_ = false;
};

}  // namespace business
