// XEP-0398: User Avatar to vCard-Based Avatars Conversion 1.0.0. An avatar that everybody may see
// (XEP-0084) stands in the vCard, and one from the vCard among the nodes; its hash is in presence
// (XEP-0153).
#include "business/features/avatar_conversion.h"

#include <openssl/evp.h>

#include <optional>
#include <utility>

#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/cluster/session_record.h"
#include "lib/xmpp/namespaces.h"
#include "lib/xmpp/sasl/base64.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using runtime::Error;
using runtime::Result;
using xmpp::DataForm;
using xmpp::Element;
using xmpp::StanzaError;
using Nodes = std::shared_ptr<PersonalNodes>;

// Numbers of events of one cause, see bookmarks.
constexpr uint32_t kDataEvent = 30;
constexpr uint32_t kMetadataEvent = 31;

std::string Sha1(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  size_t size = 0;
  if (EVP_Q_digest(nullptr, "SHA1", nullptr, bytes.data(), bytes.size(), digest, &size) != 1) {
    return {};
  }
  return cluster::HexBytes(std::string_view(reinterpret_cast<const char*>(digest), size));
}

// Base64 as people write it, in lines.
std::optional<std::string> Decode(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
  return xmpp::sasl::DecodeBase64(text);
}

// Which of the metadata's images is in the data node (§3.1); nullopt: none.
struct Image {
  std::string id, type;
};
std::optional<Image> ImageOf(std::string_view metadata) {
  const auto element = Element::Parse(metadata);
  if (!element || !element->Is("metadata", ns::kAvatarMetadata)) return std::nullopt;
  for (const Element* info : element->Elements()) {
    if (info->name() != "info" || info->HasAttribute("url") || info->Attr("id").empty()) continue;
    return Image{std::string(info->Attr("id")), std::string(info->Attr("type"))};
  }
  return std::nullopt;
}

struct Photo {
  std::string type, bytes;
};

// nullopt: there is none, or others may not see it (§6).
Task<Result<std::optional<Photo>>> ReadAvatar(Nodes nodes, xmpp::BareJid account, Image image) {
  const PubsubAsker owner = PersonalNodes::OwnerOf(account);
  PubsubResult<NodeView> node =
      co_await nodes->service().Look(account, owner, std::string(ns::kAvatarData));
  const auto* view = std::get_if<NodeView>(&node);
  if (view == nullptr || view->config.access != AccessModel::kOpen) {
    co_return std::optional<Photo>();
  }
  PubsubQuery query;
  query.node = ns::kAvatarData;
  query.ids.push_back(image.id);
  const Result<PubsubPage> page =
      co_await nodes->service().store().Items(account, std::move(query));
  if (!page) co_return page.error();
  if (page->items.empty()) co_return std::optional<Photo>();
  const auto data = Element::Parse(page->items.front().payload);
  auto bytes = data ? Decode(data->Text()) : std::nullopt;
  if (!bytes || Sha1(*bytes) != image.id) co_return std::optional<Photo>();
  Photo photo;
  photo.type = image.type;
  photo.bytes = *std::move(bytes);
  co_return std::optional<Photo>(std::move(photo));
}

void PutPhoto(Element* card, const std::optional<Photo>& photo) {
  card->RemoveIf([](const Element& child) { return child.Is("PHOTO", ns::kVcardTemp); });
  if (!photo) return;
  Element& element = card->Add("PHOTO", ns::kVcardTemp);
  if (!photo->type.empty()) element.Add("TYPE", ns::kVcardTemp).AddText(photo->type);
  element.Add("BINVAL", ns::kVcardTemp).AddText(xmpp::sasl::EncodeBase64(photo->bytes));
}

// The metadata changed.
Task<Result<void>> ToVcard(Nodes nodes, Iq iq) {
  const xmpp::BareJid account = *xmpp::BareJid::From(iq.to);
  std::vector<std::string> names(1, std::string(ns::kAvatarMetadata));
  const Result<std::vector<PubsubNewest>> newest =
      co_await nodes->service().store().Newest(account, std::move(names));
  if (!newest) co_return newest.error();
  std::optional<Photo> photo;
  if (!newest->empty()) {
    const auto image = ImageOf(newest->front().item.payload);
    if (image) {
      Result<std::optional<Photo>> read = co_await ReadAvatar(nodes, account, *image);
      if (!read) co_return read.error();
      if (!*read) co_return Result<void>();  // not for everybody: the vCard stays as it is
      photo = std::move(*read);
    }
  }
  AccountDataStore& data = *nodes->shard().stores->account_data;
  const Result<std::optional<std::string>> found =
      co_await data.Find(account, DataType::kVcard, "");
  if (!found) co_return found.error();
  std::optional<Element> card;
  if (*found) card = Element::Parse(**found);
  if (!card) {
    if (!photo) co_return Result<void>();
    card = Element("vCard", ns::kVcardTemp);
  }
  PutPhoto(&*card, photo);
  DataChange change;
  change.put.push_back({.key = "", .value = card->Write()});
  if (change.put[0].value.size() > kMaxVcard) co_return Result<void>();
  const Result<DataChanged> changed =
      co_await data.Change(account, DataType::kVcard, std::move(change));
  if (!changed) co_return changed.error();
  co_return Result<void>();
}

// What a vCard shows.
std::optional<Photo> PhotoOf(const Element& card) {
  const Element* photo = card.Find("PHOTO", ns::kVcardTemp);
  const Element* value = photo == nullptr ? nullptr : photo->Find("BINVAL", ns::kVcardTemp);
  if (value == nullptr) return std::nullopt;
  auto bytes = Decode(value->Text());
  if (!bytes || bytes->empty()) return std::nullopt;
  const Element* type = photo->Find("TYPE", ns::kVcardTemp);
  return Photo{type == nullptr ? "image/png" : type->Text(), *std::move(bytes)};
}

