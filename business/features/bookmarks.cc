// XEP-0402: PEP Native Bookmarks 1.2.0, §5.3, and XEP-0411: Bookmarks Conversion 1.1.0. Items of
// their own, one item after XEP-0048, and private XML (XEP-0049) say the same.
#include "business/features/bookmarks.h"

#include <utility>

#include "business/features/bookmark_formats.h"
#include "business/session/shard.h"
#include "lib/runtime/metrics.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using runtime::Error;
using runtime::Result;
using xmpp::DataForm;
using xmpp::Element;
using xmpp::StanzaError;
using Nodes = std::shared_ptr<PersonalNodes>;

constexpr const char* kItemId = "current";
// Numbers of events of one cause: the client's own come first.
constexpr uint32_t kItemEvents = 10;
constexpr uint32_t kStorageEvents = 20;

runtime::Counter& Conversions(const char* result) {
  return runtime::Metrics::Get().GetCounter(
      "xylem_bookmark_conversions_total",
      "Bookmarks brought from one format to the others; refused: a node is not private or full",
      {{"result", result}});
}

// Nodes are made, and have to be, so that nobody else sees them (XEP-0411 §6).
DataForm Private(std::string_view max_items) {
  DataForm form = DataForm::Of("submit", ns::kPubsubPublishOptions);
  form.Add("pubsub#access_model", {}, "whitelist");
  form.Add("pubsub#persist_items", {}, "true");
  if (!max_items.empty()) form.Add("pubsub#max_items", {}, max_items);
  return form;
}

// The items of a node, oldest first; none if there is no such node.
Task<Result<std::vector<PubsubItem>>> Read(Nodes nodes, xmpp::BareJid account,
                                           std::string_view node) {
  PubsubQuery query;
  query.node = node;
  query.max = nodes->service().rules().limits.max_items;
  Result<PubsubPage> page = co_await nodes->service().store().Items(account, std::move(query));
  if (!page) co_return page.error();
  co_return std::move(page->items);
}

// {storage:bookmarks}storage as it stands; nullopt: nothing does.
Task<Result<std::optional<Element>>> ReadStorage(Nodes nodes, xmpp::BareJid account) {
  using Found = std::optional<Element>;
  std::vector<std::string> names(1, std::string(ns::kBookmarkStorage));
  Result<std::vector<PubsubNewest>> newest =
      co_await nodes->service().store().Newest(account, std::move(names));
  if (!newest) co_return newest.error();
  if (newest->empty()) co_return Found();
  Found storage = Element::Parse(newest->front().item.payload);
  if (!storage || !storage->Is("storage", ns::kBookmarkStorage)) co_return Found();
  co_return storage;
}

// False: refused, for good.
Task<Result<bool>> Told(Nodes nodes, xmpp::BareJid account, PubsubResult<PubsubEvents> result,
                        cluster::ClusterId cause, uint32_t first) {
  if (const auto* error = std::get_if<StanzaError>(&result)) {
    if (error->type == xmpp::ErrorType::kWait) co_return Error::Unavailable(error->text);
    Conversions("refused").Add();
    co_return false;
  }
  Conversions("done").Add();
  co_await nodes->Tell(account, std::move(std::get<PubsubEvents>(result)), cause, first);
  co_return true;
}

Task<Result<bool>> PublishStorage(Nodes nodes, xmpp::Jid publisher, Element storage,
                                  cluster::ClusterId cause) {
  const xmpp::BareJid account = *xmpp::BareJid::From(publisher);
  PublishRequest request;
  request.node = ns::kBookmarkStorage;
  PubsubItem item;
  item.id = kItemId;
  item.payload = storage.Write();
  request.items.push_back(std::move(item));
  request.options = Private("");
  PubsubResult<PubsubEvents> result = co_await nodes->service().Publish(
      account, PersonalNodes::OwnerOf(publisher), std::move(request));
  co_return co_await Told(nodes, account, std::move(result), cause, kStorageEvents);
}

