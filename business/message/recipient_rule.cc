#include "business/message/recipient_rule.h"

#include <limits>

namespace business {
namespace {

using cluster::SessionRecord;
using xmpp::StanzaKind;
using xmpp::StanzaType;

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

uint32_t Exactly(std::string_view resource, const std::vector<SessionRecord>& rows) {
  for (uint32_t i = 0; i < rows.size(); ++i) {
    if (rows[i].resource == resource) return i;
  }
  return kNone;
}

// §8.5.2.1.1: a resource with negative priority gets no messages to the bare JID.
bool TakesBare(const SessionRecord& row) { return row.available && row.priority >= 0; }

void MostAvailable(const std::vector<SessionRecord>& rows, Recipients* chosen) {
  int32_t best = -1;
  for (uint32_t i = 0; i < rows.size(); ++i) {
    if (!TakesBare(rows[i]) || rows[i].priority < best) continue;
    if (rows[i].priority > best) chosen->rows.clear();
    best = rows[i].priority;
    chosen->rows.push_back(i);
  }
}

void MessageToBare(StanzaType type, const std::vector<SessionRecord>& rows, Recipients* chosen) {
  switch (type) {
    case StanzaType::kGroupchat:  // §8.5.2.1.1: never delivered, always an error
      chosen->nobody = NobodyThere::kError;
      return;
    case StanzaType::kError:
      return;
    case StanzaType::kHeadline:
      for (uint32_t i = 0; i < rows.size(); ++i) {
        if (TakesBare(rows[i])) chosen->rows.push_back(i);
      }
      return;
    default:
      chosen->nobody = NobodyThere::kError;  // §8.5.2.2.1, there being no offline storage
      MostAvailable(rows, chosen);
  }
}

// §8.5.3.2.1: only chat falls back to the bare JID; normal and groupchat may not (the error tells a
// room that its occupant is a ghost), headline and error are ignored.
void MessageToAbsentResource(StanzaType type, const std::vector<SessionRecord>& rows,
                             Recipients* chosen) {
  if (type == StanzaType::kChat) {
    MessageToBare(type, rows, chosen);
  } else if (type == StanzaType::kNormal || type == StanzaType::kGroupchat) {
    chosen->nobody = NobodyThere::kError;
  }
}

}  // namespace

Recipients ChooseRecipients(StanzaKind kind, StanzaType type, std::string_view resource,
                            const std::vector<SessionRecord>& rows) {
  Recipients chosen;
  if (!resource.empty()) {
    // §8.5.3.1: a connected resource gets all that is addressed to it, available or not.
    const uint32_t row = Exactly(resource, rows);
    if (row != kNone) {
      chosen.rows.push_back(row);
    } else if (kind == StanzaKind::kMessage) {
      MessageToAbsentResource(type, rows, &chosen);
    } else if (kind == StanzaKind::kIq &&
               (type == StanzaType::kGet || type == StanzaType::kSet)) {
      chosen.nobody = NobodyThere::kError;  // §8.5.3.2.3
    }
    return chosen;
  }
  if (kind == StanzaKind::kMessage) {
    MessageToBare(type, rows, &chosen);
  } else if (kind == StanzaKind::kPresence) {
    // §8.5.2.1.2: available and unavailable go to all available resources.
    for (uint32_t i = 0; i < rows.size(); ++i) {
      if (rows[i].available) chosen.rows.push_back(i);
    }
  }
  return chosen;
}

}  // namespace business
