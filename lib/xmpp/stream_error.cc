#include "lib/xmpp/stream_error.h"

#include <array>

#include "lib/xmpp/canonical_writer.h"
#include "lib/xmpp/namespaces.h"

namespace xmpp {
namespace {

// In the order of StreamCondition.
constexpr std::array<std::string_view, 25> kNames = {
    "bad-format",
    "bad-namespace-prefix",
    "conflict",
    "connection-timeout",
    "host-gone",
    "host-unknown",
    "improper-addressing",
    "internal-server-error",
    "invalid-from",
    "invalid-namespace",
    "invalid-xml",
    "not-authorized",
    "not-well-formed",
    "policy-violation",
    "remote-connection-failed",
    "reset",
    "resource-constraint",
    "restricted-xml",
    "see-other-host",
    "system-shutdown",
    "undefined-condition",
    "unsupported-encoding",
    "unsupported-feature",
    "unsupported-stanza-type",
    "unsupported-version",
};
static_assert(kNames.size() == static_cast<size_t>(StreamCondition::kUnsupportedVersion) + 1);

}  // namespace

std::string_view ConditionName(StreamCondition condition) {
  return kNames[static_cast<size_t>(condition)];
}

std::optional<StreamCondition> ParseStreamCondition(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<StreamCondition>(i);
  }
  return std::nullopt;
}

std::string StreamError::ToXml() const {
  std::string out = "<stream:error>";
  CanonicalWriter writer;
  writer.Start(&out, {});
  const std::string_view name = ConditionName(condition);
  writer.Open(name, ns::kStreamErrors);
  // RFC 6120 §4.9.3.19: the other host is the condition's own character data.
  if (condition == StreamCondition::kSeeOtherHost) writer.Text(text);
  writer.Close(name);
  if (!text.empty() && condition != StreamCondition::kSeeOtherHost) {
    writer.Open("text", ns::kStreamErrors);
    writer.Attribute("xml:lang", {}, "en");
    writer.Text(text);
    writer.Close("text");
  }
  out += app_condition;
  out += "</stream:error>";
  return out;
}

}  // namespace xmpp
