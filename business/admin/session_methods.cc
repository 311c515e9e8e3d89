#include "business/admin/session_methods.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>

#include "business/admin/page_limit.h"
#include "business/admin/redis_question.h"
#include "business/admin/session_kicker.h"
#include "lib/cluster/redis_keys.h"
#include "lib/xmpp/stream_error.h"
#include "proto/admin.pb.h"

namespace business {

using cluster::SessionRecord;
using runtime::OneShot;
using runtime::RedisClient;
using runtime::RedisReply;
using runtime::Result;
using runtime::Task;

namespace {

constexpr char kScanCount[] = "500";  // accounts a step: one pipeline of look-ups each
constexpr size_t kMaxTextBytes = 1024;

AdminAnswer NoSessionsAddress(const std::string& jid) {
  return AdminAnswer::InvalidArgument("'" + jid + "' is no address of an account or session");
}

// XML 1.0 §2.2 has no place for other control characters, nor for U+FFFE and U+FFFF. protobuf has
// seen to UTF-8.
bool FitsXml(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 && c != '\t' && c != '\n') return false;
    if (text.substr(i, 2) == "\xEF\xBF" && i + 2 < text.size() &&
        static_cast<unsigned char>(text[i + 2]) >= 0xBE) {
      return false;
    }
  }
  return true;
}

void Write(const std::string& jid, const SessionRecord& record, xylem::v1::Session* session) {
  session->set_jid(jid);
  session->set_session(cluster::HexBytes(record.session));
  session->set_manager(record.owner.manager);
  session->set_manager_incarnation(record.owner.incarnation);
  session->set_connection(record.owner.connection);
  session->set_epoch(record.owner.epoch);
  session->set_available(record.available);
  session->set_priority(record.priority);
  session->set_since(static_cast<int64_t>(record.since_ms / 1000));
  session->set_peer_address(record.peer_address);
}

}  // namespace

// One pipeline.
Task<Result<SessionMethods::Rows>> SessionMethods::RowsOf(std::vector<xmpp::BareJid> accounts) {
  struct Lookups {
    std::vector<Result<std::vector<SessionRecord>>> found;
    size_t open = 0;
    OneShot<bool> done;
  };
  if (accounts.empty()) co_return Rows();
  auto lookups = std::make_shared<Lookups>();
  lookups->open = accounts.size();
  lookups->found.assign(accounts.size(), std::vector<SessionRecord>());
  for (size_t i = 0; i < accounts.size(); ++i) {
    registry_->Lookup(accounts[i], [lookups, i](Result<std::vector<SessionRecord>> rows) {
      lookups->found[i] = std::move(rows);
      if (--lookups->open == 0) lookups->done.Set(true);
    });
  }
  co_await lookups->done;
  Rows rows;
  for (size_t i = 0; i < accounts.size(); ++i) {
    if (!lookups->found[i]) co_return lookups->found[i].error();
    for (SessionRecord& record : *lookups->found[i]) {
      std::string jid = accounts[i].ToString() + "/" + record.resource;
      rows.push_back({std::move(jid), std::move(record)});
    }
  }
  co_return rows;
}

Task<Result<SessionMethods::Rows>> SessionMethods::AllRows(size_t enough) {
  RedisClient::Args keys{"HKEYS", cluster::ManagersKey()};
  Result<RedisReply> managers = co_await Ask(redis_, std::move(keys));
  if (!managers) co_return managers.error();
  Rows rows;
  absl::flat_hash_set<std::string> seen;
  for (const RedisReply& field : managers->array) {
    auto manager = cluster::ParseManagerField(field.text);
    if (!manager.has_value()) continue;
    const std::string key = cluster::ManagerAccountsKey(manager->first, manager->second);
    std::string cursor = "0";
    do {
      RedisClient::Args scan{"SSCAN", key, cursor, "COUNT", kScanCount};
      Result<RedisReply> step = co_await Ask(redis_, std::move(scan));
      if (!step) co_return step.error();
      if (step->array.size() != 2) co_return runtime::Error::Failed("unexpected reply of SSCAN");
      cursor = step->array[0].text;
      std::vector<xmpp::BareJid> accounts;
      for (const RedisReply& account : step->array[1].array) {
        if (!seen.insert(account.text).second) continue;
        accounts.push_back(xmpp::BareJid::FromNormalized(account.text));
      }
      Result<Rows> found = co_await RowsOf(std::move(accounts));
      if (!found) co_return found.error();
      std::move(found->begin(), found->end(), std::back_inserter(rows));
      if (rows.size() >= enough) co_return rows;
    } while (cursor != "0");
  }
  co_return rows;
}

AdminAnswer SessionMethods::ListAnswer(Rows rows, size_t limit) {
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.jid < b.jid; });
  xylem::v1::SessionList list;
  list.set_more(rows.size() > limit);
  if (rows.size() > limit) rows.resize(limit);
  for (const Row& row : rows) Write(row.jid, row.record, list.add_sessions());
  return AdminAnswer::Ok(list);
}

Task<AdminAnswer> SessionMethods::List(xylem::v1::ListSessionsRequest request) {
  const size_t limit = PageLimit(request.limit());
  if (request.jid().empty()) {
    Result<Rows> all = co_await AllRows(limit + 1);
    if (!all) co_return AdminAnswer::Trouble("reading the sessions", all.error());
    co_return ListAnswer(std::move(*all), limit);
  }
  const std::optional<xmpp::Jid> jid = xmpp::Jid::Parse(request.jid());
  if (!jid.has_value() || !jid->HasLocal()) co_return NoSessionsAddress(request.jid());
  std::vector<xmpp::BareJid> account{*xmpp::BareJid::From(*jid)};
  Result<Rows> rows = co_await RowsOf(std::move(account));
  if (!rows) co_return AdminAnswer::Trouble("reading the sessions", rows.error());
  if (jid->HasResource()) {
    std::erase_if(*rows, [&](const Row& row) { return row.jid != jid->ToString(); });
  }
  co_return ListAnswer(std::move(*rows), limit);
}

Task<AdminAnswer> SessionMethods::Kick(xylem::v1::KickSessionRequest request) {
  const std::optional<xmpp::Jid> jid = xmpp::Jid::Parse(request.jid());
  if (!jid.has_value() || !jid->HasLocal()) co_return NoSessionsAddress(request.jid());
  if (request.text().size() > kMaxTextBytes || !FitsXml(request.text())) {
    co_return AdminAnswer::InvalidArgument(
        "the text has more than 1024 bytes or characters that XML does not allow");
  }
  // RFC 6120 §4.9.3.14: no fault of the client that logging in again would not mend is implied, but
  // `reset` would make most clients come back within the second.
  xmpp::StreamError error{xmpp::StreamCondition::kPolicyViolation, request.text(), {}};
  xmpp::BareJid account = *xmpp::BareJid::From(*jid);
  std::string resource(jid->resource());
  Result<uint32_t> kicked =
      co_await ender_->End(std::move(account), std::move(resource), std::move(error));
  if (!kicked) {
    co_return AdminAnswer::Trouble("ending the sessions (repeat the call)", kicked.error());
  }
  if (*kicked == 0) co_return AdminAnswer::NotFound("there is no session of " + request.jid());
  xylem::v1::KickSessionResponse response;
  response.set_kicked(*kicked);
  co_return AdminAnswer::Ok(response);
}

}  // namespace business
