// XEP-0163: Personal Eventing Protocol 1.2.2, over XEP-0060. Every account is a publish-subscribe
// service for its contacts.
#include "business/pep/pep.h"

#include <utility>

#include "business/pubsub/pubsub_error.h"
#include "business/pubsub/pubsub_request.h"
#include "business/session/session.h"
#include "business/session/shard.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using runtime::Result;
using xmpp::Element;
using xmpp::StanzaError;
using Nodes = std::shared_ptr<PersonalNodes>;

constexpr std::string_view kSubscribe = "http://jabber.org/protocol/pubsub#subscribe";

// §12.9 of XEP-0060 and §5 of XEP-0163, as far as it is done.
constexpr std::string_view kFeatures[] = {
    ns::kPubsub,
    "http://jabber.org/protocol/pubsub#access-open",
    "http://jabber.org/protocol/pubsub#access-presence",
    "http://jabber.org/protocol/pubsub#access-roster",
    "http://jabber.org/protocol/pubsub#access-whitelist",
    "http://jabber.org/protocol/pubsub#auto-create",
    "http://jabber.org/protocol/pubsub#auto-subscribe",
    "http://jabber.org/protocol/pubsub#config-node",
    "http://jabber.org/protocol/pubsub#config-node-max",
    "http://jabber.org/protocol/pubsub#create-and-configure",
    "http://jabber.org/protocol/pubsub#create-nodes",
    "http://jabber.org/protocol/pubsub#delete-items",
    "http://jabber.org/protocol/pubsub#delete-nodes",
    "http://jabber.org/protocol/pubsub#filtered-notifications",
    "http://jabber.org/protocol/pubsub#instant-nodes",
    "http://jabber.org/protocol/pubsub#item-ids",
    "http://jabber.org/protocol/pubsub#last-published",
    "http://jabber.org/protocol/pubsub#manage-subscriptions",
    "http://jabber.org/protocol/pubsub#member-affiliation",
    "http://jabber.org/protocol/pubsub#meta-data",
    "http://jabber.org/protocol/pubsub#modify-affiliations",
    "http://jabber.org/protocol/pubsub#multi-items",
    "http://jabber.org/protocol/pubsub#outcast-affiliation",
    "http://jabber.org/protocol/pubsub#persistent-items",
    "http://jabber.org/protocol/pubsub#presence-notifications",
    "http://jabber.org/protocol/pubsub#presence-subscribe",
    "http://jabber.org/protocol/pubsub#publish",
    "http://jabber.org/protocol/pubsub#publish-only-affiliation",
    "http://jabber.org/protocol/pubsub#publish-options",
    "http://jabber.org/protocol/pubsub#publisher-affiliation",
    "http://jabber.org/protocol/pubsub#purge-nodes",
    "http://jabber.org/protocol/pubsub#retract-items",
    "http://jabber.org/protocol/pubsub#retrieve-affiliations",
    "http://jabber.org/protocol/pubsub#retrieve-default",
    "http://jabber.org/protocol/pubsub#retrieve-items",
    "http://jabber.org/protocol/pubsub#retrieve-subscriptions",
    "http://jabber.org/protocol/pubsub#rsm",
    kSubscribe,
};

bool Publishes(const Element& payload) {
  return payload.Find("publish", ns::kPubsub) != nullptr ||
         payload.Find("retract", ns::kPubsub) != nullptr || payload.ns() == ns::kPubsubOwner;
}

// The node of what is asked; empty if it names none.
std::string NodeOf(const Element& payload) {
  for (const Element* verb : payload.Elements()) {
    if (verb->HasAttribute("node")) return std::string(verb->Attr("node"));
  }
  return {};
}

Task<IqReply> Answer(Nodes nodes, Iq iq) {
  const xmpp::BareJid owner = *xmpp::BareJid::From(iq.to);
  const bool set = iq.type == IqType::kSet;
  PubsubRequest request;
  request.owner = owner;
  request.set = set;
  request.payload = iq.Payload();
  request.unique = cluster::ClusterIdText(iq.cluster_id);
  request.repeated = iq.repeated;
  if (set && Publishes(request.payload) && !nodes->MayNotify(owner)) {
    co_return StanzaError::ResourceConstraint("too many notifications; wait a little");
  }
  const std::string node = NodeOf(request.payload);
  Result<PubsubAsker> asker = co_await nodes->AskerOf(owner, iq.from);
  if (!asker) co_return PubsubTrouble(asker.error());
  request.asker = std::move(*asker);
  PubsubAnswer answer = co_await AnswerPubsub(&nodes->service(), std::move(request));
  if (auto* error = std::get_if<StanzaError>(&answer.reply)) co_return *error;
  if (set) {
    co_await nodes->Tell(owner, std::move(answer.events), iq.cluster_id);
    const Result<void> followed = co_await nodes->FollowUp(node, iq);
    if (!followed) co_return PubsubTrouble(followed.error());
  }
  auto& payload = std::get<0>(answer.reply);
  if (payload) co_return IqReply::Result(std::move(*payload));
  co_return IqReply::Result();
}

// ---- disco ----

