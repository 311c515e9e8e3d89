// A stanza as it travels inside the cluster: the canonical bytes, and the envelope that is enough
// to route it without parsing them again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace xmpp {

enum class StanzaKind : uint8_t { kMessage = 1, kPresence = 2, kIq = 3, kNonza = 4 };

enum class StanzaType : uint8_t {
  kNone = 0,  // presence without type; a message without type is kNormal
  // message (RFC 6121 §5.2.2)
  kNormal = 1,
  kChat = 2,
  kGroupchat = 3,
  kHeadline = 4,
  kError = 5,  // all kinds
  // iq (RFC 6120 §8.2.3)
  kGet = 6,
  kSet = 7,
  kResult = 8,
  // presence (RFC 6121 §4.7.1)
  kUnavailable = 9,
  kSubscribe = 10,
  kSubscribed = 11,
  kUnsubscribe = 12,
  kUnsubscribed = 13,
  kProbe = 14,
  kInvalid = 15,  // a value the RFC does not know
};

std::string_view TypeName(StanzaType type);  // "" for kNone
StanzaType ParseType(StanzaKind kind, std::string_view text);

// What the framer saw among the root's children, so that the payload is parsed only by who needs
// it. Bit values are part of the wire contract: never renumber.
enum StanzaFlag : uint64_t {
  kHasBody = 1 << 0,        // {jabber:client}body
  kHasSubject = 1 << 1,     // {jabber:client}subject
  kHasStanzaId = 1 << 2,    // XEP-0359 stanza-id
  kHasDelay = 1 << 3,       // XEP-0203
  kHasOccupantId = 1 << 4,  // XEP-0421
  kHasHint = 1 << 5,        // any XEP-0334 hint
  kHasCarbon = 1 << 6,      // any XEP-0280 element
  kHasChatState = 1 << 7,   // XEP-0085
  kHasReceipt = 1 << 8,     // XEP-0184
  kHasMarker = 1 << 9,      // XEP-0333
  kHasError = 1 << 10,      // {jabber:client}error
  kHasForwarded = 1 << 11,  // XEP-0297
  kHasEncrypted = 1 << 12,  // XEP-0380 hint or OMEMO
  kHasCaps = 1 << 13,       // XEP-0115
  kHasMucJoin = 1 << 14,    // http://jabber.org/protocol/muc
  kManyPayloads = 1 << 15,  // more than one child element
  kNoPayload = 1 << 16,     // no child element
  kHasPriority = 1 << 17,   // {jabber:client}priority
};

// What edge validation found. Anything but kOk is submitted all the same, takes its number and is
// answered by the business tier.
enum class Verdict : uint8_t {
  kOk = 0,
  kBadRequest = 1,    // iq without id, bad type, wrong number of children …
  kJidMalformed = 2,  // `to` is not an RFC 7622 address
};

// Canonical form: UTF-8; attributes in single quotes; elements in `jabber:client` directly under
// the root, and the root itself, carry no declaration; a change of namespace is declared as the
// default namespace on the element where it changes; a namespaced attribute (other than xml:) gets
// prefix `a1`, `a2` … declared on its element. The root carries neither `to` nor `from`: both are
// in the envelope and written in by whoever sends the stanza on, directly behind the root's name.
struct Stanza {
  StanzaKind kind = StanzaKind::kMessage;
  StanzaType type = StanzaType::kNone;
  Verdict verdict = Verdict::kOk;
  uint64_t flags = 0;      // StanzaFlag bits
  std::string id;          // the `id` attribute; empty if absent
  std::string to;          // normalised if verdict is kOk, else as sent; empty if absent
  std::string from;        // normalised; as sent by the client: empty in most cases
  std::string lang;        // xml:lang of the root
  std::string payload_ns;  // first child element
  std::string payload_name;
  std::string bytes;  // canonical, without `to` and `from`
};

// Edge validation, once the framer gave a stanza (tests/attacks, rows 30, 31): normalises `to` and
// `from`, sets `verdict`; a verdict already there stays. An unknown type of a message becomes
// kNormal (RFC 6121 §5.2.2). Nonzas are left alone.
void ValidateAtEdge(Stanza* stanza);

// Length of "<message", "<presence" or "<iq": where attributes are spliced in.
uint32_t SpliceOffset(StanzaKind kind);

// `bytes` with ` from='…'` and ` to='…'` written behind the root's name; an empty one is left out.
std::string WithAddresses(std::string_view bytes, StanzaKind kind, std::string_view from,
                          std::string_view to);
// The same for a known splice offset, appended to `out`.
void AppendWithTo(std::string* out, std::string_view bytes, uint32_t splice_offset,
                  std::string_view to);

}  // namespace xmpp
