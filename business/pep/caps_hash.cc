#include "business/pep/caps_hash.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "lib/xmpp/data_form.h"
#include "lib/xmpp/namespaces.h"
#include "lib/xmpp/sasl/base64.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using xmpp::Element;

constexpr std::string_view kNotify = "+notify";
constexpr size_t kMaxPart = 1024;  // bytes of node, ver, and of a node that is wanted

bool Ambiguous(std::string_view text) { return text.find('<') != std::string_view::npos; }

struct Form {
  std::string type;
  std::map<std::string, std::vector<std::string>> fields;
};

// nullopt: the whole answer is ill-formed. An empty type: the form is ignored.
std::optional<Form> ReadForm(const Element& x) {
  Form form;
  const auto read = xmpp::DataForm::Read(x);
  const xmpp::FormField* type = read ? read->Find("FORM_TYPE") : nullptr;
  if (type == nullptr || type->type != "hidden" || type->values.empty()) return form;
  for (const std::string& value : type->values) {
    if (value != type->values.front()) return std::nullopt;
  }
  form.type = type->values.front();
  if (Ambiguous(form.type)) return std::nullopt;
  for (const xmpp::FormField& field : read->fields) {
    if (field.var == "FORM_TYPE") continue;
    if (Ambiguous(field.var)) return std::nullopt;
    auto& values = form.fields[field.var];
    for (const std::string& value : field.values) {
      if (Ambiguous(value)) return std::nullopt;
      values.push_back(value);
    }
    std::sort(values.begin(), values.end());
  }
  return form;
}

}  // namespace

std::optional<CapsId> CapsOf(std::string_view presence) {
  // Most presences of who has none are told by a glance.
  if (presence.find(ns::kCaps) == std::string_view::npos) return std::nullopt;
  const auto root = Element::Parse(presence);
  const Element* c = root ? root->Find("c", ns::kCaps) : nullptr;
  if (c == nullptr) return std::nullopt;
  CapsId caps{std::string(c->Attr("hash")), std::string(c->Attr("node")),
              std::string(c->Attr("ver"))};
  if (caps.node.empty() || caps.ver.empty() || caps.node.size() > kMaxPart ||
      caps.ver.size() > kMaxPart || caps.hash.size() > kMaxPart) {
    return std::nullopt;
  }
  return caps;
}

std::optional<std::string> CapsString(const Element& query) {
  std::set<std::tuple<std::string, std::string, std::string, std::string>> identities;
  std::set<std::string> features;
  std::map<std::string, Form> forms;
  for (const Element* child : query.Elements()) {
    if (child->Is("identity", ns::kDiscoInfo)) {
      auto identity = std::make_tuple(
          std::string(child->Attr("category")), std::string(child->Attr("type")),
          std::string(child->Attr("xml:lang")), std::string(child->Attr("name")));
      if (Ambiguous(std::get<0>(identity)) || Ambiguous(std::get<1>(identity)) ||
          Ambiguous(std::get<2>(identity)) || Ambiguous(std::get<3>(identity))) {
        return std::nullopt;
      }
      if (!identities.insert(std::move(identity)).second) return std::nullopt;
    } else if (child->Is("feature", ns::kDiscoInfo)) {
      std::string feature(child->Attr("var"));
      if (Ambiguous(feature) || !features.insert(std::move(feature)).second) return std::nullopt;
    } else if (child->Is("x", ns::kDataForms)) {
      auto form = ReadForm(*child);
      if (!form) return std::nullopt;
      if (form->type.empty()) continue;
      std::string type = form->type;
      if (!forms.emplace(std::move(type), std::move(*form)).second) return std::nullopt;
    }
  }
  std::string s;
  for (const auto& [category, type, lang, name] : identities) {
    s.append(category).append("/").append(type).append("/").append(lang).append("/");
    s.append(name).append("<");
  }
  for (const std::string& feature : features) s.append(feature).append("<");
  for (const auto& [type, form] : forms) {
    s.append(type).append("<");
    for (const auto& [var, values] : form.fields) {
      s.append(var).append("<");
      for (const std::string& value : values) s.append(value).append("<");
    }
  }
  return s;
}

std::optional<std::string> CapsVer(std::string_view hash, std::string_view text) {
  // Names of the IANA registry (XEP-0300), and OpenSSL's.
  constexpr std::array<std::pair<std::string_view, const char*>, 5> kFunctions{{
      {"sha-1", "SHA1"},
      {"sha-224", "SHA224"},
      {"sha-256", "SHA256"},
      {"sha-384", "SHA384"},
      {"sha-512", "SHA512"},
  }};
  for (const auto& [name, openssl] : kFunctions) {
    if (name != hash) continue;
    unsigned char digest[EVP_MAX_MD_SIZE];
    size_t size = 0;
    if (EVP_Q_digest(nullptr, openssl, nullptr, text.data(), text.size(), digest, &size) != 1) {
      return std::nullopt;
    }
    return xmpp::sasl::EncodeBase64(
        std::string_view(reinterpret_cast<const char*>(digest), size));
  }
  return std::nullopt;
}

CapsCheck CheckCaps(const CapsId& caps, const Element& query) {
  const auto text = CapsString(query);
  if (!text) return CapsCheck::kIllFormed;
  if (caps.hash.empty()) return CapsCheck::kUnverified;
  const auto ver = CapsVer(caps.hash, *text);
  return ver && *ver == caps.ver ? CapsCheck::kVerified : CapsCheck::kUnverified;
}

std::vector<std::string> NotifyNodes(const Element& query, size_t most) {
  std::set<std::string> nodes;
  for (const Element* child : query.Elements()) {
    if (!child->Is("feature", ns::kDiscoInfo)) continue;
    std::string_view var = child->Attr("var");
    if (!var.ends_with(kNotify) || var.size() > kMaxPart) continue;
    var.remove_suffix(kNotify.size());
    if (!var.empty() && var.find('\n') == std::string_view::npos) nodes.emplace(var);
  }
  std::vector<std::string> sorted(nodes.begin(), nodes.end());
  if (sorted.size() > most) sorted.resize(most);
  return sorted;
}

}  // namespace business
