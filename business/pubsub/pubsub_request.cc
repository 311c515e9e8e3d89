#include "business/pubsub/pubsub_request.h"

#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "business/pubsub/pubsub_error.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

using runtime::Task;
using xmpp::DataForm;
using xmpp::Element;
using xmpp::Jid;
using xmpp::StanzaError;

namespace ns = xmpp::ns;

// What each verb is given: its element, and the whole.
struct Verb {
  const PubsubService* service = nullptr;
  PubsubRequest request;
  Element element;
  std::string node;  // attribute of the element

  const PubsubService* operator->() const { return service; }
};

PubsubAnswer Say(Element payload) { return {std::optional(std::move(payload)), {}}; }
PubsubAnswer Refuse(StanzaError error) { return {std::move(error), {}}; }

// Of a change that is answered with an empty result.
PubsubAnswer Done(PubsubResult<PubsubEvents> result) {
  if (auto* error = std::get_if<StanzaError>(&result)) return Refuse(std::move(*error));
  return {std::nullopt, std::move(std::get<PubsubEvents>(result))};
}

// {ns}pubsub with one child of that name and node.
Element Reply(std::string_view ns, std::string_view name, const std::string& node) {
  Element pubsub("pubsub", ns);
  Element& child = pubsub.Add(std::string(name), ns);
  if (!node.empty()) child.SetAttr("node", node);
  return pubsub;
}

Element* Inner(Element* pubsub) { return &std::get<Element>(pubsub->children().front()); }

std::vector<std::string> ItemIds(const Element& parent) {
  std::vector<std::string> ids;
  for (const Element* child : parent.Elements()) {
    if (child->name() == "item" && !child->Attr("id").empty()) ids.emplace_back(child->Attr("id"));
  }
  return ids;
}

// ---- publishers ----

std::optional<StanzaError> ReadItems(const Verb& verb, std::vector<PubsubItem>* items) {
  for (const Element* child : verb.element.Elements()) {
    if (!child->Is("item", ns::kPubsub)) continue;
    PubsubItem item;
    item.id = child->Attr("id");
    if (item.id.empty()) {
      // The same when the iq is done again.
      item.id = verb.request.unique;
      if (!items->empty()) item.id += "-" + std::to_string(items->size());
    }
    const auto payloads = child->Elements();
    if (payloads.size() > 1) return WithPubsub(StanzaError::BadRequest(), "invalid-payload");
    if (!payloads.empty()) item.payload = payloads.front()->Write();
    items->push_back(std::move(item));
  }
  return std::nullopt;
}

Task<PubsubAnswer> Publish(Verb verb) {
  PublishRequest publish;
  publish.node = verb.node;
  auto bad = ReadItems(verb, &publish.items);
  if (bad) co_return Refuse(*bad);
  if (const Element* options = verb.request.payload.Find("publish-options", ns::kPubsub)) {
    publish.options = DataForm::Below(*options);
    if (publish.options && publish.options->FormType() != ns::kPubsubPublishOptions) {
      co_return Refuse(WithPubsub(StanzaError::BadRequest("FORM_TYPE"), "invalid-options"));
    }
  }
  Element reply = Reply(ns::kPubsub, "publish", verb.node);
  for (const PubsubItem& item : publish.items) {
    Inner(&reply)->Add("item", ns::kPubsub).SetAttr("id", item.id);
  }
  PubsubResult<PubsubEvents> result =
      co_await verb->Publish(verb.request.owner, verb.request.asker, std::move(publish));
  PubsubAnswer answer = Done(std::move(result));
  if (answer.reply.index() == 0) answer.reply = std::optional(std::move(reply));
  co_return answer;
}

Task<PubsubAnswer> Retract(Verb verb) {
  std::optional<bool> notify;
  if (verb.element.HasAttribute("notify")) {
    notify = xmpp::ParseBoolean(verb.element.Attr("notify"));
    if (!notify) co_return Refuse(StanzaError::BadRequest("notify is a boolean"));
  }
  PubsubResult<PubsubEvents> result =
      co_await verb->Retract(verb.request.owner, verb.request.asker, verb.node,
                             ItemIds(verb.element), notify, verb.request.repeated);
  co_return Done(std::move(result));
}

// ---- owners ----

