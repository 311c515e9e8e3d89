#include "business/history/archive_queries.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "business/history/archive_request.h"
#include "business/history/stored_deliveries.h"
#include "business/message/forwarded_message.h"
#include "business/message/message_metrics.h"
#include "business/routing/account_delivery.h"
#include "business/routing/stanza_class.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/xmpp/date_time.h"
#include "lib/xmpp/namespaces.h"
#include "lib/xmpp/result_set.h"

namespace business {
namespace {

namespace ns = xmpp::ns;
using xmpp::Element;
using xmpp::StanzaError;

constexpr size_t kMostPreferences = 1000;  // JIDs
// Of a page: what a client that is slow to read may have waiting without losing its stream.
constexpr size_t kPageBytes = 512 << 10;

StanzaError Trouble(const runtime::Error& error) {
  if (error.kind == runtime::ErrorKind::kFailed) return StanzaError::InternalServerError();
  return StanzaError::ResourceConstraint();
}

xmpp::BareJid AccountOf(const Iq& iq) { return *xmpp::BareJid::From(iq.from); }

std::string IdText(const ArchiveId& bytes) {
  cluster::ClusterId id{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), id.size()), id.begin());
  return cluster::ClusterIdText(id);
}

// A page is cut where its walk would go on; at least one row stays.
void LimitBytes(const ArchiveQuery& query, ArchivePage* page) {
  std::vector<ArchiveRow>& rows = page->rows;
  // The rows stand in the order of the walk, or against it.
  const bool against = query.backward != query.flip;
  if (against) std::reverse(rows.begin(), rows.end());
  size_t bytes = 0, kept = 0;
  while (kept < rows.size() && (kept == 0 || bytes + rows[kept].bytes.size() <= kPageBytes)) {
    bytes += rows[kept++].bytes.size();
  }
  if (kept < rows.size()) page->complete = false;
  rows.resize(kept);
  if (against) std::reverse(rows.begin(), rows.end());
}

std::vector<StoredDelivery> Results(const Iq& iq, const std::string& query_id,
                                    const std::vector<ArchiveRow>& rows) {
  const std::string account = AccountOf(iq).ToString();
  std::vector<StoredDelivery> results;
  results.reserve(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const ArchiveRow& row = rows[i];
    StoredDelivery result;
    result.body.bytes =
        xmpp::WithAddresses(ArchiveResult(query_id, IdText(row.id()), row.stamp_ms, row.bytes),
                            xmpp::StanzaKind::kMessage, account, {});
    result.body.splice_offset = xmpp::SpliceOffset(xmpp::StanzaKind::kMessage);
    result.body.kind = static_cast<uint8_t>(xmpp::StanzaKind::kMessage);
    result.body.stanza_class = kClassOutbox;
    result.to = iq.from.ToString();
    result.effect = cluster::EffectId(iq.cluster_id, static_cast<uint16_t>(kEffectArchiveRow + i));
    results.push_back(std::move(result));
  }
  return results;
}

Element Fin(const ArchiveQuery& query, const ArchivePage& page) {
  Element fin("fin", ns::kArchive);
  if (page.complete) fin.SetAttr("complete", "true");
  xmpp::ResultSetPage set;
  if (!page.rows.empty()) {
    // First and last of the page as the archive has it, however it was sent.
    set.first = IdText((query.flip ? page.rows.back() : page.rows.front()).id());
    set.last = IdText((query.flip ? page.rows.front() : page.rows.back()).id());
  }
  set.count = page.count;
  // All there is, in one page.
  if (!set.count && page.complete && !query.anchor) {
    set.count = static_cast<uint32_t>(page.rows.size());
  }
  fin.Add(set.Write());
  return fin;
}

// What it has seen of its archive before it became available is not delivered as offline messages
// (0313 §5.1.1).
void NoteRead(Session& session, const ArchiveRequest& request, const ArchivePage& page) {
  if (!request.unfiltered || page.rows.empty()) return;
  const ArchiveRow& newest = request.query.flip ? page.rows.front() : page.rows.back();
  if (newest.stamp_ms < session.archive_read_ms) return;
  if (newest.stamp_ms > session.archive_read_ms) session.archive_read_ids.clear();
  session.archive_read_ms = newest.stamp_ms;
  // Others of the same moment may have come later.
  for (const ArchiveRow& row : page.rows) {
    if (row.stamp_ms == newest.stamp_ms) session.archive_read_ids += row.id();
  }
}

