#include "business/message/stanza_ids.h"

#include <algorithm>
#include <utility>

#include "business/session/shard.h"
#include "lib/cluster/cluster_id.h"
#include "lib/xmpp/canonical_writer.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/jid.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

constexpr std::string_view kEndTag = "</message>";

constexpr uint64_t kMayBeForged = xmpp::kHasStanzaId | xmpp::kHasDelay;

bool NamesUs(const xmpp::Element& child, const std::vector<std::string>& domains) {
  const bool delay = child.Is("delay", xmpp::ns::kDelay);
  if (!delay && !child.Is("stanza-id", xmpp::ns::kStanzaId)) return false;
  const auto jid = xmpp::Jid::Parse(child.Attr(delay ? "from" : "by"));
  if (!jid || std::find(domains.begin(), domains.end(), jid->domain()) == domains.end()) {
    return false;
  }
  // A client may say of itself that it was late.
  return !delay || (!jid->HasLocal() && !jid->HasResource());
}

void RemoveForged(std::string* bytes, const std::vector<std::string>& domains) {
  auto root = xmpp::Element::Parse(*bytes);
  if (!root) return;
  const size_t removed =
      root->RemoveIf([&](const xmpp::Element& child) { return NamesUs(child, domains); });
  if (removed > 0) *bytes = root->Write();
}

}  // namespace

void StampMessage(xmpp::Stanza* message, const std::vector<std::string>& domains,
                  std::string_view by, std::string_view id) {
  std::string& bytes = message->bytes;
  if ((message->flags & kMayBeForged) != 0) RemoveForged(&bytes, domains);
  if (bytes.ends_with("/>")) {
    bytes.replace(bytes.size() - 2, 2, ">");  // had no child
  } else {
    bytes.resize(bytes.size() - kEndTag.size());
  }
  bytes.append("<stanza-id xmlns='").append(xmpp::ns::kStanzaId).append("'");
  xmpp::AppendAttribute(&bytes, "by", by);
  xmpp::AppendAttribute(&bytes, "id", id);
  bytes.append("/>").append(kEndTag);
}

std::string WithoutStamp(std::string_view bytes, std::string_view id) {
  const size_t begin = bytes.rfind("<stanza-id xmlns='");
  if (begin == std::string_view::npos) return std::string(bytes);
  std::string end(" id='");
  end.append(id).append("'/>").append(kEndTag);
  if (!bytes.substr(begin).ends_with(end)) return std::string(bytes);
  return std::string(bytes.substr(0, begin)).append(kEndTag);
}

Feature StanzaIds(const Shard* shard) {
  Feature feature;
  feature.name = "stanza_ids";
  feature.specs = {{.xep = 359, .version = "0.7"}};
  feature.disco.account = {xmpp::ns::kStanzaId};
  feature.stages.push_back(
      {.stage = Stage::kToAccount,
       .kinds = kMessages,
       .now =
           [shard](StageEvent& event) -> StageVerdict {
             StampMessage(event.stanza, shard->domains, event.to->BareView(),
                          cluster::ClusterIdText(event.id));
             return Continue{};
           },
       .later = nullptr});
  return feature;
}

}  // namespace business
