#include "business/pubsub/pubsub_service.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "business/pubsub/pubsub_error.h"
#include "lib/xmpp/date_time.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

using runtime::Result;
using xmpp::DataForm;
using xmpp::Element;
using xmpp::Jid;
using xmpp::StanzaError;
using Outcome = PubsubPublished::Outcome;
using Put = PubsubStore::Put;

namespace ns = xmpp::ns;

constexpr int kAttempts = 5;            // against others who change the same node
constexpr size_t kMaxNodeId = 1023;     // bytes; what §12.13 asks of JIDs, here as well
constexpr size_t kMaxItemId = 1023;

StanzaError TooManyNodes() {
  return WithPubsub(StanzaError::PolicyViolation("too many nodes"), "max-nodes-exceeded");
}

StanzaError BadNodeId() { return StanzaError::NotAcceptable("the node's name is too long"); }

// Somebody changed the node all the time.
StanzaError Busy() { return StanzaError::ResourceConstraint("the node is being changed"); }

std::optional<StanzaError> ErrorOf(Put put) {
  switch (put) {
    case Put::kDone:
      return std::nullopt;
    case Put::kExists:
      return StanzaError::Conflict("the node exists");
    case Put::kMissing:
      return NoSuchNode();
    case Put::kConflict:
      return Busy();
    case Put::kFull:
      return TooManyNodes();
    case Put::kNoOwner:
      return StanzaError::ServiceUnavailable();
  }
  return StanzaError::InternalServerError();
}

Jid Bare(const Jid& jid) { return Jid::FromNormalized(std::string(jid.BareView())); }

}  // namespace

// ---- looking ----

PubsubTask<NodeView> PubsubService::Look(Jid owner, PubsubAsker asker, std::string node) const {
  if (node.empty()) co_return NodeIdRequired();
  Result<std::optional<PubsubNode>> found = co_await store_->FindNode(owner, node);
  if (!found) co_return PubsubTrouble(found.error());
  if (!*found) co_return NoSuchNode();
  NodeView view;
  view.node = std::move(**found);
  view.config = NodeConfig::Read(view.node.config);
  if (asker.service) {
    view.affiliation = PubsubAffiliation::kOwner;
    co_return view;
  }
  const auto affiliations = co_await store_->AffiliationsOf(owner, Bare(asker.jid));
  if (!affiliations) co_return PubsubTrouble(affiliations.error());
  for (const PubsubAffiliate& one : *affiliations) {
    if (one.node == node) view.affiliation = one.affiliation;
  }
  const auto subscriptions = co_await store_->SubscriptionsOf(owner, Bare(asker.jid));
  if (!subscriptions) co_return PubsubTrouble(subscriptions.error());
  for (const PubsubSubscription& one : *subscriptions) {
    if (one.node != node) continue;
    view.subscribed |= one.state == PubsubSubscription::State::kSubscribed;
    view.subscriptions.push_back(one);
  }
  co_return view;
}

PubsubTask<NodeView> PubsubService::LookToRead(Jid owner, PubsubAsker asker,
                                               std::string node) const {
  PubsubResult<NodeView> looked = co_await Look(std::move(owner), asker, std::move(node));
  if (auto* view = std::get_if<NodeView>(&looked)) {
    auto error = MayRead(view->config, view->affiliation, view->subscribed, asker);
    if (error) co_return *error;
  }
  co_return looked;
}

PubsubTask<NodeView> PubsubService::LookAsOwner(Jid owner, PubsubAsker asker,
                                                std::string node) const {
  PubsubResult<NodeView> looked = co_await Look(std::move(owner), asker, std::move(node));
  if (auto* view = std::get_if<NodeView>(&looked)) {
    if (!MayConfigure(view->affiliation, asker)) co_return StanzaError::Forbidden();
  }
  co_return looked;
}