// From the items to the one element.
Task<Result<void>> ToStorage(Nodes nodes, Iq iq) {
  const xmpp::BareJid account = *xmpp::BareJid::From(iq.to);
  const Result<std::vector<PubsubItem>> items = co_await Read(nodes, account, ns::kBookmarks);
  if (!items) co_return items.error();
  const Result<std::optional<Element>> old = co_await ReadStorage(nodes, account);
  if (!old) co_return old.error();
  Element storage = BookmarkStorage(*items, *old ? **old : Element());
  // A repeated iq tells again what its server may not have told before it died.
  if (*old && **old == storage && !iq.repeated) co_return Result<void>();
  const Result<bool> done = co_await PublishStorage(nodes, iq.from, std::move(storage),
                                                    iq.cluster_id);
  if (!done) co_return done.error();
  co_return Result<void>();
}

// From the one element to the items.
Task<Result<void>> ToItems(Nodes nodes, Iq iq, Element storage) {
  const xmpp::BareJid account = *xmpp::BareJid::From(iq.to);
  const Result<std::vector<PubsubItem>> items = co_await Read(nodes, account, ns::kBookmarks);
  if (!items) co_return items.error();
  BookmarkChanges changes = BookmarkItems(storage, *items);
  const PubsubAsker owner = PersonalNodes::OwnerOf(iq.from);
  uint32_t number = kItemEvents;
  if (!changes.publish.empty()) {
    PublishRequest request;
    request.node = ns::kBookmarks;
    request.items = std::move(changes.publish);
    DataForm options = Private("max");
    options.Add("pubsub#send_last_published_item", {}, "never");
    request.options = std::move(options);
    PubsubResult<PubsubEvents> result =
        co_await nodes->service().Publish(account, owner, std::move(request));
    const Result<bool> done =
        co_await Told(nodes, account, std::move(result), iq.cluster_id, number++);
    if (!done) co_return done.error();
    if (!*done) co_return Result<void>();
  }
  if (!changes.retract.empty()) {
    PubsubResult<PubsubEvents> result =
        co_await nodes->service().Retract(account, owner, std::string(ns::kBookmarks),
                                          std::move(changes.retract), true, true);
    const Result<bool> done =
        co_await Told(nodes, account, std::move(result), iq.cluster_id, number);
    if (!done) co_return done.error();
  }
  co_return Result<void>();
}

Task<Result<void>> StorageChanged(Nodes nodes, Iq iq) {
  const Result<std::optional<Element>> storage =
      co_await ReadStorage(nodes, *xmpp::BareJid::From(iq.to));
  if (!storage) co_return storage.error();
  // A client that has moved to XEP-0402 may clear the old node away: the bookmarks stay.
  if (!*storage) co_return Result<void>();
  Element is = **storage;
  co_return co_await ToItems(nodes, std::move(iq), std::move(is));
}

Task<Result<void>> PrivateXmlWritten(Nodes nodes, Iq iq, Element storage) {
  iq.to = *xmpp::BareJid::From(iq.from);
  const Result<bool> done =
      co_await PublishStorage(nodes, iq.from, storage, iq.cluster_id);
  if (!done) co_return done.error();
  co_return co_await ToItems(nodes, std::move(iq), std::move(storage));
}

}  // namespace

Feature Bookmarks(Nodes nodes) {
  // Weak: the hooks live in what they use.
  const std::weak_ptr<PersonalNodes> weak = nodes;
  nodes->Watch(ns::kBookmarks, [weak](Iq iq) { return ToStorage(weak.lock(), std::move(iq)); });
  nodes->Watch(ns::kBookmarkStorage,
               [weak](Iq iq) { return StorageChanged(weak.lock(), std::move(iq)); });
  Feature feature;
  feature.name = "bookmarks";
  feature.specs = {{.xep = 402, .version = "1.2.0"},
                   {.xep = 411, .version = "1.1.0"},
                   {.xep = 48, .version = "1.2"},
                   {.xep = 492, .version = "0.2.0"}};
  feature.needs = {"pep", "private_xml"};
  feature.disco.account = {"urn:xmpp:bookmarks:1#compat", "urn:xmpp:bookmarks:1#compat-pep",
                           "urn:xmpp:bookmarks-conversion:0"};
  return feature;
}

PrivateXmlMirror BookmarkMirror(Nodes nodes) {
  return {.ns = ns::kBookmarkStorage,
          .name = "storage",
          .read = [nodes](xmpp::BareJid account) { return ReadStorage(nodes, std::move(account)); },
          .written =
              [nodes](Iq iq, Element element) {
                return PrivateXmlWritten(nodes, std::move(iq), std::move(element));
              }};
}

}  // namespace business