Task<PubsubAnswer> Create(Verb verb) {
  std::optional<DataForm> form;
  if (const Element* configure = verb.request.payload.Find("configure", ns::kPubsub)) {
    form = DataForm::Below(*configure);
  }
  const bool named = !verb.node.empty();
  if (!named) verb.node = verb.request.unique;  // an instant node (§8.1.2)
  PubsubResult<PubsubEvents> result =
      co_await verb->Create(verb.request.owner, verb.request.asker, verb.node, std::move(form),
                            verb.request.repeated);
  PubsubAnswer answer = Done(std::move(result));
  if (answer.reply.index() == 0 && !named) {
    answer.reply = std::optional(Reply(ns::kPubsub, "create", verb.node));
  }
  co_return answer;
}

Task<PubsubAnswer> GetConfigure(Verb verb) {
  PubsubResult<NodeView> looked =
      co_await verb->LookAsOwner(verb.request.owner, verb.request.asker, verb.node);
  if (auto* error = std::get_if<StanzaError>(&looked)) co_return Refuse(*error);
  Element reply = Reply(ns::kPubsubOwner, "configure", verb.node);
  Inner(&reply)->Add(std::get<NodeView>(looked).config.Form().Write());
  co_return Say(std::move(reply));
}

Task<PubsubAnswer> SetConfigure(Verb verb) {
  auto form = DataForm::Below(verb.element);
  if (!form) co_return Refuse(WithPubsub(StanzaError::BadRequest(), "configuration-required"));
  if (form->type == "cancel") co_return PubsubAnswer{std::nullopt, {}};
  PubsubResult<PubsubEvents> result = co_await verb->Configure(
      verb.request.owner, verb.request.asker, verb.node, std::move(*form));
  co_return Done(std::move(result));
}

Task<PubsubAnswer> GetDefault(Verb verb) {
  const NodeConfig config = verb->rules().defaults;
  Element reply = Reply(ns::kPubsubOwner, "default", "");
  Inner(&reply)->Add(config.Form().Write());
  co_return Say(std::move(reply));
}

Task<PubsubAnswer> Delete(Verb verb) {
  PubsubResult<PubsubEvents> result = co_await verb->Delete(
      verb.request.owner, verb.request.asker, verb.node, verb.request.repeated);
  co_return Done(std::move(result));
}

Task<PubsubAnswer> Purge(Verb verb) {
  PubsubResult<PubsubEvents> result =
      co_await verb->Purge(verb.request.owner, verb.request.asker, verb.node);
  co_return Done(std::move(result));
}

Task<PubsubAnswer> GetAffiliations(Verb verb) {
  PubsubResult<NodeView> looked =
      co_await verb->LookAsOwner(verb.request.owner, verb.request.asker, verb.node);
  if (auto* error = std::get_if<StanzaError>(&looked)) co_return Refuse(*error);
  const auto people = co_await verb->store().Affiliations(verb.request.owner, verb.node);
  if (!people) co_return Refuse(PubsubTrouble(people.error()));
  Element reply = Reply(ns::kPubsubOwner, "affiliations", verb.node);
  const auto add = [&](std::string_view jid, PubsubAffiliation affiliation) {
    Element& child = Inner(&reply)->Add("affiliation", ns::kPubsubOwner);
    child.SetAttr("jid", std::string(jid));
    child.SetAttr("affiliation", std::string(AffiliationName(affiliation)));
  };
  add(verb.request.owner.ToString(), PubsubAffiliation::kOwner);
  for (const PubsubAffiliate& one : *people) {
    if (one.jid != verb.request.owner) add(one.jid.ToString(), one.affiliation);
  }
  co_return Say(std::move(reply));
}

Task<PubsubAnswer> SetAffiliations(Verb verb) {
  std::vector<PubsubAffiliate> people;
  for (const Element* child : verb.element.Elements()) {
    if (child->name() != "affiliation") continue;
    auto jid = Jid::Parse(child->Attr("jid"));
    const auto affiliation = ParseAffiliation(child->Attr("affiliation"));
    if (!jid || !affiliation) co_return Refuse(StanzaError::BadRequest());
    // §8.9.2.4: a node is not left without its owner.
    if (jid->BareView() == verb.request.owner.ToString()) {
      if (*affiliation == PubsubAffiliation::kOwner) continue;
      co_return Refuse(StanzaError::NotAcceptable("the account owns its nodes"));
    }
    people.push_back({.node = verb.node, .jid = std::move(*jid), .affiliation = *affiliation});
  }
  PubsubResult<PubsubEvents> result = co_await verb->SetAffiliations(
      verb.request.owner, verb.request.asker, verb.node, std::move(people));
  co_return Done(std::move(result));
}

std::string_view StateName(PubsubSubscription::State state) {
  switch (state) {
    case PubsubSubscription::State::kPending:
      return "pending";
    case PubsubSubscription::State::kUnconfigured:
      return "unconfigured";
    case PubsubSubscription::State::kSubscribed:
      return "subscribed";
  }
  return "none";
}

