#include "business/routing/message_copies.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "business/message/stanza_ids.h"

namespace business {
namespace {

using cluster::SessionRecord;
using Rows = std::vector<SessionRecord>;

bool Holds(const std::vector<std::string>& sessions, const std::string& session) {
  return std::find(sessions.begin(), sessions.end(), session) != sessions.end();
}

// Of an account's sessions those with carbons, without those in `but`.
std::function<Recipients(const Rows&)> WithCarbons(std::vector<std::string> but) {
  return [but = std::move(but)](const Rows& rows) {
    Recipients chosen;
    for (uint32_t i = 0; i < rows.size(); ++i) {
      if (WantsCopies(rows[i]) && !Holds(but, rows[i].session)) chosen.rows.push_back(i);
    }
    return chosen;
  };
}

}  // namespace

MessageCopies::MessageCopies(Original original)
    : original_(original), content_(ContentOf(original.stanza)) {}

bool MessageCopies::IsToSelf() const { return original_.recipient == original_.sender.account(); }

void MessageCopies::NoteChosen(const Rows& rows, const Recipients& chosen) {
  for (uint32_t i : chosen.rows) {
    if (!Holds(got_original_, rows[i].session)) got_original_.push_back(rows[i].session);
  }
  others_want_copies_ = std::any_of(rows.begin(), rows.end(), [this](const SessionRecord& row) {
    return WantsCopies(row) && !Holds(got_original_, row.session);
  });
}

std::optional<ServerStanza> MessageCopies::Sent(bool in_archive) {
  if (!content_.sent_copy || std::exchange(sent_made_, true)) return std::nullopt;
  const Session& sender = original_.sender;
  const std::string id = cluster::ClusterIdText(original_.id);
  // The recipient's archive is none of the sender's business.
  xmpp::Stanza message;
  message.bytes = WithoutStamp(original_.stanza.bytes, id);
  if (in_archive) StampMessage(&message, {}, sender.account().ToString(), id);
  ServerStanza copy = Copy(CopyDirection::kSent, sender.account(), message.bytes);
  copy.index = kEffectSentCopy;
  std::vector<std::string> but{sender.record.session};
  if (IsToSelf()) but.insert(but.end(), got_original_.begin(), got_original_.end());
  copy.choose = WithCarbons(std::move(but));
  return copy;
}

std::optional<ServerStanza> MessageCopies::Received() {
  // To oneself: it was copied as it was sent.
  if (!content_.received_copy || !others_want_copies_ || IsToSelf()) return std::nullopt;
  if (std::exchange(received_made_, true)) return std::nullopt;
  ServerStanza copy = Copy(CopyDirection::kReceived, original_.recipient, original_.stanza.bytes);
  copy.index = kEffectReceivedCopy;
  copy.choose = WithCarbons(got_original_);
  return copy;
}

std::optional<ServerStanza> MessageCopies::OfError(const std::string& error) const {
  if (!sent_made_) return std::nullopt;
  const Session& sender = original_.sender;
  ServerStanza copy;
  copy.type = xmpp::StanzaType::kError;
  copy.from = sender.account().ToString();
  copy.to = sender.account();
  copy.to_resources = true;
  copy.bytes =
      CarbonCopy(CopyDirection::kReceived, copy.type,
                 xmpp::WithAddresses(error, original_.stanza.kind, {}, sender.full().ToString()));
  copy.flags = xmpp::kHasCarbon;
  copy.id = original_.id;
  copy.index = kEffectErrorCopy;
  copy.choose = WithCarbons({sender.record.session});
  return copy;
}

ServerStanza MessageCopies::Copy(CopyDirection direction, const xmpp::BareJid& whose,
                                 const std::string& message) const {
  const xmpp::Stanza& stanza = original_.stanza;
  ServerStanza copy;
  copy.type = stanza.type;
  copy.from = whose.ToString();
  copy.to = whose;
  copy.to_resources = true;
  copy.bytes =
      CarbonCopy(direction, stanza.type,
                 xmpp::WithAddresses(message, stanza.kind, original_.sender.full().ToString(),
                                     original_.to.ToString()));
  copy.flags = xmpp::kHasCarbon;
  copy.id = original_.id;
  return copy;
}

}  // namespace business
