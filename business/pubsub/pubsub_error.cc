#include "business/pubsub/pubsub_error.h"

#include <utility>

#include "lib/xmpp/element.h"
#include "lib/xmpp/namespaces.h"

namespace business {

using xmpp::StanzaError;

StanzaError WithPubsub(StanzaError error, std::string_view condition) {
  error.app_condition = xmpp::Element(std::string(condition), xmpp::ns::kPubsubErrors).Write();
  return error;
}

StanzaError UnsupportedPubsub(std::string_view feature) {
  StanzaError error = StanzaError::FeatureNotImplemented();
  xmpp::Element unsupported("unsupported", xmpp::ns::kPubsubErrors);
  unsupported.SetAttr("feature", std::string(feature));
  error.app_condition = unsupported.Write();
  return error;
}

StanzaError PubsubTrouble(const runtime::Error& error) {
  if (error.kind == runtime::ErrorKind::kUnavailable) {
    return StanzaError::ResourceConstraint("the store is busy");
  }
  StanzaError trouble = StanzaError::InternalServerError("the store does not answer");
  trouble.type = xmpp::ErrorType::kWait;
  return trouble;
}

StanzaError NodeIdRequired() { return WithPubsub(StanzaError::BadRequest(), "nodeid-required"); }

StanzaError NoSuchNode() { return StanzaError::ItemNotFound("no such node"); }

}  // namespace business
