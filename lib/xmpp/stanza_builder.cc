#include "lib/xmpp/stanza_builder.h"

#include <cstring>
#include <utility>

#include "lib/xmpp/namespaces.h"

namespace xmpp {
namespace {

constexpr size_t kKeepBuffer = 16 * 1024;
constexpr uint64_t kGrowth = 4;

StanzaKind KindOf(const ExpandedName& name, std::string_view content_ns) {
  if (name.ns != content_ns) return StanzaKind::kNonza;
  if (name.local == "message") return StanzaKind::kMessage;
  if (name.local == "presence") return StanzaKind::kPresence;
  if (name.local == "iq") return StanzaKind::kIq;
  return StanzaKind::kNonza;
}

uint64_t FlagOf(std::string_view local, std::string_view ns) {
  if (ns == ns::kClient) {
    if (local == "body") return kHasBody;
    if (local == "subject") return kHasSubject;
    if (local == "error") return kHasError;
    if (local == "priority") return kHasPriority;
    return 0;
  }
  if (ns == ns::kChatStates) return kHasChatState;
  if (ns == ns::kReceipts) return kHasReceipt;
  if (ns == ns::kMarkers) return kHasMarker;
  if (ns == ns::kHints) return kHasHint;
  if (ns == ns::kCarbons) return kHasCarbon;
  struct Row {
    std::string_view ns, local;
    uint64_t flag;
  };
  static constexpr Row kRows[] = {
      {ns::kStanzaId, "stanza-id", kHasStanzaId},
      {ns::kDelay, "delay", kHasDelay},
      {ns::kOccupantId, "occupant-id", kHasOccupantId},
      {ns::kForward, "forwarded", kHasForwarded},
      {ns::kEme, "encryption", kHasEncrypted},
      {ns::kOmemo, "encrypted", kHasEncrypted},
      {ns::kOmemo2, "encrypted", kHasEncrypted},
      {ns::kCaps, "c", kHasCaps},
      {ns::kMuc, "x", kHasMucJoin},
  };
  for (const Row& row : kRows) {
    if (ns == row.ns && local == row.local) return row.flag;
  }
  return 0;
}

}  // namespace

void StanzaBuilder::Begin(std::string_view content_ns) {
  if (depth_ > 0) Clear();
  content_ns_.assign(content_ns);
  writer_.Start(&bytes_, ns::kClient);
}

std::string_view StanzaBuilder::OverTagLimits(const ExpandedName& name,
                                              const char* const* attributes,
                                              const FramerLimits& limits) {
  if (name.prefix.size() + name.local.size() > limits.name_bytes) return "name too long";
  uint32_t count = 0;
  for (; *attributes != nullptr; attributes += 2) {
    if (++count > limits.attributes) return "too many attributes";
    if (std::strlen(*attributes) <= limits.name_bytes) continue;  // even with its namespace
    const ExpandedName attribute = ExpandedName::Split(*attributes);
    if (attribute.prefix.size() + attribute.local.size() > limits.name_bytes) {
      return "name too long";
    }
  }
  return {};
}

bool StanzaBuilder::Grown(const FramerLimits& limits) {
  if (bytes_.size() > kGrowth * limits.stanza_bytes) over_ = "stanza too big";
  return !over_.empty();
}

bool StanzaBuilder::Start(const ExpandedName& name, const char* const* attributes,
                          const FramerLimits& limits) {
  if (++depth_ > limits.depth) over_ = "nested too deeply";
  if (++elements_ > limits.elements) over_ = "too many elements";
  if (over_.empty()) over_ = OverTagLimits(name, attributes, limits);
  if (!over_.empty()) return false;

  const std::string_view ns = name.ns == content_ns_ ? ns::kClient : name.ns;
  writer_.Open(name.local, ns);
  if (depth_ == 1) {
    StartRoot(name, attributes);
  } else {
    if (depth_ == 2) SeeChild(name.local, ns);
    for (; *attributes != nullptr; attributes += 2) {
      const ExpandedName a = ExpandedName::Split(attributes[0]);
      if (a.ns == ns::kXml) {
        writer_.Attribute(std::string("xml:").append(a.local), {}, attributes[1]);
      } else {
        writer_.Attribute(a.local, a.ns, attributes[1]);
      }
    }
  }
  return !Grown(limits);
}

void StanzaBuilder::StartRoot(const ExpandedName& name, const char* const* attributes) {
  stanza_.kind = KindOf(name, content_ns_);
  const bool nonza = stanza_.kind == StanzaKind::kNonza;
  if (nonza) {
    stanza_.payload_ns = name.ns;
    stanza_.payload_name = name.local;
  }
  std::string_view type;
  bool has_type = false;
  for (; *attributes != nullptr; attributes += 2) {
    const ExpandedName a = ExpandedName::Split(attributes[0]);
    const std::string_view value = attributes[1];
    if (a.ns == ns::kXml) {
      if (a.local == "lang") stanza_.lang = value;
      writer_.Attribute(std::string("xml:").append(a.local), {}, value);
      continue;
    }
    if (a.ns.empty() && (a.local == "to" || a.local == "from")) {
      (a.local == "to" ? stanza_.to : stanza_.from) = value;
      if (!nonza) {
        // An empty address is none in the envelope, so it has to be refused here (RFC 7622 §3.1).
        if (value.empty()) stanza_.verdict = Verdict::kJidMalformed;
        continue;
      }
    }
    if (a.ns.empty() && a.local == "id") stanza_.id = value;
    if (a.ns.empty() && a.local == "type") {
      has_type = true;
      type = value;
    }
    writer_.Attribute(a.local, a.ns, value);
  }
  if (nonza) return;
  stanza_.type = ParseType(stanza_.kind, type);
  if (has_type && type.empty()) stanza_.type = StanzaType::kInvalid;
}

void StanzaBuilder::SeeChild(std::string_view local, std::string_view ns) {
  if (++children_ == 1 && stanza_.kind != StanzaKind::kNonza) {
    stanza_.payload_ns = ns;
    stanza_.payload_name = local;
  }
  stanza_.flags |= FlagOf(local, ns);
}

bool StanzaBuilder::Text(std::string_view text, const FramerLimits& limits) {
  writer_.Text(text);
  return !Grown(limits);
}

bool StanzaBuilder::End(const ExpandedName& name) {
  writer_.Close(name.local);
  return --depth_ == 0;
}

Stanza StanzaBuilder::Take() {
  if (children_ == 0) stanza_.flags |= kNoPayload;
  if (children_ > 1) stanza_.flags |= kManyPayloads;
  stanza_.bytes = bytes_;  // a copy of the right size; the scratch stays
  bytes_.clear();
  if (bytes_.capacity() > kKeepBuffer) std::string().swap(bytes_);
  elements_ = children_ = 0;
  return std::exchange(stanza_, Stanza());
}

void StanzaBuilder::Clear() {
  bytes_.clear();
  if (bytes_.capacity() > kKeepBuffer) std::string().swap(bytes_);
  stanza_ = Stanza();
  over_ = {};
  depth_ = elements_ = children_ = 0;
}

}  // namespace xmpp
