// XEP-0049: Private XML Storage 1.2. Keeps elements for a client that only the account reads;
// XEP-0048's {storage:bookmarks}storage is one of them.
#include "business/features/private_xml.h"

#include <memory>
#include <string>
#include <utility>

#include "business/features/store_trouble.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/xmpp/namespaces.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using runtime::Result;
using xmpp::Element;
using xmpp::StanzaError;
using Mirrors = std::shared_ptr<const std::vector<PrivateXmlMirror>>;

constexpr uint32_t kMaxElements = 200;
constexpr uint64_t kMaxBytes = 1 << 20;  // of one account

std::string KeyOf(const Element& element) { return element.ns() + " " + element.name(); }

// §3: namespaces that have a protocol of their own.
bool IsReserved(std::string_view space) {
  return space.empty() || space.starts_with("jabber:") ||
         space.starts_with("http://jabber.org/") || space == ns::kVcardTemp;
}

const PrivateXmlMirror* MirrorOf(const Mirrors& mirrors, const Element& element) {
  for (const PrivateXmlMirror& mirror : *mirrors) {
    if (element.Is(mirror.name, mirror.ns)) return &mirror;
  }
  return nullptr;
}

Task<Result<Element>> Read(Shard* shard, Mirrors mirrors, xmpp::BareJid account, Element asked) {
  const PrivateXmlMirror* mirror = MirrorOf(mirrors, asked);
  if (mirror != nullptr && mirror->read) {
    Result<std::optional<Element>> there = co_await mirror->read(account);
    if (!there) co_return there.error();
    if (*there) co_return **std::move(there);
  }
  Result<std::optional<std::string>> found =
      co_await shard->stores->account_data->Find(account, DataType::kPrivateXml, KeyOf(asked));
  if (!found) co_return found.error();
  if (*found) {
    if (auto element = Element::Parse(**found)) co_return *std::move(element);
  }
  co_return Element(asked.name(), asked.ns());  // §2: nothing stored is an empty element
}

Task<IqReply> Get(Shard* shard, Mirrors mirrors, Iq iq) {
  const Element query = iq.Payload();
  const auto asked = query.Elements();
  if (asked.size() != 1 || IsReserved(asked[0]->ns())) co_return StanzaError::NotAcceptable();
  Result<Element> element =
      co_await Read(shard, mirrors, *xmpp::BareJid::From(iq.from), *asked[0]);
  if (!element) co_return StoreTrouble(element.error());
  Element answer("query", ns::kPrivateXml);
  answer.Add(*std::move(element));
  co_return IqReply::Result(std::move(answer));
}

Task<IqReply> Set(Shard* shard, Mirrors mirrors, Iq iq) {
  const Element query = iq.Payload();
  DataChange change;
  change.max_entries = kMaxElements;
  change.max_bytes = kMaxBytes;
  for (const Element* element : query.Elements()) {
    if (IsReserved(element->ns())) co_return StanzaError::NotAcceptable();
    DataEntry entry{.key = KeyOf(*element), .value = element->Write()};
    if (entry.value.size() > kMaxPrivateElement) {
      co_return StanzaError::PolicyViolation("the element is too big");
    }
    change.put.push_back(std::move(entry));
  }
  if (change.put.empty()) co_return StanzaError::NotAcceptable();
  Result<DataChanged> changed = co_await shard->stores->account_data->Change(
      *xmpp::BareJid::From(iq.from), DataType::kPrivateXml, std::move(change));
  if (!changed) co_return StoreTrouble(changed.error());
  if (changed->outcome == DataChanged::Outcome::kFull) {
    co_return StanzaError::ResourceConstraint("there is no room for it");
  }
  if (changed->outcome != DataChanged::Outcome::kDone) co_return StanzaError::ItemNotFound();
  for (const Element* element : query.Elements()) {
    const PrivateXmlMirror* mirror = MirrorOf(mirrors, *element);
    if (mirror == nullptr || !mirror->written) continue;
    Result<void> written = co_await mirror->written(iq, *element);
    if (!written) co_return StoreTrouble(written.error());
  }
  co_return IqReply::Result();
}

Task<IqReply> Forbidden(Iq) { co_return StanzaError::Forbidden(); }

}  // namespace

Feature PrivateXml(Shard* shard, std::vector<PrivateXmlMirror> mirrors) {
  Feature feature;
  feature.name = "private_xml";
  feature.specs = {{.xep = 49, .version = "1.2"}, {.xep = 48, .version = "1.2"}};
  feature.disco.server = {ns::kPrivateXml};
  feature.disco.account = {ns::kPrivateXml};
  const auto kept = std::make_shared<const std::vector<PrivateXmlMirror>>(std::move(mirrors));
  feature.iqs = {
      {IqType::kGet, ns::kPrivateXml, "query", Addressee::kOwnAccount,
       [shard, kept](Iq iq) { return Get(shard, kept, std::move(iq)); }},
      {IqType::kSet, ns::kPrivateXml, "query", Addressee::kOwnAccount,
       [shard, kept](Iq iq) { return Set(shard, kept, std::move(iq)); }},
      {IqType::kGet, ns::kPrivateXml, "query", Addressee::kAccount, Forbidden},
      {IqType::kSet, ns::kPrivateXml, "query", Addressee::kAccount, Forbidden},
  };
  return feature;
}

}  // namespace business