Task<PubsubAnswer> GetSubscriptions(Verb verb) {
  PubsubResult<NodeView> looked =
      co_await verb->LookAsOwner(verb.request.owner, verb.request.asker, verb.node);
  if (auto* error = std::get_if<StanzaError>(&looked)) co_return Refuse(*error);
  const auto people = co_await verb->store().Subscriptions(verb.request.owner, verb.node);
  if (!people) co_return Refuse(PubsubTrouble(people.error()));
  Element reply = Reply(ns::kPubsubOwner, "subscriptions", verb.node);
  for (const PubsubSubscription& one : *people) {
    Element& child = Inner(&reply)->Add("subscription", ns::kPubsubOwner);
    child.SetAttr("jid", one.jid.ToString());
    child.SetAttr("subscription", std::string(StateName(one.state)));
  }
  co_return Say(std::move(reply));
}

Task<PubsubAnswer> SetSubscriptions(Verb verb) {
  std::vector<std::pair<Jid, bool>> people;
  for (const Element* child : verb.element.Elements()) {
    if (child->name() != "subscription") continue;
    auto jid = Jid::Parse(child->Attr("jid"));
    const std::string_view state = child->Attr("subscription");
    if (!jid || (state != "subscribed" && state != "none")) {
      co_return Refuse(StanzaError::NotAcceptable());
    }
    people.emplace_back(std::move(*jid), state == "subscribed");
  }
  PubsubResult<PubsubEvents> result = co_await verb->SetSubscriptions(
      verb.request.owner, verb.request.asker, verb.node, std::move(people));
  co_return Done(std::move(result));
}

// ---- subscribers ----

Task<PubsubAnswer> Items(Verb verb) {
  ItemsRequest wanted;
  wanted.node = verb.node;
  wanted.ids = ItemIds(verb.element);
  const std::string_view most = verb.element.Attr("max_items");
  if (!most.empty()) {
    uint32_t number = 0;
    const auto [end, error] = std::from_chars(most.data(), most.data() + most.size(), number);
    if (error != std::errc() || end != most.data() + most.size() || number == 0) {
      co_return Refuse(StanzaError::BadRequest("max_items is a number from 1"));
    }
    wanted.newest = number;
  }
  wanted.page = xmpp::ResultSetQuery::Below(verb.request.payload);
  PubsubResult<ItemsAnswer> result =
      co_await verb->Items(verb.request.owner, verb.request.asker, std::move(wanted));
  if (auto* error = std::get_if<StanzaError>(&result)) co_return Refuse(*error);
  ItemsAnswer& items = std::get<ItemsAnswer>(result);
  Element reply = Reply(ns::kPubsub, "items", verb.node);
  for (const PubsubItem& item : items.items) {
    Inner(&reply)->Add(ItemElement(item, ns::kPubsub, true));
  }
  if (items.page) reply.Add(items.page->Write());
  co_return Say(std::move(reply));
}

std::optional<Jid> SubscriberOf(const Verb& verb) { return Jid::Parse(verb.element.Attr("jid")); }

Task<PubsubAnswer> Subscribe(Verb verb) {
  auto jid = SubscriberOf(verb);
  if (!jid) co_return Refuse(WithPubsub(StanzaError::BadRequest(), "invalid-jid"));
  PubsubResult<PubsubEvents> result =
      co_await verb->Subscribe(verb.request.owner, verb.request.asker, verb.node, *jid);
  PubsubAnswer answer = Done(std::move(result));
  if (answer.reply.index() != 0) co_return answer;
  Element reply = Reply(ns::kPubsub, "subscription", verb.node);
  Inner(&reply)->SetAttr("jid", jid->ToString()).SetAttr("subscription", "subscribed");
  answer.reply = std::optional(std::move(reply));
  co_return answer;
}

Task<PubsubAnswer> Unsubscribe(Verb verb) {
  auto jid = SubscriberOf(verb);
  if (!jid) co_return Refuse(WithPubsub(StanzaError::BadRequest(), "jid-required"));
  if (!verb.element.Attr("subid").empty()) {
    co_return Refuse(WithPubsub(StanzaError::NotAcceptable(), "invalid-subid"));
  }
  PubsubResult<PubsubEvents> result = co_await verb->Unsubscribe(
      verb.request.owner, verb.request.asker, verb.node, *jid, verb.request.repeated);
  co_return Done(std::move(result));
}