// XEP-0060 §5.3, §5.4. An account itself adds nothing here: what it is stands in the declarations,
// and whoever sees one of its nodes or its presence may know that it is there.
Task<std::optional<DiscoPart>> Info(Nodes nodes, Iq iq, std::string node) {
  const auto account = xmpp::BareJid::From(iq.to);
  if (!account) co_return std::nullopt;
  const xmpp::BareJid owner = *account;
  const Result<PubsubAsker> asker = co_await nodes->AskerOf(owner, iq.from);
  if (!asker) co_return DiscoPart(PubsubTrouble(asker.error()));
  std::vector<Element> said;
  if (node.empty()) {
    if (asker->service) co_return std::nullopt;
    if (asker->presence) co_return DiscoPart(std::move(said));
    PubsubResult<std::vector<NodeView>> visible =
        co_await nodes->service().VisibleNodes(owner, *asker);
    const auto* views = std::get_if<std::vector<NodeView>>(&visible);
    if (views == nullptr || views->empty()) co_return std::nullopt;
    co_return DiscoPart(std::move(said));
  }
  PubsubResult<NodeView> looked = co_await nodes->service().LookToRead(owner, *asker, node);
  if (auto* error = std::get_if<StanzaError>(&looked)) {
    if (error->condition == "item-not-found") co_return std::nullopt;
    co_return DiscoPart(*error);
  }
  Element identity("identity", ns::kDiscoInfo);
  identity.SetAttr("category", "pubsub").SetAttr("type", "leaf");
  said.push_back(std::move(identity));
  Element feature("feature", ns::kDiscoInfo);
  feature.SetAttr("var", std::string(ns::kPubsub));
  said.push_back(std::move(feature));
  PubsubResult<xmpp::DataForm> form =
      co_await nodes->service().MetaData(owner, std::move(std::get<NodeView>(looked)));
  if (auto* error = std::get_if<StanzaError>(&form)) co_return DiscoPart(*error);
  said.push_back(std::get<xmpp::DataForm>(form).Write());
  co_return DiscoPart(std::move(said));
}

Element Item(const xmpp::BareJid& owner) {
  Element item("item", ns::kDiscoItems);
  item.SetAttr("jid", owner.ToString());
  return item;
}

// XEP-0060 §5.2 and §5.5: the nodes that who asks may see, and a node's items.
Task<std::optional<DiscoPart>> Items(Nodes nodes, Iq iq, std::string node) {
  const auto account = xmpp::BareJid::From(iq.to);
  if (!account) co_return std::nullopt;
  const xmpp::BareJid owner = *account;
  const Result<PubsubAsker> asker = co_await nodes->AskerOf(owner, iq.from);
  if (!asker) co_return DiscoPart(PubsubTrouble(asker.error()));
  std::vector<Element> said;
  if (node.empty()) {
    PubsubResult<std::vector<NodeView>> visible =
        co_await nodes->service().VisibleNodes(owner, *asker);
    if (auto* error = std::get_if<StanzaError>(&visible)) co_return DiscoPart(*error);
    for (const NodeView& view : std::get<std::vector<NodeView>>(visible)) {
      Element item = Item(owner);
      item.SetAttr("node", view.node.name);
      if (!view.config.title.empty()) item.SetAttr("name", view.config.title);
      said.push_back(std::move(item));
    }
    if (said.empty() && !asker->service && !asker->presence) co_return std::nullopt;
    co_return DiscoPart(std::move(said));
  }
  ItemsRequest request;
  request.node = std::move(node);
  PubsubResult<ItemsAnswer> answer =
      co_await nodes->service().Items(owner, *asker, std::move(request));
  if (auto* error = std::get_if<StanzaError>(&answer)) {
    if (error->condition == "item-not-found") co_return std::nullopt;
    co_return DiscoPart(*error);
  }
  for (const PubsubItem& one : std::get<ItemsAnswer>(answer).items) {
    Element item = Item(owner);
    item.SetAttr("name", one.id);
    said.push_back(std::move(item));
  }
  co_return DiscoPart(std::move(said));
}

}  // namespace

Feature Pep(Nodes nodes, std::shared_ptr<PresenceItems> items) {
  Feature feature;
  feature.name = "pep";
  feature.specs = {{.xep = 60, .version = "1.30.0", .partial = true},
                   {.xep = 163, .version = "1.2.2"},
                   {.xep = 222, .version = "1.0"},
                   {.xep = 223, .version = "1.1.1"},
                   {.xep = 292, .version = "0.12.0"}};
  feature.needs = {"entity_caps"};
  feature.disco.account.assign(std::begin(kFeatures), std::end(kFeatures));
  feature.disco.account_identities = {{"pubsub", "pep", ""}};
  // COMPAT(Smack 4.5 and who follows XEP-0163 before 1.2, 2024): they ask the server, not the
  // account, and do without OMEMO and OpenPGP keys otherwise. It is no service for subscribers,
  // though, and Smack takes the first that publishes and subscribes for one.
  feature.disco.server_identities = feature.disco.account_identities;
  for (std::string_view one : kFeatures) {
    if (one != kSubscribe) feature.disco.server.push_back(one);
  }
  feature.config = "pep";
  const auto answer = [nodes](Iq iq) { return Answer(nodes, std::move(iq)); };
  for (Addressee addressee : {Addressee::kOwnAccount, Addressee::kAccount}) {
    for (IqType type : {IqType::kGet, IqType::kSet}) {
      for (std::string_view space : {ns::kPubsub, ns::kPubsubOwner}) {
        feature.iqs.push_back({type, space, "pubsub", addressee, answer});
      }
    }
    feature.disco_extensions.push_back(
        {addressee,
         [nodes](Iq iq, std::string node) { return Info(nodes, std::move(iq), std::move(node)); },
         [nodes](Iq iq, std::string node) { return Items(nodes, std::move(iq), std::move(node)); }});
  }
  StageHandler changed;
  changed.stage = Stage::kPresenceChanged;
  changed.kinds = kSessions;
  changed.now = [items](StageEvent& event) -> StageVerdict {
    if (event.session && !event.session->record.available) items->OnUnavailable(*event.session);
    return Continue{};
  };
  feature.stages.push_back(std::move(changed));
  return feature;
}

}  // namespace business
