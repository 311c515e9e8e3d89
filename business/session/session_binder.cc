#include "business/session/session_binder.h"

#include <chrono>
#include <utility>
#include <variant>
#include <vector>

#include "business/session/backoff.h"
#include "business/session/bind_iq.h"
#include "business/session/session.h"
#include "business/session/session_ender.h"
#include "business/session/session_events.h"
#include "business/session/session_table.h"
#include "business/session/shard.h"
#include "lib/runtime/log.h"
#include "lib/runtime/process.h"
#include "lib/xmpp/sasl/scram_keys.h"
#include "proto/connmgr_business.pb.h"

namespace business {
namespace {

using cluster::BindOutcome;
using cluster::SessionRecord;
using xmpp::StanzaError;
using xylem::v1::Negotiated;
using Rows = std::vector<SessionRecord>;

constexpr uint64_t kBindDeadlineMs = 5000;
constexpr size_t kSessionBytes = 16;
// A bind whose outcome stayed unknown may still lie in a socket: its row is looked for this often.
constexpr int kGhostLooks = 3;
constexpr uint64_t kGhostDeadlineMs = 60000;

uint64_t WallClockMs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count());
}

bool IsOf(const cluster::Owner& owner, const ManagerLink& link, uint64_t connection) {
  return owner.connection == connection && owner.incarnation == link.incarnation() &&
         owner.manager == link.manager();
}

// RFC 6120 §7.6.1. The same whichever server makes it: where an answer was lost with its server,
// the bind asked again replaces the row that nobody knows of. Keyed, so nobody else can guess it.
std::string MadeUpResource(const Shard& shard, const ManagerLink& link, uint64_t connection) {
  return cluster::ClusterIdText(shard.ids->Make(link.manager(), connection, "resource",
                                                cluster::HexText(link.incarnation())));
}

const SessionRecord* RowOf(const Rows& rows, const std::string& session) {
  for (const SessionRecord& row : rows) {
    if (row.session == session) return &row;
  }
  return nullptr;
}

Negotiated Answer(uint64_t connection, Negotiated::Outcome outcome, std::string reply) {
  Negotiated answer;
  answer.set_connection(connection);
  answer.set_outcome(outcome);
  answer.set_reply(std::move(reply));
  return answer;
}

}  // namespace

void SessionBinder::Bind(const ManagerLinkPtr& link, uint64_t connection, std::string_view iq,
                         OpenedTicket identity) {
  std::variant<BindIq, RefusedBind> read = ReadBindIq(iq);
  if (auto* refused = std::get_if<RefusedBind>(&read)) {
    link->SendNegotiated(Answer(connection, Negotiated::CONTINUE, std::move(refused->reply)));
    return;
  }
  BindIq& bind = std::get<BindIq>(read);
  auto pending = std::make_shared<Pending>();
  pending->link = link;
  pending->connection = connection;
  pending->iq_id = std::move(bind.id);

  cluster::BindRequest& request = pending->request;
  request.account = identity.account;
  request.resource =
      bind.resource.empty() ? MadeUpResource(*shard_, *link, connection) : std::move(bind.resource);
  request.max_resources = options_.max_resources;
  request.replace = options_.replace;
  request.record.owner.manager = link->manager();
  request.record.owner.incarnation = link->incarnation();
  request.record.owner.connection = connection;
  request.record.session = xmpp::sasl::RandomBytes(kSessionBytes);
  request.record.since_ms = WallClockMs();
  request.record.peer_address = identity.peer_address;
  pending->identity = std::move(identity);

  pending_.Add(pending);
  runtime::Spawn(Run(std::move(pending)));
}

runtime::Task<void> SessionBinder::Run(PendingPtr pending) {
  const std::optional<BindOutcome> outcome = co_await Ask(pending);
  pending_.Remove(pending);
  const bool bound = outcome && outcome->kind == BindOutcome::Kind::kBound;
  if (bound) {
    runtime::KillPoint("bind.before_bound");
    shard_->metrics->binds.Add();
    if (outcome->replaced) Replaced(*pending, *outcome->replaced);
    if (pending->abandoned || !pending->link->alive()) {
      co_await EndBound(pending, outcome->record);
    } else {
      Bound(*pending, outcome->record);
    }
    co_return;
  }
  if (!pending->abandoned) {
    if (outcome && outcome->kind == BindOutcome::Kind::kConflict) {
      Refuse(*pending, StanzaError::Conflict());
    } else {
      Refuse(*pending, StanzaError::ResourceConstraint());
    }
  }
  if (pending->unsure) co_await RemoveGhost(pending);
}