Task<IqReply> Query(Shard* shard, HistoryOptions options, Iq iq) {
  auto read = ReadArchiveRequest(iq.Payload(), options);
  if (auto* error = std::get_if<StanzaError>(&read)) co_return std::move(*error);
  const ArchiveRequest request = std::get<ArchiveRequest>(std::move(read));
  MessageMetrics::Get().archive_queries.Add();
  auto page = co_await shard->stores->archives->Query(AccountOf(iq), request.query);
  if (!page) co_return Trouble(page.error());
  LimitBytes(request.query, &*page);
  if (page->item_not_found) co_return StanzaError::ItemNotFound("no such message");
  if (!iq.session) co_return StanzaError::Forbidden();
  // The reply comes behind the results: all of them are taken, or in the session's outbox.
  const std::vector<bool> taken =
      co_await DeliverStored(iq.session, Results(iq, request.query_id, page->rows));
  MessageMetrics::Get().archive_results.Add(taken.size());
  if (std::find(taken.begin(), taken.end(), false) != taken.end()) {
    co_return StanzaError::ResourceConstraint();
  }
  NoteRead(*iq.session, request, *page);
  co_return IqReply::Result(Fin(request.query, *page));
}

Task<IqReply> Form(Iq) {
  Element query("query", ns::kArchive);
  query.Add(ArchiveForm());
  co_return IqReply::Result(std::move(query));
}

void AddEnd(Element* metadata, const char* name, const std::optional<ArchiveEnds::End>& end) {
  if (!end) return;
  Element& element = metadata->Add(name, ns::kArchive);
  element.SetAttr("id", IdText(end->id));
  element.SetAttr("timestamp", xmpp::DateTimeText(end->stamp_ms));
}

Task<IqReply> Metadata(Shard* shard, Iq iq) {
  const auto ends = co_await shard->stores->archives->Ends(AccountOf(iq));
  if (!ends) co_return Trouble(ends.error());
  Element metadata("metadata", ns::kArchive);
  AddEnd(&metadata, "start", ends->first);
  AddEnd(&metadata, "end", ends->last);
  co_return IqReply::Result(std::move(metadata));
}

// Whose archive it is, nobody else learns (tests/attacks, row 39).
Task<IqReply> Forbidden(Iq) { co_return StanzaError::Forbidden(); }

// ---- XEP-0441 ----

using Otherwise = ArchivePreferences::Otherwise;

std::string_view Word(Otherwise otherwise) {
  switch (otherwise) {
    case Otherwise::kAlways:
      return "always";
    case Otherwise::kNever:
      return "never";
    case Otherwise::kRoster:
      break;
  }
  return "roster";
}

std::optional<Otherwise> ReadWord(std::string_view word) {
  for (Otherwise one : {Otherwise::kAlways, Otherwise::kNever, Otherwise::kRoster}) {
    if (Word(one) == word) return one;
  }
  return std::nullopt;
}

Element Write(const ArchivePreferences& preferences) {
  Element prefs("prefs", ns::kArchive);
  prefs.SetAttr("default", std::string(Word(preferences.otherwise)));
  const auto add = [&prefs](const char* name, const std::vector<xmpp::Jid>& jids) {
    Element& list = prefs.Add(name, ns::kArchive);
    for (const xmpp::Jid& jid : jids) list.Add("jid", ns::kArchive).AddText(jid.ToString());
  };
  add("always", preferences.always);
  add("never", preferences.never);
  return prefs;
}

std::optional<StanzaError> ReadJids(const Element* list, std::vector<xmpp::Jid>* jids) {
  if (list == nullptr) return std::nullopt;
  for (const Element* child : list->Elements()) {
    if (!child->Is("jid", ns::kArchive)) continue;
    auto jid = xmpp::Jid::Parse(child->Text());
    if (!jid) return StanzaError::JidMalformed();
    if (jids->size() >= kMostPreferences) return StanzaError::PolicyViolation("too many JIDs");
    jids->push_back(*std::move(jid));
  }
  return std::nullopt;
}