PubsubTask<std::vector<NodeView>> PubsubService::VisibleNodes(Jid owner, PubsubAsker asker) const {
  const auto nodes = co_await store_->Nodes(owner, "", rules_.max_nodes);
  if (!nodes) co_return PubsubTrouble(nodes.error());
  std::vector<PubsubAffiliate> affiliations;
  std::vector<PubsubSubscription> subscriptions;
  if (!asker.service) {
    auto his = co_await store_->AffiliationsOf(owner, Bare(asker.jid));
    if (!his) co_return PubsubTrouble(his.error());
    affiliations = std::move(*his);
    auto subscribed = co_await store_->SubscriptionsOf(owner, Bare(asker.jid));
    if (!subscribed) co_return PubsubTrouble(subscribed.error());
    subscriptions = std::move(*subscribed);
  }
  std::vector<NodeView> visible;
  for (const PubsubNode& node : *nodes) {
    NodeView view;
    view.node = node;
    view.config = NodeConfig::Read(node.config);
    for (const PubsubAffiliate& one : affiliations) {
      if (one.node == node.name) view.affiliation = one.affiliation;
    }
    for (const PubsubSubscription& one : subscriptions) {
      if (one.node != node.name) continue;
      view.subscribed |= one.state == PubsubSubscription::State::kSubscribed;
      view.subscriptions.push_back(one);
    }
    if (!MayRead(view.config, view.affiliation, view.subscribed, asker)) {
      visible.push_back(std::move(view));
    }
  }
  co_return visible;
}

PubsubTask<DataForm> PubsubService::MetaData(Jid owner, NodeView view) const {
  const auto people = co_await store_->Subscriptions(owner, view.node.name);
  if (!people) co_return PubsubTrouble(people.error());
  DataForm form = DataForm::Of("result", ns::kPubsubMetaData);
  view.config.AddMetaData(&form);
  form.Add("pubsub#creation_date", "text-single", xmpp::DateTimeText(view.node.created_ms));
  form.Add("pubsub#creator", "jid-single", owner.ToString());
  form.Add("pubsub#owner", "jid-multi", owner.ToString());
  form.Add("pubsub#num_subscribers", "text-single", std::to_string(people->size()));
  co_return form;
}

PubsubTask<PubsubEvent> PubsubService::EventOf(Jid owner, std::string node, NodeConfig config,
                                               Element content) const {
  PubsubEvent event;
  auto affiliates = co_await store_->Affiliations(owner, node);
  if (!affiliates) co_return PubsubTrouble(affiliates.error());
  auto subscriptions = co_await store_->Subscriptions(owner, node);
  if (!subscriptions) co_return PubsubTrouble(subscriptions.error());
  event.node = std::move(node);
  event.config = std::move(config);
  event.content = std::move(content);
  event.affiliates = std::move(*affiliates);
  event.subscriptions = std::move(*subscriptions);
  co_return event;
}

// ---- publishers ----

uint32_t PubsubService::KeptItems(const NodeConfig& config) const {
  return std::clamp(config.max_items.value_or(rules_.limits.max_items), 1u,
                    rules_.limits.max_items);
}

std::optional<StanzaError> PubsubService::CheckItems(const NodeConfig& config,
                                                     const std::vector<PubsubItem>& items) const {
  const size_t payload = config.max_payload_size.value_or(rules_.limits.max_payload);
  if (items.size() > KeptItems(config)) {
    return WithPubsub(StanzaError::NotAllowed(), "max-items-exceeded");
  }
  for (const PubsubItem& item : items) {
    if (item.id.size() > kMaxItemId) return StanzaError::NotAcceptable("the item's id is too long");
    if (item.payload.size() > payload) {
      return WithPubsub(StanzaError::NotAcceptable(), "payload-too-big");
    }
    if (item.payload.empty() && (config.persist_items || config.deliver_payloads)) {
      return WithPubsub(StanzaError::BadRequest(), "payload-required");
    }
  }
  if (items.empty() && (config.persist_items || config.deliver_payloads)) {
    return WithPubsub(StanzaError::BadRequest(), "item-required");
  }
  return std::nullopt;
}