runtime::Task<std::optional<BindOutcome>> SessionBinder::Ask(PendingPtr pending) {
  Backoff backoff(shard_->loop);
  const uint64_t deadline = shard_->loop->NowMs() + kBindDeadlineMs;
  for (;;) {
    const uint64_t generation =
        co_await shard_->generation->KnownWithin(std::chrono::milliseconds(kBindDeadlineMs));
    pending->request.generation = generation;
    if (generation != 0 && !pending->abandoned) {
      cluster::BindRequest request = pending->request;
      const auto outcome = co_await shard_->registry->Bind(std::move(request));
      // Asked another server before that died: its row stands in nobody's way but ours.
      const bool own_ghost = outcome && outcome->kind == BindOutcome::Kind::kConflict &&
                             IsOf(outcome->record.owner, *pending->link, pending->connection);
      if (own_ghost) {
        co_await EndBound(pending, outcome->record);
      } else if (outcome) {
        co_return *outcome;
      } else {
        // R4: repeated with the same session, the script recognises what it did.
        pending->unsure = pending->unsure || outcome.error().unknown();
      }
    }
    if (pending->abandoned || shard_->loop->NowMs() >= deadline) co_return std::nullopt;
    co_await backoff.Pause();
  }
}

runtime::Task<void> SessionBinder::RemoveGhost(PendingPtr pending) {
  Backoff backoff(shard_->loop);
  const uint64_t deadline = shard_->loop->NowMs() + kGhostDeadlineMs;
  int looks = 0;
  while (looks < kGhostLooks && shard_->loop->NowMs() < deadline) {
    co_await backoff.Pause();
    const auto rows = co_await shard_->registry->Lookup(pending->request.account);
    if (!rows) continue;
    const SessionRecord* ghost = RowOf(*rows, pending->request.record.session);
    if (ghost == nullptr) {
      ++looks;
      continue;
    }
    // Bound all the same. Once more the same bind: it tells whom it replaced.
    cluster::BindRequest request = pending->request;
    const auto outcome = co_await shard_->registry->Bind(std::move(request));
    if (!outcome) continue;
    if (outcome->kind != BindOutcome::Kind::kBound) co_return;
    shard_->metrics->binds.Add();
    if (outcome->replaced) Replaced(*pending, *outcome->replaced);
    co_await EndBound(pending, outcome->record);
    co_return;
  }
}

runtime::Task<void> SessionBinder::EndBound(PendingPtr pending, SessionRecord row) {
  std::vector<std::string> nobody;
  const bool gone = co_await ender_->EndRow(pending->link, pending->request.account, std::move(row),
                                            std::move(nobody));
  if (!gone) {
    runtime::LogWarn("ghost_left", "a row without a session could not be removed",
                     {{"manager", pending->link->manager()}, {"connection", pending->connection}});
  }
}

void SessionBinder::Replaced(const Pending& pending, const SessionRecord& old) {
  shard_->metrics->replaced.Add();
  // Not the stream that is about to be bound: its bind was lost with another server and is
  // repeated.
  if (!IsOf(old.owner, *pending.link, pending.connection)) {
    shard_->links->Close(old.owner, {xmpp::StreamCondition::kConflict, {}, {}});
  }
  shard_->events->OnSessionEnded(pending.request.account, old, {});
}

void SessionBinder::Bound(const Pending& pending, SessionRecord row) {
  std::string full = pending.request.account.ToString() + "/" + row.resource;
  auto session = std::make_shared<Session>(shard_, pending.link,
                                           xmpp::FullJid::FromNormalized(std::move(full)),
                                           std::move(row), pending.identity.mechanism);
  shard_->sessions->Add(session);

  const std::string& jid = session->full().ToString();
  Negotiated answer =
      Answer(pending.connection, Negotiated::BOUND, WriteBindResult(pending.iq_id, jid));
  answer.set_account(session->account().ToString());
  answer.set_jid(jid);
  answer.set_epoch(session->epoch());
  answer.set_session(session->record.session);
  // In the same item: a session without its ticket could not be announced.
  answer.set_ticket(SealSession(*session));
  pending.link->SendNegotiated(std::move(answer));
}

void SessionBinder::Refuse(const Pending& pending, const StanzaError& error) {
  shard_->metrics->CountError(error.condition);
  pending.link->SendNegotiated(
      Answer(pending.connection, Negotiated::CONTINUE, WriteBindError(pending.iq_id, error)));
}

}  // namespace business
