#include "lib/xmpp/stanza.h"

#include <array>
#include <utility>

#include "lib/xmpp/canonical_writer.h"
#include "lib/xmpp/jid.h"

namespace xmpp {
namespace {

// In the order of StanzaType; kInvalid has no name.
constexpr std::array<std::string_view, 16> kTypeNames = {
    "",      "normal", "chat",        "groupchat", "headline",   "error",       "get",
    "set",   "result", "unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed",
    "probe", ""};

bool Allowed(StanzaKind kind, StanzaType type) {
  switch (kind) {
    case StanzaKind::kMessage:
      return type >= StanzaType::kNormal && type <= StanzaType::kError;
    case StanzaKind::kIq:
      return type >= StanzaType::kError && type <= StanzaType::kResult;
    case StanzaKind::kPresence:
      return type == StanzaType::kError ||
             (type >= StanzaType::kUnavailable && type <= StanzaType::kProbe);
    case StanzaKind::kNonza:
      return false;
  }
  return false;
}

// RFC 6120 §8.2.3: an id always; one payload in a request, at most one in a result.
bool IqIsWellFormed(const Stanza& iq) {
  if (iq.id.empty()) return false;
  switch (iq.type) {
    case StanzaType::kGet:
    case StanzaType::kSet:
      return (iq.flags & (kManyPayloads | kNoPayload)) == 0;
    case StanzaType::kResult:
      return (iq.flags & kManyPayloads) == 0;
    case StanzaType::kError:
      return true;
    default:
      return false;
  }
}

bool NormalizeAddress(std::string* address) {
  if (address->empty()) return true;
  auto jid = Jid::Parse(*address);
  if (!jid) return false;
  *address = jid->ToString();
  return true;
}

}  // namespace

std::string_view TypeName(StanzaType type) {
  const auto i = static_cast<size_t>(type);
  return i < kTypeNames.size() ? kTypeNames[i] : std::string_view();
}

StanzaType ParseType(StanzaKind kind, std::string_view text) {
  if (text.empty()) {
    if (kind == StanzaKind::kMessage) return StanzaType::kNormal;
    return kind == StanzaKind::kIq ? StanzaType::kInvalid : StanzaType::kNone;
  }
  for (size_t i = 1; i < kTypeNames.size(); ++i) {
    const auto type = static_cast<StanzaType>(i);
    if (kTypeNames[i] == text && Allowed(kind, type)) return type;
  }
  return StanzaType::kInvalid;
}

void ValidateAtEdge(Stanza* stanza) {
  if (stanza->kind == StanzaKind::kNonza) return;
  if (stanza->kind == StanzaKind::kMessage && stanza->type == StanzaType::kInvalid) {
    stanza->type = StanzaType::kNormal;
  }
  Verdict found = Verdict::kOk;
  if (stanza->type == StanzaType::kInvalid ||
      (stanza->kind == StanzaKind::kIq && !IqIsWellFormed(*stanza))) {
    found = Verdict::kBadRequest;
  }
  const bool to = NormalizeAddress(&stanza->to);
  const bool from = NormalizeAddress(&stanza->from);
  if (found == Verdict::kOk && !(to && from)) found = Verdict::kJidMalformed;
  if (stanza->verdict == Verdict::kOk) stanza->verdict = found;
}

uint32_t SpliceOffset(StanzaKind kind) {
  switch (kind) {
    case StanzaKind::kMessage:
      return 8;
    case StanzaKind::kPresence:
      return 9;
    case StanzaKind::kIq:
      return 3;
    case StanzaKind::kNonza:
      return 0;
  }
  return 0;
}

std::string WithAddresses(std::string_view bytes, StanzaKind kind, std::string_view from,
                          std::string_view to) {
  const uint32_t splice = SpliceOffset(kind);
  std::string out;
  out.reserve(bytes.size() + from.size() + to.size() + 16);
  out.append(bytes.substr(0, splice));
  if (splice > 0 && !from.empty()) AppendAttribute(&out, "from", from);
  if (splice > 0 && !to.empty()) AppendAttribute(&out, "to", to);
  out.append(bytes.substr(splice));
  return out;
}

void AppendWithTo(std::string* out, std::string_view bytes, uint32_t splice_offset,
                  std::string_view to) {
  out->append(bytes.substr(0, splice_offset));
  if (splice_offset > 0 && !to.empty()) AppendAttribute(out, "to", to);
  out->append(bytes.substr(splice_offset));
}

}  // namespace xmpp
