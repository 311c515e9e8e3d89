#include "business/session/bind_iq.h"

#include <optional>
#include <utility>
#include <vector>

#include "lib/xmpp/canonical_writer.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using xmpp::Element;
using xmpp::StanzaError;

std::string BeginIq(std::string_view type, std::string_view id) {
  std::string out = "<iq";
  xmpp::AppendAttribute(&out, "type", type);
  if (!id.empty()) xmpp::AppendAttribute(&out, "id", id);
  return out.append(">");
}

// The one <bind/>; nullptr if the iq is not a request to bind.
const Element* BindOf(const Element& iq) {
  if (!iq.Is("iq", ns::kClient) || iq.Attr("type") != "set" || iq.Attr("id").empty())
    return nullptr;
  const std::vector<const Element*> children = iq.Elements();
  return children.size() == 1 && children[0]->Is("bind", ns::kBind) ? children[0] : nullptr;
}

RefusedBind Refused(std::string_view id, const StanzaError& error) {
  return {WriteBindError(id, error)};
}

}  // namespace

std::variant<BindIq, RefusedBind> ReadBindIq(std::string_view canonical) {
  const std::optional<Element> iq = Element::Parse(canonical);
  if (!iq) return Refused({}, StanzaError::BadRequest());
  const std::string_view type = iq->Attr("type");
  if (type == "error" || type == "result") return RefusedBind{};

  BindIq bind{.id = std::string(iq->Attr("id")), .resource = {}};
  const Element* element = BindOf(*iq);
  if (element == nullptr) return Refused(bind.id, StanzaError::BadRequest());
  const Element* wanted = element->Find("resource", ns::kBind);
  const std::string text = wanted == nullptr ? std::string() : wanted->Text();
  if (text.empty()) return bind;
  if (text.size() > xmpp::kMaxJidPartBytes) {
    return Refused(bind.id, StanzaError::BadRequest("the resource is too long"));
  }
  std::optional<std::string> resource = xmpp::NormalizeResourcepart(text);
  if (!resource) return Refused(bind.id, StanzaError::JidMalformed());
  bind.resource = *std::move(resource);
  return bind;
}

std::string WriteBindResult(std::string_view id, std::string_view full_jid) {
  std::string out = BeginIq("result", id);
  xmpp::CanonicalWriter writer;
  writer.Start(&out, ns::kClient);
  writer.Open("bind", ns::kBind);
  writer.Open("jid", ns::kBind);
  writer.Text(full_jid);
  writer.Close("jid");
  writer.Close("bind");
  return out.append("</iq>");
}

std::string WriteBindError(std::string_view id, const StanzaError& error) {
  return BeginIq("error", id).append(error.ToXml()).append("</iq>");
}

}  // namespace business
