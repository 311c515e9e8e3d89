#include "lib/xmpp/stanza_error.h"

#include <utility>

#include "lib/xmpp/canonical_writer.h"
#include "lib/xmpp/namespaces.h"

namespace xmpp {

StanzaError StanzaError::BadRequest(std::string text) {
  return {ErrorType::kModify, "bad-request", std::move(text), {}};
}
StanzaError StanzaError::Conflict(std::string text) {
  return {ErrorType::kCancel, "conflict", std::move(text), {}};
}
StanzaError StanzaError::FeatureNotImplemented(std::string text) {
  return {ErrorType::kCancel, "feature-not-implemented", std::move(text), {}};
}
StanzaError StanzaError::Forbidden(std::string text) {
  return {ErrorType::kAuth, "forbidden", std::move(text), {}};
}
StanzaError StanzaError::Gone(std::string text) {
  return {ErrorType::kCancel, "gone", std::move(text), {}};
}
StanzaError StanzaError::InternalServerError(std::string text) {
  return {ErrorType::kCancel, "internal-server-error", std::move(text), {}};
}
StanzaError StanzaError::ItemNotFound(std::string text) {
  return {ErrorType::kCancel, "item-not-found", std::move(text), {}};
}
StanzaError StanzaError::JidMalformed(std::string text) {
  return {ErrorType::kModify, "jid-malformed", std::move(text), {}};
}
StanzaError StanzaError::NotAcceptable(std::string text) {
  return {ErrorType::kModify, "not-acceptable", std::move(text), {}};
}
StanzaError StanzaError::NotAllowed(std::string text) {
  return {ErrorType::kCancel, "not-allowed", std::move(text), {}};
}
StanzaError StanzaError::NotAuthorized(std::string text) {
  return {ErrorType::kAuth, "not-authorized", std::move(text), {}};
}
StanzaError StanzaError::PolicyViolation(std::string text) {
  return {ErrorType::kModify, "policy-violation", std::move(text), {}};
}
StanzaError StanzaError::RecipientUnavailable(std::string text) {
  return {ErrorType::kWait, "recipient-unavailable", std::move(text), {}};
}
StanzaError StanzaError::RegistrationRequired(std::string text) {
  return {ErrorType::kAuth, "registration-required", std::move(text), {}};
}
StanzaError StanzaError::RemoteServerNotFound(std::string text) {
  return {ErrorType::kCancel, "remote-server-not-found", std::move(text), {}};
}
StanzaError StanzaError::RemoteServerTimeout(std::string text) {
  return {ErrorType::kWait, "remote-server-timeout", std::move(text), {}};
}
StanzaError StanzaError::ResourceConstraint(std::string text) {
  return {ErrorType::kWait, "resource-constraint", std::move(text), {}};
}
StanzaError StanzaError::ServiceUnavailable(std::string text) {
  return {ErrorType::kCancel, "service-unavailable", std::move(text), {}};
}
StanzaError StanzaError::SubscriptionRequired(std::string text) {
  return {ErrorType::kAuth, "subscription-required", std::move(text), {}};
}
StanzaError StanzaError::UnexpectedRequest(std::string text) {
  return {ErrorType::kWait, "unexpected-request", std::move(text), {}};
}

std::string_view ErrorTypeName(ErrorType type) {
  switch (type) {
    case ErrorType::kAuth:
      return "auth";
    case ErrorType::kCancel:
      return "cancel";
    case ErrorType::kContinue:
      return "continue";
    case ErrorType::kModify:
      return "modify";
    case ErrorType::kWait:
      return "wait";
  }
  return "cancel";
}

std::string StanzaError::ToXml() const {
  std::string out = "<error";
  AppendAttribute(&out, "type", ErrorTypeName(type));
  out += '>';
  CanonicalWriter writer;
  writer.Start(&out, ns::kClient);
  writer.Open(condition, ns::kStanzaErrors);
  writer.Close(condition);
  if (!text.empty()) {
    writer.Open("text", ns::kStanzaErrors);
    writer.Attribute("xml:lang", {}, "en");
    writer.Text(text);
    writer.Close("text");
  }
  out += app_condition;
  out += "</error>";
  return out;
}

}  // namespace xmpp
