#include "business/features/bookmark_formats.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "lib/xmpp/data_form.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using xmpp::Element;

// Attributes and children that both formats have.
void TakeOver(const Element& from, Element* to, std::string_view ns) {
  if (from.HasAttribute("name")) to->SetAttr("name", std::string(from.Attr("name")));
  if (from.HasAttribute("autojoin")) to->SetAttr("autojoin", std::string(from.Attr("autojoin")));
  for (const char* child : {"nick", "password"}) {
    const Element* found = from.Find(child, from.ns());
    if (found != nullptr) to->Add(child, ns).AddText(found->Text());
  }
}

std::string TextOf(const Element& element, const char* child) {
  const Element* found = element.Find(child, element.ns());
  return found == nullptr ? std::string() : found->Text();
}

bool Autojoin(const Element& element) {
  return xmpp::ParseBoolean(element.Attr("autojoin")).value_or(false);
}

// Whether both say the same, as far as both formats can.
bool SaysTheSame(const Element& a, const Element& b) {
  return a.Attr("name") == b.Attr("name") && Autojoin(a) == Autojoin(b) &&
         TextOf(a, "nick") == TextOf(b, "nick") && TextOf(a, "password") == TextOf(b, "password");
}

std::optional<Element> Conference(const PubsubItem& item) {
  auto element = Element::Parse(item.payload);
  if (!element || !element->Is("conference", ns::kBookmarks)) return std::nullopt;
  return element;
}

}  // namespace

Element BookmarkStorage(const std::vector<PubsubItem>& items, const Element& old) {
  Element storage("storage", ns::kBookmarkStorage);
  for (const PubsubItem& item : items) {
    const auto conference = Conference(item);
    if (!conference) continue;
    Element& one = storage.Add("conference", ns::kBookmarkStorage);
    one.SetAttr("jid", item.id);
    TakeOver(*conference, &one, ns::kBookmarkStorage);
  }
  if (!old.Is("storage", ns::kBookmarkStorage)) return storage;
  for (const Element* child : old.Elements()) {
    if (!child->Is("conference", ns::kBookmarkStorage)) storage.Add(*child);
  }
  return storage;
}

BookmarkChanges BookmarkItems(const Element& storage, const std::vector<PubsubItem>& items) {
  std::map<std::string, const Element*> wanted;
  for (const Element* child : storage.Elements()) {
    if (!child->Is("conference", ns::kBookmarkStorage)) continue;
    const auto jid = xmpp::Jid::Parse(child->Attr("jid"));
    if (jid) wanted[jid->ToString()] = child;
  }
  BookmarkChanges changes;
  std::map<std::string, Element> standing;
  for (const PubsubItem& item : items) {
    if (!wanted.contains(item.id)) changes.retract.push_back(item.id);
    if (auto conference = Conference(item)) standing.emplace(item.id, *std::move(conference));
  }
  for (const auto& [jid, element] : wanted) {
    const auto before = standing.find(jid);
    if (before != standing.end() && SaysTheSame(*element, before->second)) continue;
    Element conference("conference", ns::kBookmarks);
    TakeOver(*element, &conference, ns::kBookmarks);
    if (before != standing.end()) {
      const Element* extensions = before->second.Find("extensions", ns::kBookmarks);
      if (extensions != nullptr) conference.Add(*extensions);
    }
    PubsubItem item;
    item.id = jid;
    item.payload = conference.Write();
    changes.publish.push_back(std::move(item));
  }
  return changes;
}

}  // namespace business