PubsubTask<Outcome> PubsubService::PutItems(Jid owner, PublishRequest request, NodeConfig config,
                                            int64_t version, bool create) const {
  PubsubNode node;
  node.name = request.node;
  node.config = config.Write();
  if (!config.persist_items) {
    if (!create) co_return Outcome::kDone;
    std::vector<PubsubAffiliate> nobody;
    Result<Put> put =
        co_await store_->CreateNode(owner, std::move(node), std::move(nobody), rules_.max_nodes);
    if (!put) co_return PubsubTrouble(put.error());
    switch (*put) {
      case Put::kDone:
        co_return Outcome::kDone;
      case Put::kExists:
        co_return Outcome::kConflict;
      default:
        co_return *ErrorOf(*put);
    }
  }
  PubsubPublish publish;
  publish.node = request.node;
  publish.items = std::move(request.items);
  publish.max_items = KeptItems(config);
  publish.max_nodes = rules_.max_nodes;
  publish.expected_version = version;
  if (create) {
    publish.create = std::move(node);
    publish.expected_version = 0;  // one that somebody made meanwhile is judged anew
  }
  Result<PubsubPublished> published = co_await store_->Publish(owner, std::move(publish));
  if (!published) co_return PubsubTrouble(published.error());
  switch (published->outcome) {
    case Outcome::kFull:
      co_return TooManyNodes();
    case Outcome::kNoOwner:
      co_return StanzaError::ServiceUnavailable();
    default:
      co_return published->outcome;
  }
}

PubsubTask<PubsubEvents> PubsubService::Publish(Jid owner, PubsubAsker asker,
                                                PublishRequest request) const {
  if (request.node.empty()) co_return NodeIdRequired();
  if (request.node.size() > kMaxNodeId) co_return BadNodeId();
  for (PubsubItem& item : request.items) item.publisher = asker.jid;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    PubsubResult<NodeView> looked = co_await Look(owner, asker, request.node);
    NodeView* view = std::get_if<NodeView>(&looked);
    NodeConfig config = view != nullptr ? view->config : rules_.defaults;
    if (view == nullptr) {
      const StanzaError& error = std::get<StanzaError>(looked);
      if (error.condition != "item-not-found" || !asker.service) co_return error;
      if (request.options) {
        // §7.1.5: the node is made as the options want it.
        auto wrong = ApplyForm(*request.options, rules_.limits, &config);
        if (wrong) co_return *wrong;
      }
    } else if (!MayPublish(config, view->affiliation, view->subscribed, asker)) {
      co_return StanzaError::Forbidden();
    }
    if (request.options) {
      const Preconditions check = CheckOptions(*request.options, rules_.limits, config);
      if (check == Preconditions::kNotMet) {
        co_return WithPubsub(StanzaError::Conflict(), "precondition-not-met");
      }
      if (check == Preconditions::kUnknown) {
        co_return WithPubsub(StanzaError::Conflict("an option is not known"),
                             "precondition-not-met");
      }
    }
    auto bad = CheckItems(config, request.items);
    if (bad) co_return *bad;
    const int64_t version = view != nullptr ? view->node.version : 0;
    PubsubResult<Outcome> put =
        co_await PutItems(owner, request, config, version, view == nullptr);
    if (auto* error = std::get_if<StanzaError>(&put)) co_return *error;
    const Outcome outcome = std::get<Outcome>(put);
    if (outcome == Outcome::kConflict || outcome == Outcome::kNoNode) continue;  // judge it anew
    PubsubResult<PubsubEvent> event =
        co_await EventOf(owner, request.node, config,
                         ItemsContent(request.node, request.items, config.deliver_payloads));
    if (auto* error = std::get_if<StanzaError>(&event)) co_return *error;
    PubsubEvents events;
    events.push_back(std::move(std::get<PubsubEvent>(event)));
    events.back().publisher = asker.jid;
    co_return events;
  }
  co_return Busy();
}

PubsubTask<PubsubEvents> PubsubService::Retract(Jid owner, PubsubAsker asker, std::string node,
                                                std::vector<std::string> ids,
                                                std::optional<bool> notify, bool repeated) const {
  PubsubResult<NodeView> looked = co_await Look(owner, asker, node);
  if (auto* error = std::get_if<StanzaError>(&looked)) co_return *error;
  NodeView& view = std::get<NodeView>(looked);
  const bool publisher = view.affiliation == PubsubAffiliation::kPublisher;
  if (!publisher && !MayConfigure(view.affiliation, asker)) co_return StanzaError::Forbidden();
  if (ids.empty()) co_return WithPubsub(StanzaError::BadRequest(), "item-required");
  const auto gone = co_await store_->Retract(owner, node, ids);
  if (!gone) co_return PubsubTrouble(gone.error());
  if (!*gone) co_return NoSuchNode();
  if ((*gone)->empty() && !repeated) co_return StanzaError::ItemNotFound("no such item");
  PubsubEvents events;
  if (!notify.value_or(view.config.notify_retract)) co_return events;
  PubsubResult<PubsubEvent> event =
      co_await EventOf(owner, node, view.config, RetractContent(node, ids));
  if (auto* error = std::get_if<StanzaError>(&event)) co_return *error;
  events.push_back(std::move(std::get<PubsubEvent>(event)));
  co_return events;
}

