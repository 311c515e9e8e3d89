#include "business/auth/sasl_element.h"

#include <utility>

#include "lib/xmpp/element.h"
#include "lib/xmpp/namespaces.h"
#include "lib/xmpp/sasl/base64.h"

namespace business {

using xmpp::Element;
namespace ns = xmpp::ns;

namespace {

std::optional<SaslElement::Kind> KindOf(const Element& element) {
  if (element.ns() != ns::kSasl) return std::nullopt;
  if (element.name() == "auth") return SaslElement::Kind::kAuth;
  if (element.name() == "response") return SaslElement::Kind::kResponse;
  if (element.name() == "abort") return SaslElement::Kind::kAbort;
  return std::nullopt;
}

std::string WriteWithData(std::string_view name, std::string_view data) {
  Element element(std::string(name), ns::kSasl);
  if (!data.empty()) element.AddText(xmpp::sasl::EncodeBase64(data));
  return element.Write();
}

}  // namespace

std::optional<SaslElement> ReadSaslElement(std::string_view canonical) {
  const auto element = Element::Parse(canonical);
  if (!element || element->FirstChild() != nullptr) return std::nullopt;
  const auto kind = KindOf(*element);
  if (!kind) return std::nullopt;
  SaslElement read{.kind = *kind, .mechanism = std::string(element->Attr("mechanism"))};
  const std::string text = element->Text();
  if (text.empty() && read.kind == SaslElement::Kind::kAuth) return read;
  read.data = xmpp::sasl::DecodeBase64(text);
  read.bad_encoding = !read.data.has_value();
  return read;
}

std::string WriteChallenge(std::string_view data) { return WriteWithData("challenge", data); }
std::string WriteSuccess(std::string_view data) { return WriteWithData("success", data); }

std::string WriteFailure(std::string_view condition) {
  Element failure("failure", ns::kSasl);
  failure.Add(std::string(condition), ns::kSasl);
  return failure.Write();
}

std::string WriteOffer(const xmpp::sasl::Offer& offer) {
  std::string out;
  if (offer.mechanisms.empty()) return out;  // RFC 6120 A.4: the element is never empty
  Element mechanisms("mechanisms", ns::kSasl);
  for (const std::string& name : offer.mechanisms) {
    mechanisms.Add("mechanism", ns::kSasl).AddText(name);
  }
  out = mechanisms.Write();
  if (offer.channel_bindings.empty()) return out;
  Element bindings("sasl-channel-binding", ns::kSaslChannelBinding);
  for (const std::string& type : offer.channel_bindings) {
    bindings.Add("channel-binding", ns::kSaslChannelBinding).SetAttr("type", type);
  }
  return out + bindings.Write();
}

}  // namespace business
