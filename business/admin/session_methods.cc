#include "business/admin/session_methods.h"

#include <algorithm>
#include <optional>

#include "business/admin/page_limit.h"
#include "business/session/session_kicker.h"
#include "lib/xmpp/stream_error.h"
#include "proto/admin.pb.h"

namespace business {

using cluster::SessionRecord;
using runtime::Result;
using runtime::Task;

namespace {

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
    Result<Rows> all = co_await survey_.AllRows(limit + 1);
    if (!all) co_return AdminAnswer::Trouble("reading the sessions", all.error());
    co_return ListAnswer(std::move(*all), limit);
  }
  const std::optional<xmpp::Jid> jid = xmpp::Jid::Parse(request.jid());
  if (!jid.has_value() || !jid->HasLocal()) co_return NoSessionsAddress(request.jid());
  std::vector<xmpp::BareJid> account{*xmpp::BareJid::From(*jid)};
  Result<Rows> rows = co_await survey_.RowsOf(std::move(account));
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
