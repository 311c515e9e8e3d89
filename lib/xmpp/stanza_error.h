// Stanza errors, RFC 6120 §8.3. Named constructors after the RFC.
#pragma once

#include <string>
#include <string_view>

namespace xmpp {

enum class ErrorType { kAuth, kCancel, kContinue, kModify, kWait };

// What a handler returns instead of a reply; only the dispatcher turns it into one.
struct StanzaError {
  ErrorType type;
  std::string condition;      // element name in urn:ietf:params:xml:ns:xmpp-stanzas
  std::string text;           // for people, English; may be empty
  std::string app_condition;  // canonical XML of an application-specific condition; may be empty

  static StanzaError BadRequest(std::string text = {});             // modify
  static StanzaError Conflict(std::string text = {});               // cancel
  static StanzaError FeatureNotImplemented(std::string text = {});  // cancel
  static StanzaError Forbidden(std::string text = {});              // auth
  static StanzaError Gone(std::string text = {});                   // cancel
  static StanzaError InternalServerError(std::string text = {});    // cancel
  static StanzaError ItemNotFound(std::string text = {});           // cancel
  static StanzaError JidMalformed(std::string text = {});           // modify
  static StanzaError NotAcceptable(std::string text = {});          // modify
  static StanzaError NotAllowed(std::string text = {});             // cancel
  static StanzaError NotAuthorized(std::string text = {});          // auth
  static StanzaError PolicyViolation(std::string text = {});        // modify
  static StanzaError RecipientUnavailable(std::string text = {});   // wait
  static StanzaError RegistrationRequired(std::string text = {});   // auth
  static StanzaError RemoteServerNotFound(std::string text = {});   // cancel
  static StanzaError RemoteServerTimeout(std::string text = {});    // wait
  static StanzaError ResourceConstraint(std::string text = {});     // wait
  static StanzaError ServiceUnavailable(std::string text = {});     // cancel
  static StanzaError SubscriptionRequired(std::string text = {});   // auth
  static StanzaError UnexpectedRequest(std::string text = {});      // wait

  // Canonical `<error type='…'>…</error>` in jabber:client.
  std::string ToXml() const;
};

std::string_view ErrorTypeName(ErrorType type);

}  // namespace xmpp