Task<IqReply> GetPreferences(Shard* shard, Iq iq) {
  const auto preferences = co_await shard->stores->archives->Preferences(AccountOf(iq));
  if (!preferences) co_return Trouble(preferences.error());
  co_return IqReply::Result(Write(preferences->value_or(ArchivePreferences())));
}

Task<IqReply> SetPreferences(Shard* shard, Iq iq) {
  const Element prefs = iq.Payload();
  ArchivePreferences preferences;
  const auto otherwise = ReadWord(prefs.Attr("default"));
  if (!otherwise) co_return StanzaError::BadRequest("default is always, never or roster");
  preferences.otherwise = *otherwise;
  if (auto error = ReadJids(prefs.Find("always", ns::kArchive), &preferences.always)) {
    co_return *std::move(error);
  }
  if (auto error = ReadJids(prefs.Find("never", ns::kArchive), &preferences.never)) {
    co_return *std::move(error);
  }
  const xmpp::BareJid account = AccountOf(iq);
  const auto put = co_await shard->stores->archives->SetPreferences(account, preferences);
  if (!put) co_return Trouble(put.error());
  if (*put == ArchiveStore::Put::kNoOwner) co_return StanzaError::ItemNotFound();
  // R13: raised before it is answered, so that whoever hears of the answer finds the change.
  const auto raised = co_await shard->registry->RaiseVersion(account);
  if (!raised) co_return StanzaError::ResourceConstraint();
  co_return IqReply::Result(Write(preferences));
}

}  // namespace

Feature ArchiveQueries(Shard* shard, HistoryOptions options) {
  Feature feature;
  feature.name = "archive";
  feature.specs = {{.xep = 313, .version = "1.1.3"},
                   {.xep = 59, .version = "1.0"},
                   {.xep = 431, .version = "0.2.0"},
                   {.xep = 297, .version = "1.0"},
                   {.xep = 203, .version = "2.0"}};
  feature.needs = {"message_archive"};
  feature.disco.account = {ns::kArchive, ns::kArchiveExtended, ns::kArchiveGroupchatField,
                           ns::kFulltext};
  // COMPAT(profanity 0.13, 2022): it asks the server, not the account, and reads no history else.
  feature.disco.server = {ns::kArchive};
  feature.config = "archive";
  feature.iqs = {
      {IqType::kSet, ns::kArchive, "query", Addressee::kOwnAccount,
       [shard, options](Iq iq) { return Query(shard, options, std::move(iq)); }},
      {IqType::kGet, ns::kArchive, "query", Addressee::kOwnAccount, Form},
      {IqType::kGet, ns::kArchive, "metadata", Addressee::kOwnAccount,
       [shard](Iq iq) { return Metadata(shard, std::move(iq)); }},
      {IqType::kSet, ns::kArchive, "query", Addressee::kAccount, Forbidden},
      {IqType::kGet, ns::kArchive, "query", Addressee::kAccount, Forbidden},
      {IqType::kGet, ns::kArchive, "metadata", Addressee::kAccount, Forbidden},
  };
  return feature;
}

Feature ArchivePreferencesIq(Shard* shard) {
  Feature feature;
  feature.name = "archive_preferences";
  feature.specs = {{.xep = 441, .version = "0.2.0"}};
  feature.needs = {"archive"};
  // COMPAT(profanity 0.13, 2022): it asks the server, not the account, and reads no history else.
  feature.disco.server = {ns::kArchive};
  feature.config = "archive";
  feature.iqs = {
      {IqType::kGet, ns::kArchive, "prefs", Addressee::kOwnAccount,
       [shard](Iq iq) { return GetPreferences(shard, std::move(iq)); }},
      {IqType::kSet, ns::kArchive, "prefs", Addressee::kOwnAccount,
       [shard](Iq iq) { return SetPreferences(shard, std::move(iq)); }},
      {IqType::kGet, ns::kArchive, "prefs", Addressee::kAccount, Forbidden},
      {IqType::kSet, ns::kArchive, "prefs", Addressee::kAccount, Forbidden},
  };
  return feature;
}

}  // namespace business