// ---- owners ----

PubsubTask<PubsubEvents> PubsubService::Create(Jid owner, PubsubAsker asker, std::string node,
                                               std::optional<DataForm> form, bool repeated) const {
  if (node.empty()) co_return NodeIdRequired();
  if (node.size() > kMaxNodeId) co_return BadNodeId();
  if (!asker.service) co_return StanzaError::Forbidden();
  NodeConfig config = rules_.defaults;
  if (form) {
    auto wrong = ApplyForm(*form, rules_.limits, &config);
    if (wrong) co_return *wrong;
  }
  PubsubNode made;
  made.name = std::move(node);
  made.config = config.Write();
  std::vector<PubsubAffiliate> nobody;
  const Result<Put> put =
      co_await store_->CreateNode(owner, std::move(made), std::move(nobody), rules_.max_nodes);
  if (!put) co_return PubsubTrouble(put.error());
  if (*put == Put::kExists && repeated) co_return PubsubEvents();
  auto error = ErrorOf(*put);
  if (error) co_return *error;
  co_return PubsubEvents();
}

PubsubTask<PubsubEvents> PubsubService::Configure(Jid owner, PubsubAsker asker, std::string node,
                                                  DataForm form) const {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    PubsubResult<NodeView> looked = co_await LookAsOwner(owner, asker, node);
    if (auto* error = std::get_if<StanzaError>(&looked)) co_return *error;
    NodeView& view = std::get<NodeView>(looked);
    NodeConfig config = view.config;
    auto wrong = ApplyForm(form, rules_.limits, &config);
    if (wrong) co_return *wrong;
    const Result<Put> put =
        co_await store_->Configure(owner, node, config.Write(), view.node.version);
    if (!put) co_return PubsubTrouble(put.error());
    if (*put == Put::kConflict) continue;
    auto error = ErrorOf(*put);
    if (error) co_return *error;
    PubsubEvents events;
    if (!config.notify_config) co_return events;
    Element content("configuration", ns::kPubsubEvent);
    content.SetAttr("node", node);
    if (config.deliver_payloads) {
      DataForm shown = DataForm::Of("result", ns::kPubsubNodeConfig);
      config.AddMetaData(&shown);
      content.Add(shown.Write());
    }
    PubsubResult<PubsubEvent> event = co_await EventOf(owner, node, config, std::move(content));
    if (auto* trouble = std::get_if<StanzaError>(&event)) co_return *trouble;
    events.push_back(std::move(std::get<PubsubEvent>(event)));
    co_return events;
  }
  co_return Busy();
}

PubsubTask<PubsubEvents> PubsubService::Delete(Jid owner, PubsubAsker asker, std::string node,
                                               bool repeated) const {
  PubsubResult<NodeView> looked = co_await LookAsOwner(owner, asker, node);
  if (auto* error = std::get_if<StanzaError>(&looked)) {
    if (repeated && asker.service && error->condition == "item-not-found") {
      co_return PubsubEvents();
    }
    co_return *error;
  }
  NodeView& view = std::get<NodeView>(looked);
  Element content("delete", ns::kPubsubEvent);
  content.SetAttr("node", node);
  // Before it is gone, and with it whom to tell.
  PubsubResult<PubsubEvent> event = co_await EventOf(owner, node, view.config, std::move(content));
  if (auto* error = std::get_if<StanzaError>(&event)) co_return *error;
  const Result<Put> put = co_await store_->DeleteNode(owner, node);
  if (!put) co_return PubsubTrouble(put.error());
  auto error = ErrorOf(*put);
  if (error) co_return *error;
  PubsubEvents events;
  if (view.config.notify_delete) events.push_back(std::move(std::get<PubsubEvent>(event)));
  co_return events;
}