// A node that is not there yet is made for everybody, as vCards are; one that is there is left as
// its owner wants it.
Task<Result<void>> PublishOpen(Nodes nodes, xmpp::Jid publisher, std::string node, PubsubItem item,
                               cluster::ClusterId cause, uint32_t number) {
  const xmpp::BareJid account = *xmpp::BareJid::From(publisher);
  const PubsubAsker owner = PersonalNodes::OwnerOf(publisher);
  PublishRequest request;
  request.node = node;
  request.items.push_back(std::move(item));
  PubsubResult<NodeView> looked = co_await nodes->service().Look(account, owner, node);
  if (std::holds_alternative<StanzaError>(looked)) {
    DataForm options = DataForm::Of("submit", ns::kPubsubPublishOptions);
    options.Add("pubsub#access_model", {}, "open");
    request.options = std::move(options);
  }
  PubsubResult<PubsubEvents> result =
      co_await nodes->service().Publish(account, owner, std::move(request));
  if (const auto* error = std::get_if<StanzaError>(&result)) {
    if (error->type == xmpp::ErrorType::kWait) co_return Error::Unavailable(error->text);
    co_return Result<void>();  // too big for a node: it stays in the vCard alone
  }
  co_await nodes->Tell(account, std::move(std::get<PubsubEvents>(result)), cause, number);
  co_return Result<void>();
}

Task<Result<void>> FromVcard(Nodes nodes, Iq iq, Element card) {
  const auto photo = PhotoOf(card);
  if (!photo) co_return Result<void>();
  const std::string id = Sha1(photo->bytes);
  const xmpp::BareJid account = *xmpp::BareJid::From(iq.from);
  std::vector<std::string> names(1, std::string(ns::kAvatarMetadata));
  const Result<std::vector<PubsubNewest>> newest =
      co_await nodes->service().store().Newest(account, std::move(names));
  if (!newest) co_return newest.error();
  if (!newest->empty() && newest->front().item.id == id && !iq.repeated) co_return Result<void>();
  PubsubItem data;
  data.id = id;
  Element content("data", ns::kAvatarData);
  content.AddText(xmpp::sasl::EncodeBase64(photo->bytes));
  data.payload = content.Write();
  Result<void> published = co_await PublishOpen(nodes, iq.from, std::string(ns::kAvatarData),
                                                std::move(data), iq.cluster_id, kDataEvent);
  if (!published) co_return published;
  Element metadata("metadata", ns::kAvatarMetadata);
  Element& info = metadata.Add("info", ns::kAvatarMetadata);
  info.SetAttr("id", id).SetAttr("bytes", std::to_string(photo->bytes.size()));
  info.SetAttr("type", photo->type);
  PubsubItem item;
  item.id = id;
  item.payload = metadata.Write();
  published = co_await PublishOpen(nodes, iq.from, std::string(ns::kAvatarMetadata),
                                   std::move(item), iq.cluster_id, kMetadataEvent);
  co_return published;
}

// §4: available presence, to contacts and to whom a client addresses.
Task<StageVerdict> AddHash(Nodes nodes, StageEvent* event) {
  if (event->stanza->type != xmpp::StanzaType::kNone || event->session == nullptr) {
    co_return Continue{};
  }
  const xmpp::BareJid account = *xmpp::BareJid::From(*event->from);
  std::vector<xmpp::BareJid> owners(1, account);
  const std::vector<PubsubVersion> versions =
      co_await nodes->last_items().Versions(std::move(owners));
  const Result<LastItemsPtr> items = co_await nodes->last_items().Of(account, versions.front());
  if (!items) co_return Continue{};
  for (const LastItem& last : **items) {
    if (last.node != ns::kAvatarMetadata || last.config.access != AccessModel::kOpen) continue;
    const auto image = ImageOf(last.item.payload);
    if (image) event->stanza->bytes = WithPhotoHash(event->stanza->bytes, image->id);
  }
  co_return Continue{};
}

}  // namespace

std::string WithPhotoHash(const std::string& presence, std::string_view hash) {
  auto root = Element::Parse(presence);
  if (!root) return presence;
  Element* x = root->Find("x", ns::kVcardUpdate);
  if (x != nullptr && x->Find("photo", ns::kVcardUpdate) != nullptr) return presence;
  if (x == nullptr) x = &root->Add("x", ns::kVcardUpdate);
  x->Add("photo", ns::kVcardUpdate).AddText(std::string(hash));
  return root->Write();
}

VcardWritten AvatarFromVcard(Nodes nodes) {
  return [nodes](Iq iq, Element card) { return FromVcard(nodes, std::move(iq), std::move(card)); };
}

Feature AvatarConversion(Nodes nodes) {
  const std::weak_ptr<PersonalNodes> weak = nodes;  // the hook lives in what it uses
  nodes->Watch(ns::kAvatarMetadata, [weak](Iq iq) { return ToVcard(weak.lock(), std::move(iq)); });
  Feature feature;
  feature.name = "avatar_conversion";
  feature.specs = {{.xep = 84, .version = "1.1.4"},
                   {.xep = 153, .version = "1.1.1"},
                   {.xep = 398, .version = "1.0.0"}};
  feature.needs = {"pep", "vcard_temp"};
  feature.disco.account = {"urn:xmpp:pep-vcard-conversion:0"};
  StageHandler hash;
  hash.stage = Stage::kFromClient;
  hash.kinds = kPresences;
  hash.later = [nodes](StageEvent& event) { return AddHash(nodes, &event); };
  feature.stages.push_back(std::move(hash));
  return feature;
}

}  // namespace business
