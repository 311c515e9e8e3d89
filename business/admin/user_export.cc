#include "business/admin/user_export.h"

#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "business/admin/pie_elements.h"
#include "business/auth/account_admin.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/cluster/cluster_id.h"
#include "lib/xmpp/date_time.h"
#include "lib/xmpp/namespaces.h"
#include "proto/admin.pb.h"

namespace business {

using runtime::Task;
using xmpp::BareJid;
using xmpp::Element;
namespace ns = xmpp::ns;

namespace {

constexpr uint32_t kPage = 100;
constexpr std::string_view kOffline = "offline:", kArchive = "archive:";

std::optional<Element> RosterElement(const Roster& roster) {
  Element query("query", ns::kRoster);
  for (const RosterEntry& entry : roster.entries) {
    if (entry.item) query.Add(pie::WriteContact(entry));
  }
  if (query.children().empty()) return std::nullopt;
  return query;
}

std::optional<Element> RequestElement(const RosterEntry& entry, const BareJid& owner) {
  if (!entry.request) return std::nullopt;
  auto presence = Element::Parse(entry.request->stanza);
  if (!presence) return std::nullopt;
  presence->SetAttr("from", entry.contact.ToString());
  presence->SetAttr("to", owner.ToString());
  return presence;
}

std::optional<Element> CollectionElement(DataType type, const DataCollection& collection) {
  if (collection.entries.empty()) return std::nullopt;
  if (type == DataType::kVcard) return Element::Parse(collection.entries[0].value);
  const bool blocked = type == DataType::kBlockList;
  Element element =
      blocked ? Element("blocklist", ns::kBlocking) : Element("query", ns::kPrivateXml);
  for (const DataEntry& entry : collection.entries) {
    if (blocked) {
      element.Add("item", ns::kBlocking).SetAttr("jid", entry.key);
    } else if (auto child = Element::Parse(entry.value)) {
      element.Add(std::move(*child));
    }
  }
  return element;
}

}  // namespace

Task<AdminAnswer> UserExport::Export(xylem::v1::ExportUserRequest request) {
  const auto jid = BareJid::Parse(request.jid());
  if (!jid) {
    co_return AdminAnswer::InvalidArgument("'" + request.jid() +
                                           "' is no account's address (name@domain)");
  }
  const std::string_view next = request.next();
  AdminAnswer answer = AdminAnswer::InvalidArgument("`next` is of no answer");
  if (next.empty()) {
    answer = co_await Account(*jid);
  } else if (next.starts_with(kOffline)) {
    int64_t after = 0;
    std::from_chars(next.data() + kOffline.size(), next.data() + next.size(), after);
    answer = co_await Offline(*jid, after, request.archive());
  } else if (next.starts_with(kArchive)) {
    answer = co_await Archive(*jid, std::string(next.substr(kArchive.size())));
  }
  co_return answer;
}

Task<AdminAnswer> UserExport::Account(BareJid owner) {
  const auto account = co_await accounts_->Get(owner.ToString());
  if (!account) co_return AdminAnswer::Trouble("reading the account", account.error());
  if (!account->has_value()) {
    co_return AdminAnswer::NotFound("there is no account " + owner.ToString());
  }
  xylem::v1::ExportUserResponse response;
  const auto add = [&response](const std::optional<Element>& element) {
    if (element) response.add_elements(element->Write());
  };
  for (const auto& keys : (*account)->keys) add(pie::WriteKeys(keys));
  const auto roster = co_await shard_->stores->rosters->Load(owner);
  if (!roster) co_return AdminAnswer::Trouble("reading the roster", roster.error());
  add(RosterElement(*roster));
  for (const RosterEntry& entry : roster->entries) add(RequestElement(entry, owner));
  const xmpp::Jid whose = xmpp::Jid::FromNormalized(owner.ToString());
  for (DataType type : {DataType::kPrivateXml, DataType::kVcard, DataType::kBlockList}) {
    const auto collection = co_await shard_->stores->account_data->List(whose, type);
    if (!collection) co_return AdminAnswer::Trouble("reading the data", collection.error());
    add(CollectionElement(type, *collection));
  }
  response.set_next(std::string(kOffline) + "0");
  co_return AdminAnswer::Ok(response);
}

Task<AdminAnswer> UserExport::Offline(BareJid owner, int64_t after, bool archive) {
  const auto messages = co_await shard_->stores->offline->Read(owner, after, kPage);
  if (!messages) co_return AdminAnswer::Trouble("reading offline messages", messages.error());
  xylem::v1::ExportUserResponse response;
  Element container("offline-messages", ns::kPie);
  for (const OfflineMessage& message : *messages) {
    auto element = Element::Parse(message.bytes);
    if (!element) continue;
    if (element->Find("delay", ns::kDelay) == nullptr) {
      element->Add("delay", ns::kDelay)
          .SetAttr("from", std::string(owner.domain()))
          .SetAttr("stamp", xmpp::DateTimeText(message.stamp_ms));
    }
    container.Add(std::move(*element));
  }
  if (!container.children().empty()) response.add_elements(container.Write());
  if (messages->size() == kPage) {
    response.set_next(std::string(kOffline) + std::to_string(messages->back().number));
  } else if (archive) {
    response.set_next(std::string(kArchive));
  }
  co_return AdminAnswer::Ok(response);
}

Task<AdminAnswer> UserExport::Archive(BareJid owner, std::string after) {
  ArchiveQuery query;
  query.max = kPage;
  if (const auto id = cluster::ParseClusterId(after))
    query.anchor = std::string(id->begin(), id->end());
  const xmpp::Jid whose = xmpp::Jid::FromNormalized(owner.ToString());
  const auto page = co_await shard_->stores->archives->Query(whose, std::move(query));
  if (!page) co_return AdminAnswer::Trouble("reading the archive", page.error());
  if (page->item_not_found) co_return AdminAnswer::InvalidArgument("`next` is of no answer");
  xylem::v1::ExportUserResponse response;
  Element container("archive", ns::kPieArchive);
  for (const ArchiveRow& row : page->rows) container.Add(pie::WriteArchived(row));
  if (!page->rows.empty()) {
    response.add_elements(container.Write());
    if (!page->complete) {
      response.set_next(std::string(kArchive) +
                        std::string(container.Elements().back()->Attr("id")));
    }
  }
  co_return AdminAnswer::Ok(response);
}

}  // namespace business
