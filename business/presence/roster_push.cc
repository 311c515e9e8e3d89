#include "business/presence/roster_push.h"

#include <vector>

#include "lib/xmpp/canonical_writer.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;

constexpr const char* kSubscriptionNames[] = {"none", "to", "from", "both"};

Recipients Interested(const std::vector<cluster::SessionRecord>& rows) {
  Recipients chosen;
  for (uint32_t i = 0; i < rows.size(); ++i) {
    if ((rows[i].flags & cluster::kSessionInterested) != 0) chosen.rows.push_back(i);
  }
  return chosen;
}

}  // namespace

xmpp::Element RosterItemElement(const RosterEntry& entry) {
  xmpp::Element item("item", ns::kRoster);
  item.SetAttr("jid", entry.contact.ToString());
  if (!entry.item) {
    item.SetAttr("subscription", "remove");
    return item;
  }
  if (!entry.item->name.empty()) item.SetAttr("name", entry.item->name);
  item.SetAttr("subscription",
               kSubscriptionNames[static_cast<size_t>(entry.item->subscription) & 3]);
  if (entry.item->ask) item.SetAttr("ask", "subscribe");
  if (entry.item->approved) item.SetAttr("approved", "true");
  for (const std::string& group : entry.item->groups) {
    item.Add("group", ns::kRoster).AddText(group);
  }
  return item;
}

xmpp::Element RosterQuery(int64_t version) {
  xmpp::Element query("query", ns::kRoster);
  query.SetAttr("ver", std::to_string(version));
  return query;
}

ServerStanza RosterPush(const xmpp::BareJid& account, const RosterEntry& entry, int64_t version,
                        const cluster::ClusterId& id, EffectIndex index) {
  xmpp::Element query = RosterQuery(version);
  query.Add(RosterItemElement(entry));
  ServerStanza push;
  push.kind = xmpp::StanzaKind::kIq;
  push.type = xmpp::StanzaType::kSet;
  push.to = account;
  push.to_resources = true;
  push.bytes = "<iq type='set'";
  xmpp::AppendAttribute(&push.bytes, "id",
                        "push-" + cluster::ClusterIdText(id) + "-" + std::to_string(index));
  push.bytes.append(">").append(query.Write()).append("</iq>");
  push.stanza_class = kClassOutbox;
  push.id = id;
  push.index = index;
  push.choose = Interested;
  return push;
}

}  // namespace business
