#include "business/routing/stanza_reply.h"

#include "lib/xmpp/canonical_writer.h"

namespace business {
namespace {

std::string_view RootName(xmpp::StanzaKind kind) {
  switch (kind) {
    case xmpp::StanzaKind::kPresence:
      return "presence";
    case xmpp::StanzaKind::kIq:
      return "iq";
    default:
      return "message";
  }
}

std::string Begin(xmpp::StanzaKind kind, std::string_view type, std::string_view id,
                  std::string_view from) {
  std::string out = "<";
  out.append(RootName(kind));
  if (!from.empty()) xmpp::AppendAttribute(&out, "from", from);
  xmpp::AppendAttribute(&out, "type", type);
  if (!id.empty()) xmpp::AppendAttribute(&out, "id", id);
  return out;
}

}  // namespace

bool MayBeBounced(const xmpp::Stanza& stanza) {
  return stanza.type != xmpp::StanzaType::kError && stanza.type != xmpp::StanzaType::kResult;
}

std::string WriteResult(std::string_view id, std::string_view from,
                        const std::optional<xmpp::Element>& payload) {
  std::string out = Begin(xmpp::StanzaKind::kIq, "result", id, from);
  if (!payload) return out.append("/>");
  return out.append(">").append(payload->Write()).append("</iq>");
}

std::string WriteError(xmpp::StanzaKind kind, std::string_view id, std::string_view from,
                       const xmpp::StanzaError& error) {
  std::string out = Begin(kind, "error", id, from);
  out.append(">").append(error.ToXml());
  return out.append("</").append(RootName(kind)).append(">");
}

}  // namespace business
