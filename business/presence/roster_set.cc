#include "business/presence/roster_set.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using xmpp::Element;
using xmpp::StanzaError;

// §2.3.3: each once, none empty.
std::optional<StanzaError> ReadGroups(const Element& item, std::vector<std::string>* groups) {
  for (const Element* child : item.Elements()) {
    if (!child->Is("group", ns::kRoster)) continue;
    std::string group = child->Text();
    if (group.empty()) return StanzaError::NotAcceptable("a group has no name");
    if (group.size() > kMaxGroupName) return StanzaError::NotAcceptable("a group's name is too long");
    if (std::find(groups->begin(), groups->end(), group) != groups->end()) {
      return StanzaError::BadRequest("a group is named twice");
    }
    if (groups->size() >= kMaxGroups) return StanzaError::NotAcceptable("too many groups");
    groups->push_back(std::move(group));
  }
  return std::nullopt;
}

}  // namespace

std::variant<RosterSet, StanzaError> ReadRosterSet(const Element& query,
                                                   const xmpp::BareJid& account) {
  const std::vector<const Element*> children = query.Elements();
  if (children.size() != 1 || !children[0]->Is("item", ns::kRoster)) {
    return StanzaError::BadRequest("a roster is changed by one item at a time");
  }
  const Element& item = *children[0];
  if (item.Attr("jid").empty()) return StanzaError::BadRequest("the item has no jid");
  std::optional<xmpp::Jid> contact = xmpp::Jid::Parse(item.Attr("jid"));
  if (!contact) return StanzaError::JidMalformed();
  if (contact->BareView() == account.ToString()) {
    return StanzaError::NotAllowed("nobody is his own contact");
  }
  RosterSet set;
  set.contact = *std::move(contact);
  set.remove = item.Attr("subscription") == "remove";  // §2.1.2.5: any other value is ignored
  if (set.remove) return set;
  set.name = std::string(item.Attr("name"));
  if (set.name.size() > kMaxRosterName) return StanzaError::NotAcceptable("the name is too long");
  if (auto error = ReadGroups(item, &set.groups)) return *std::move(error);
  return set;
}

RosterEntry Apply(const RosterSet& set, const RosterEntry& before) {
  RosterEntry after = before;
  if (!after.item) after.item.emplace();
  after.item->name = set.name;
  after.item->groups = set.groups;
  return after;
}

}  // namespace business
