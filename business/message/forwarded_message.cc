#include "business/message/forwarded_message.h"

#include <utility>

#include "lib/xmpp/canonical_writer.h"
#include "lib/xmpp/date_time.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;

constexpr std::string_view kStartTag = "<message";
constexpr std::string_view kEndTag = "</message>";

void AppendDelay(std::string* out, std::string_view from, int64_t stamp_ms) {
  out->append("<delay xmlns='").append(ns::kDelay).append("'");
  if (!from.empty()) xmpp::AppendAttribute(out, "from", from);
  xmpp::AppendAttribute(out, "stamp", xmpp::DateTimeText(stamp_ms));
  out->append("/>");
}

// What is in jabber:client carries no declaration: one at its root is enough.
void AppendEmbedded(std::string* out, std::string_view message) {
  out->append(kStartTag).append(" xmlns='").append(ns::kClient).append("'");
  out->append(message.substr(kStartTag.size()));
}

void AppendForwarded(std::string* out, std::string_view message) {
  out->append("<forwarded xmlns='").append(ns::kForward).append("'>");
  AppendEmbedded(out, message);
  out->append("</forwarded>");
}

}  // namespace

std::string CarbonCopy(CopyDirection direction, xmpp::StanzaType type, std::string_view message) {
  const std::string_view name = direction == CopyDirection::kSent ? "sent" : "received";
  std::string copy(kStartTag);
  copy.reserve(message.size() + 200);
  if (type != xmpp::StanzaType::kNormal) xmpp::AppendAttribute(&copy, "type", xmpp::TypeName(type));
  copy.append("><").append(name).append(" xmlns='").append(ns::kCarbons).append("'>");
  AppendForwarded(&copy, message);
  copy.append("</").append(name).append(">").append(kEndTag);
  return copy;
}

std::string ArchiveResult(std::string_view query_id, std::string_view id, int64_t stamp_ms,
                          std::string_view message) {
  std::string result(kStartTag);
  result.reserve(message.size() + 320);
  result.append("><result xmlns='").append(ns::kArchive).append("'");
  if (!query_id.empty()) xmpp::AppendAttribute(&result, "queryid", query_id);
  xmpp::AppendAttribute(&result, "id", id);
  result.append("><forwarded xmlns='").append(ns::kForward).append("'>");
  AppendDelay(&result, {}, stamp_ms);
  AppendEmbedded(&result, message);
  result.append("</forwarded></result>").append(kEndTag);
  return result;
}

std::string WithDelay(std::string message, std::string_view domain, int64_t stamp_ms) {
  std::string ours;
  ours.append("<delay xmlns='").append(ns::kDelay).append("'");
  xmpp::AppendAttribute(&ours, "from", domain);
  if (message.find(ours) != std::string::npos) return message;
  if (message.ends_with("/>")) {
    message.replace(message.size() - 2, 2, ">");
  } else {
    message.resize(message.size() - kEndTag.size());
  }
  AppendDelay(&message, domain, stamp_ms);
  message.append(kEndTag);
  return message;
}

}  // namespace business