// One's own, at one node or at all (§5.6).
Task<PubsubAnswer> MySubscriptions(Verb verb) {
  const Jid me = Jid::FromNormalized(std::string(verb.request.asker.jid.BareView()));
  const auto mine = co_await verb->store().SubscriptionsOf(verb.request.owner, me);
  if (!mine) co_return Refuse(PubsubTrouble(mine.error()));
  Element reply = Reply(ns::kPubsub, "subscriptions", verb.node);
  for (const PubsubSubscription& one : *mine) {
    if (!verb.node.empty() && one.node != verb.node) continue;
    Element& child = Inner(&reply)->Add("subscription", ns::kPubsub);
    if (verb.node.empty()) child.SetAttr("node", one.node);
    child.SetAttr("jid", one.jid.ToString());
    child.SetAttr("subscription", std::string(StateName(one.state)));
  }
  co_return Say(std::move(reply));
}

// One's own (§5.7).
Task<PubsubAnswer> MyAffiliations(Verb verb) {
  const Jid me = Jid::FromNormalized(std::string(verb.request.asker.jid.BareView()));
  Element reply = Reply(ns::kPubsub, "affiliations", verb.node);
  const auto add = [&](const std::string& node, PubsubAffiliation affiliation) {
    if (!verb.node.empty() && node != verb.node) return;
    Element& child = Inner(&reply)->Add("affiliation", ns::kPubsub);
    child.SetAttr("node", node);
    child.SetAttr("affiliation", std::string(AffiliationName(affiliation)));
  };
  if (verb.request.asker.service) {
    const auto nodes =
        co_await verb->store().Nodes(verb.request.owner, "", verb->rules().max_nodes);
    if (!nodes) co_return Refuse(PubsubTrouble(nodes.error()));
    for (const PubsubNode& node : *nodes) add(node.name, PubsubAffiliation::kOwner);
    co_return Say(std::move(reply));
  }
  const auto mine = co_await verb->store().AffiliationsOf(verb.request.owner, me);
  if (!mine) co_return Refuse(PubsubTrouble(mine.error()));
  for (const PubsubAffiliate& one : *mine) add(one.node, one.affiliation);
  co_return Say(std::move(reply));
}

Task<PubsubAnswer> NoOptions(Verb) {
  co_return Refuse(UnsupportedPubsub("subscription-options"));
}

struct Known {
  std::string_view ns;
  bool set;
  std::string_view name;
  Task<PubsubAnswer> (*answer)(Verb);
};
constexpr std::array kVerbs = std::to_array<Known>({
    {ns::kPubsub, true, "publish", Publish},
    {ns::kPubsub, true, "retract", Retract},
    {ns::kPubsub, true, "create", Create},
    {ns::kPubsub, true, "subscribe", Subscribe},
    {ns::kPubsub, true, "unsubscribe", Unsubscribe},
    {ns::kPubsub, false, "items", Items},
    {ns::kPubsub, false, "subscriptions", MySubscriptions},
    {ns::kPubsub, false, "affiliations", MyAffiliations},
    {ns::kPubsubOwner, false, "configure", GetConfigure},
    {ns::kPubsubOwner, true, "configure", SetConfigure},
    {ns::kPubsubOwner, false, "default", GetDefault},
    {ns::kPubsubOwner, true, "delete", Delete},
    {ns::kPubsubOwner, true, "purge", Purge},
    {ns::kPubsubOwner, false, "affiliations", GetAffiliations},
    {ns::kPubsubOwner, true, "affiliations", SetAffiliations},
    {ns::kPubsubOwner, false, "subscriptions", GetSubscriptions},
    {ns::kPubsubOwner, true, "subscriptions", SetSubscriptions},
    // Last: they accompany others.
    {ns::kPubsub, true, "options", NoOptions},
    {ns::kPubsub, false, "options", NoOptions},
    {ns::kPubsub, false, "default", NoOptions},
});

}  // namespace

Task<PubsubAnswer> AnswerPubsub(const PubsubService* service, PubsubRequest request) {
  for (const Known& known : kVerbs) {
    if (known.ns != request.payload.ns() || known.set != request.set) continue;
    const Element* element = request.payload.Find(known.name, known.ns);
    if (element == nullptr) continue;
    Verb verb;
    verb.service = service;
    verb.element = *element;
    verb.node = element->Attr("node");
    verb.request = std::move(request);
    PubsubAnswer answer = co_await known.answer(std::move(verb));
    co_return answer;
  }
  const Element* first = request.payload.FirstChild();
  if (first == nullptr) co_return Refuse(StanzaError::BadRequest());
  co_return Refuse(StanzaError::FeatureNotImplemented());
}

}  // namespace business
