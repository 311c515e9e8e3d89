// Stream errors, RFC 6120 §4.9.3: each closes the stream.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace xmpp {

enum class StreamCondition {
  kBadFormat,
  kBadNamespacePrefix,
  kConflict,
  kConnectionTimeout,
  kHostGone,
  kHostUnknown,
  kImproperAddressing,
  kInternalServerError,
  kInvalidFrom,
  kInvalidNamespace,
  kInvalidXml,
  kNotAuthorized,
  kNotWellFormed,
  kPolicyViolation,
  kRemoteConnectionFailed,
  kReset,
  kResourceConstraint,
  kRestrictedXml,
  kSeeOtherHost,
  kSystemShutdown,
  kUndefinedCondition,
  kUnsupportedEncoding,
  kUnsupportedFeature,
  kUnsupportedStanzaType,
  kUnsupportedVersion,
};

std::string_view ConditionName(StreamCondition condition);  // "bad-format" …
std::optional<StreamCondition> ParseStreamCondition(std::string_view name);

struct StreamError {
  StreamCondition condition;
  std::string text;           // English, may be empty; for kSeeOtherHost the other host
  std::string app_condition;  // canonical XML, e.g. <stanza-too-big xmlns='urn:xmpp:errors'/>

  // `<stream:error>…</stream:error>` with the prefix `stream` taken as declared.
  std::string ToXml() const;
};

}  // namespace xmpp