PubsubTask<PubsubEvents> PubsubService::Purge(Jid owner, PubsubAsker asker,
                                              std::string node) const {
  PubsubResult<NodeView> looked = co_await LookAsOwner(owner, asker, node);
  if (auto* error = std::get_if<StanzaError>(&looked)) co_return *error;
  NodeView& view = std::get<NodeView>(looked);
  const Result<Put> put = co_await store_->Purge(owner, node);
  if (!put) co_return PubsubTrouble(put.error());
  auto error = ErrorOf(*put);
  if (error) co_return *error;
  PubsubEvents events;
  if (!view.config.notify_retract) co_return events;
  Element content("purge", ns::kPubsubEvent);
  content.SetAttr("node", node);
  PubsubResult<PubsubEvent> event = co_await EventOf(owner, node, view.config, std::move(content));
  if (auto* trouble = std::get_if<StanzaError>(&event)) co_return *trouble;
  events.push_back(std::move(std::get<PubsubEvent>(event)));
  co_return events;
}

PubsubTask<PubsubEvents> PubsubService::SetAffiliations(
    Jid owner, PubsubAsker asker, std::string node,
    std::vector<PubsubAffiliate> affiliates) const {
  PubsubResult<NodeView> looked = co_await LookAsOwner(owner, asker, node);
  if (auto* error = std::get_if<StanzaError>(&looked)) co_return *error;
  const auto before = co_await store_->Affiliations(owner, node);
  if (!before) co_return PubsubTrouble(before.error());
  if (before->size() + affiliates.size() > rules_.max_affiliations) {
    co_return StanzaError::PolicyViolation("too many affiliations");
  }
  for (PubsubAffiliate& one : affiliates) {
    one.node = node;
    one.jid = Bare(one.jid);
  }
  const Result<Put> put = co_await store_->SetAffiliations(owner, std::move(affiliates));
  if (!put) co_return PubsubTrouble(put.error());
  auto error = ErrorOf(*put);
  if (error) co_return *error;
  co_return PubsubEvents();
}

PubsubTask<PubsubEvents> PubsubService::SetSubscriptions(
    Jid owner, PubsubAsker asker, std::string node,
    std::vector<std::pair<Jid, bool>> subscriptions) const {
  PubsubResult<NodeView> looked = co_await LookAsOwner(owner, asker, node);
  if (auto* error = std::get_if<StanzaError>(&looked)) co_return *error;
  for (auto& [jid, subscribed] : subscriptions) {
    Result<Put> put = Put::kDone;
    if (subscribed) {
      PubsubSubscription subscription;
      subscription.node = node;
      subscription.jid = jid;
      put = co_await store_->Subscribe(owner, std::move(subscription), rules_.max_subscriptions);
    } else {
      put = co_await store_->Unsubscribe(owner, node, jid, "");
      if (put && *put == Put::kMissing) put = Put::kDone;
    }
    if (!put) co_return PubsubTrouble(put.error());
    if (*put == Put::kFull) {
      co_return WithPubsub(StanzaError::PolicyViolation(), "too-many-subscriptions");
    }
    auto error = ErrorOf(*put);
    if (error) co_return *error;
  }
  co_return PubsubEvents();
}

// ---- subscribers ----

