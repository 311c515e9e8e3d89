#include "business/session/session_ender.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "business/session/backoff.h"
#include "business/session/session_events.h"
#include "business/session/session_table.h"
#include "business/session/session_ticket.h"
#include "business/session/shard.h"
#include "lib/cluster/outbox.h"
#include "lib/runtime/process.h"

namespace business {
namespace {

// Stanzas of a closed socket that are not handled by then are given up: nobody can be told of them.
constexpr std::chrono::milliseconds kDrainDeadline{30000};
constexpr uint64_t kTriedAtLeastMs = 60000;

bool Stands(const std::vector<cluster::SessionRecord>& rows, const std::string& resource) {
  return std::any_of(rows.begin(), rows.end(),
                     [&](const cluster::SessionRecord& row) { return row.resource == resource; });
}

}  // namespace

SessionEnder::SessionEnder(Shard* shard) : shard_(shard) {
  shard_->sessions->OnDrained([this](const SessionPtr& session) { EndIfDrained(session); });
}

SessionEnder::~SessionEnder() { shard_->sessions->OnDrained(nullptr); }

void SessionEnder::Close(const SessionPtr& session, uint64_t last_in_seq, bool resumable) {
  if (session->gone()) return;
  if (!session->closed) session->resumable = resumable;
  session->last_in_seq = std::max(session->last_in_seq, last_in_seq);
  if (std::exchange(session->closed, true)) return;
  // A session whose announcement runs has no row that could be removed: see SessionAnnouncer.
  if (session->state == Session::State::kLive) BeginEnding(session);
}

void SessionEnder::BeginEnding(const SessionPtr& session) {
  session->state = Session::State::kEnding;
  EndIfDrained(session);
  if (session->ending_under_way) return;
  shard_->loop->RunAfter(kDrainDeadline, [this, late = std::weak_ptr<Session>(session)] {
    const SessionPtr still = late.lock();
    if (still && still->state == Session::State::kEnding) StartEnd(still);
  });
}

void SessionEnder::EndIfDrained(const SessionPtr& session) {
  if (session->state != Session::State::kEnding) return;
  if (session->accepted() < session->last_in_seq) return;
  // What its client has confirmed is not to be dealt with as if it had not.
  if (session->managed() && session->sm.confirmed != session->sm.trimmed) return;
  StartEnd(session);
}

void SessionEnder::StartEnd(const SessionPtr& session) {
  if (std::exchange(session->ending_under_way, true)) return;
  runtime::Spawn(End(session));
}

runtime::Task<void> SessionEnder::End(SessionPtr session) {
  runtime::KillPoint("close.before_end");
  bool gone = false;
  if (session->resumable && session->managed() && session->sm.resumption.count() > 0) {
    gone = co_await Hibernate(session->link(), session->full(), session->record,
                              session->sm.resumption, session->directed);
  } else {
    gone = co_await EndRow(session->link(), session->account(), session->record,
                           session->directed);
  }
  if (!gone) co_return;  // the link is down: the manager says Closed to another home
  runtime::KillPoint("close.before_ended");
  session->link()->SendEnded(session->connection(), session->epoch());
  shard_->sessions->Remove(*session);
}

void SessionEnder::CloseUnknown(const ManagerLinkPtr& link, OpenedTicket ticket, bool resumable,
                                uint64_t client_acked) {
  runtime::Spawn(EndUnknown(link, std::move(ticket), resumable, client_acked));
}

runtime::Task<void> SessionEnder::EndUnknown(ManagerLinkPtr link, OpenedTicket ticket,
                                             bool resumable, uint64_t client_acked) {
  const cluster::Owner owner = ticket.record.owner;
  const bool managed = (ticket.record.flags & cluster::kSessionStreamManagement) != 0;
  if (managed && client_acked != 0) {
    auto full = xmpp::FullJid::FromNormalized(ticket.account.ToString() + "/" +
                                              ticket.record.resource);
    // Should it not come about, something may come twice.
    shard_->outbox->CommitTo(full, ticket.record, 0, client_acked, [](auto) {});
  }
  bool gone = false;
  if (resumable && managed && ticket.sm_resumption.count() > 0) {
    auto full = xmpp::FullJid::FromNormalized(ticket.account.ToString() + "/" +
                                              ticket.record.resource);
    gone = co_await Hibernate(link, std::move(full), std::move(ticket.record),
                              ticket.sm_resumption, std::move(ticket.directed));
  } else {
    gone = co_await EndRow(link, std::move(ticket.account), std::move(ticket.record),
                           std::move(ticket.directed));
  }
  if (gone) link->SendEnded(owner.connection, owner.epoch);
}

runtime::Task<bool> SessionEnder::Hibernate(ManagerLinkPtr link, xmpp::FullJid full,
                                            cluster::SessionRecord record,
                                            std::chrono::milliseconds resumption,
                                            std::vector<std::string> directed) {
  using Hibernation = cluster::Outbox::Hibernation;
  Backoff backoff(shard_->loop);
  const uint64_t try_until = shard_->loop->NowMs() + kTriedAtLeastMs;
  do {
    const auto result = co_await shard_->outbox->Hibernate(full, record, resumption);
    if (result && *result == Hibernation::kDone) {
      shard_->metrics->hibernated.Add();
      co_return true;
    }
    if (result) {
      // It is another owner's by now, or there is nothing to be resumed.
      const bool gone = co_await EndRow(link, full.Bare(), record, directed);
      co_return gone;
    }
    co_await backoff.Pause();
  } while (link->alive() || shard_->loop->NowMs() < try_until);
  co_return false;
}

runtime::Task<bool> SessionEnder::EndRow(ManagerLinkPtr link, xmpp::BareJid account,
                                         cluster::SessionRecord record,
                                         std::vector<std::string> directed) {
  Backoff backoff(shard_->loop);
  const uint64_t try_until = shard_->loop->NowMs() + kTriedAtLeastMs;
  do {
    const auto ended = co_await shard_->registry->End(account, record.resource, record.owner);
    if (ended && ended->has_value()) {
      Tell(account, **ended, directed);
      co_return true;
    }
    if (ended) {
      // Another owner stands: whoever replaced the session has told of it. Nobody stands: Redis
      // lost the row, and nobody but us can tell.
      const auto rows = co_await shard_->registry->Lookup(account);
      if (rows) {
        if (!Stands(*rows, record.resource)) Tell(account, record, directed);
        co_return true;
      }
    }
    co_await backoff.Pause();
  } while (link->alive() || shard_->loop->NowMs() < try_until);
  co_return false;
}

void SessionEnder::Tell(const xmpp::BareJid& account, const cluster::SessionRecord& row,
                        const std::vector<std::string>& directed) {
  shard_->metrics->ended.Add();
  shard_->events->OnSessionEnded(account, row, directed);
}

}  // namespace business