PubsubTask<ItemsAnswer> PubsubService::Items(Jid owner, PubsubAsker asker,
                                             ItemsRequest request) const {
  PubsubResult<NodeView> looked = co_await LookToRead(owner, asker, request.node);
  if (auto* error = std::get_if<StanzaError>(&looked)) co_return *error;
  const uint32_t most = rules_.limits.max_items;
  PubsubQuery query;
  query.node = request.node;
  query.ids = request.ids;
  query.backward = true;  // without a page: the newest (§6.5.7)
  query.max = std::min(request.newest.value_or(most), most);
  if (request.page && request.ids.empty()) {
    query.max = std::min(request.page->max.value_or(query.max), most);
    query.backward = request.page->before.has_value();
    query.anchor = query.backward ? request.page->before : request.page->after;
    if (query.anchor && query.anchor->empty()) query.anchor.reset();
  }
  Result<PubsubPage> page = co_await store_->Items(owner, query);
  if (!page) co_return PubsubTrouble(page.error());
  if (page->node_missing) co_return NoSuchNode();
  if (page->item_not_found) co_return StanzaError::ItemNotFound("no such item");
  ItemsAnswer answer;
  answer.items = std::move(page->items);
  // What is too much goes from the end that the next page begins with.
  size_t bytes = 0, kept = 0;
  const bool from_end = query.backward && request.ids.empty();
  for (size_t i = 0; i < answer.items.size(); ++i) {
    const PubsubItem& item = answer.items[from_end ? answer.items.size() - 1 - i : i];
    bytes += item.payload.size() + item.id.size();
    if (bytes > rules_.answer_bytes && kept > 0) break;
    ++kept;
  }
  const size_t cut = answer.items.size() - kept;
  if (from_end) {
    answer.items.erase(answer.items.begin(), answer.items.begin() + static_cast<long>(cut));
  } else {
    answer.items.resize(kept);
  }
  if (request.page || cut > 0) {
    xmpp::ResultSetPage told;
    if (!answer.items.empty()) {
      told.first = answer.items.front().id;
      told.last = answer.items.back().id;
    }
    told.count = page->count;
    answer.page = std::move(told);
  }
  co_return answer;
}

PubsubTask<PubsubEvents> PubsubService::Subscribe(Jid owner, PubsubAsker asker, std::string node,
                                                  Jid subscriber) const {
  if (subscriber.BareView() != asker.jid.BareView()) {
    co_return WithPubsub(StanzaError::BadRequest(), "invalid-jid");
  }
  PubsubResult<NodeView> looked = co_await Look(owner, asker, node);
  if (auto* error = std::get_if<StanzaError>(&looked)) co_return *error;
  NodeView& view = std::get<NodeView>(looked);
  auto denied = MayRead(view.config, view.affiliation, view.subscribed, asker);
  if (denied) co_return *denied;
  PubsubSubscription subscription;
  subscription.node = node;
  subscription.jid = subscriber;
  const Result<Put> put =
      co_await store_->Subscribe(owner, std::move(subscription), rules_.max_subscriptions);
  if (!put) co_return PubsubTrouble(put.error());
  if (*put == Put::kFull) {
    co_return WithPubsub(StanzaError::PolicyViolation(), "too-many-subscriptions");
  }
  auto error = ErrorOf(*put);
  if (error) co_return *error;
  PubsubEvents events;
  if (view.config.send_last == SendLast::kNever || !view.config.deliver_notifications) {
    co_return events;
  }
  std::vector<std::string> nodes(1, node);
  const auto newest = co_await store_->Newest(owner, std::move(nodes));
  if (!newest) co_return PubsubTrouble(newest.error());
  for (const PubsubNewest& one : *newest) {
    PubsubEvent event;
    event.node = node;
    event.config = view.config;
    const std::vector<PubsubItem> items(1, one.item);
    event.content = ItemsContent(node, items, view.config.deliver_payloads);
    event.publisher = one.item.publisher;
    event.only = subscriber;
    events.push_back(std::move(event));
  }
  co_return events;
}

PubsubTask<PubsubEvents> PubsubService::Unsubscribe(Jid owner, PubsubAsker asker, std::string node,
                                                    Jid subscriber, bool repeated) const {
  if (subscriber.BareView() != asker.jid.BareView()) co_return StanzaError::Forbidden();
  PubsubResult<NodeView> looked = co_await Look(owner, asker, node);
  if (auto* error = std::get_if<StanzaError>(&looked)) co_return *error;
  const Result<Put> put = co_await store_->Unsubscribe(owner, node, subscriber, "");
  if (!put) co_return PubsubTrouble(put.error());
  if (*put == Put::kMissing && !repeated) {
    StanzaError missing = WithPubsub(StanzaError::UnexpectedRequest(), "not-subscribed");
    missing.type = xmpp::ErrorType::kCancel;  // §6.2.3.2
    co_return missing;
  }
  co_return PubsubEvents();
}

}  // namespace business
