#include "business/session/session_announcer.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "business/session/backoff.h"
#include "business/session/ownership_guard.h"
#include "business/session/session_commits.h"
#include "business/session/session_ender.h"
#include "business/session/session_table.h"
#include "business/session/session_ticket.h"
#include "business/session/shard.h"
#include "lib/cluster/outbox.h"
#include "lib/runtime/log.h"
#include "proto/connmgr_business.pb.h"

namespace business {
namespace {

constexpr uint32_t kMostUnderWay = 2000;
constexpr std::chrono::milliseconds kGenerationWait{1000};
// How long to wait until this server, too, knows the generation that the manager knows.
constexpr uint64_t kCatchUpMs = 5000;

SessionPtr MakeSession(Shard* shard, const ManagerLinkPtr& link, OpenedTicket ticket) {
  std::string full = ticket.account.ToString() + "/" + ticket.record.resource;
  auto session =
      std::make_shared<Session>(shard, link, xmpp::FullJid::FromNormalized(std::move(full)),
                                std::move(ticket.record), std::move(ticket.mechanism));
  session->directed = std::move(ticket.directed);
  session->sm.base = ticket.sm_base;
  session->sm.resumption = ticket.sm_resumption;
  return session;
}

}  // namespace

void SessionAnnouncer::OnAnnounce(const ManagerLinkPtr& link, const xylem::v1::Announce& announce) {
  const SessionPtr session = Take(link, announce);
  if (!session) return;
  session->state = Session::State::kAnnouncing;
  session->turn = announce.turn();
  Session::Announcement& state = session->announcement;
  state.generation = std::max<uint64_t>(state.generation, announce.redis_generation());
  ++state.asked;
  if (std::exchange(state.under_way, true)) return;
  waiting_.push_back(session);
  StartWaiting();
}

SessionPtr SessionAnnouncer::Take(const ManagerLinkPtr& link, const xylem::v1::Announce& announce) {
  const auto fenced = [&](std::string_view why) {
    shard_->metrics->fenced.Add();
    runtime::LogInfo("announcement_refused", why,
                     {{"manager", link->manager()}, {"connection", announce.connection()}});
    link->SendFenced(announce.connection(), announce.epoch());
    return nullptr;
  };
  std::optional<OpenedTicket> ticket =
      OpenTicket(*shard_->sealer, *link, announce.connection(), announce.ticket());
  if (!ticket || ticket->record.session.empty() || ticket->record.owner.epoch != announce.epoch()) {
    return fenced("the ticket is not of this session");
  }
  SessionPtr session = shard_->sessions->Find(link.get(), announce.connection());
  if (session && session->epoch() > announce.epoch())
    return fenced("the session has a newer epoch");
  if (session && session->Is(announce.epoch())) {
    if (session->ending_under_way || announce.turn() < session->turn) return nullptr;
    // It was handled elsewhere meanwhile. What is dropped is submitted again.
    if (announce.accepted() > session->queue.accepted()) {
      session->queue.StartBehind(announce.accepted());
    }
    NoteNumbers(*session, announce);
    return session;
  }
  session = MakeSession(shard_, link, *std::move(ticket));
  session->state = Session::State::kAnnouncing;
  session->queue.StartBehind(announce.accepted());
  NoteNumbers(*session, announce);
  shard_->sessions->Add(session);
  return session;
}

void SessionAnnouncer::NoteNumbers(Session& session, const xylem::v1::Announce& announce) {
  Session::StreamManagement& sm = session.sm;
  sm.written = std::max<uint64_t>(sm.written, announce.written_out_seq());
  sm.confirmed = std::max<uint64_t>(sm.confirmed, announce.client_acked());
}

void SessionAnnouncer::StartWaiting() {
  while (under_way_ < kMostUnderWay && !waiting_.empty()) {
    const SessionPtr session = std::move(waiting_.front());
    waiting_.pop_front();
    if (session->gone()) continue;
    ++under_way_;
    runtime::Spawn(Run(session));
  }
}

runtime::Task<void> SessionAnnouncer::Run(SessionPtr session) {
  Backoff backoff(shard_->loop);
  const uint64_t started_ms = shard_->loop->NowMs();
  while (!session->gone() && session->link()->alive()) {
    const uint32_t asked = session->announcement.asked;
    const Outcome outcome = co_await Announce(session, started_ms);
    if (session->gone() || outcome == Outcome::kFenced) break;
    if (outcome == Outcome::kTryAgain) {
      co_await backoff.Pause();
    } else if (asked == session->announcement.asked) {
      Announced(session);
      break;
    }
  }
  session->announcement.under_way = false;
  --under_way_;
  StartWaiting();
}

runtime::Task<SessionAnnouncer::Outcome> SessionAnnouncer::Announce(SessionPtr session,
                                                                    uint64_t started_ms) {
  const uint64_t generation = co_await shard_->generation->KnownWithin(kGenerationWait);
  if (generation == 0 || session->gone()) co_return Outcome::kTryAgain;
  if (session->record.announced_generation < generation) {
    shard_->generation->SawOlderAnnouncement();
  }
  // A row announced under an older generation than the newest would be swept away as a left-over.
  if (generation < session->announcement.generation &&
      shard_->loop->NowMs() - started_ms < kCatchUpMs) {
    co_return Outcome::kTryAgain;
  }
  const auto announced =
      co_await shard_->registry->Announce(session->account(), session->record, generation);
  if (!announced || session->gone()) co_return Outcome::kTryAgain;
  if (announced->outcome == cluster::WriteOutcome::kFenced) {
    shard_->guard->Fence(session);
    co_return Outcome::kFenced;
  }
  const cluster::SessionRecord& stands = announced->record;
  if (stands.presence_number >= session->record.presence_number) session->record = stands;
  session->record.announced_generation = stands.announced_generation;
  session->record.flags &= ~static_cast<uint64_t>(cluster::kSessionHibernated);
  if (!session->managed()) co_return Outcome::kDone;
  const Outcome outcome = co_await AnnounceOutbox(session);
  co_return outcome;
}

// What stands in the outbox, and what the manager knows: the newer of both.
runtime::Task<SessionAnnouncer::Outcome> SessionAnnouncer::AnnounceOutbox(SessionPtr session) {
  Session::StreamManagement& sm = session->sm;
  const auto announced =
      co_await shard_->outbox->Announce(session->full(), session->record,
                                        session->queue.accepted(), sm.written, sm.base,
                                        sm.resumption);
  if (!announced || session->gone()) co_return Outcome::kTryAgain;
  if (!announced->has_value()) {
    shard_->guard->Fence(session);
    co_return Outcome::kFenced;
  }
  sm.committed = (*announced)->committed;
  sm.last = (*announced)->last;
  session->queue.SkipTo(sm.committed);
  co_return Outcome::kDone;
}

void SessionAnnouncer::Announced(const SessionPtr& session) {
  shard_->metrics->announced.Add();
  session->link()->SendAccepted(session->connection(), session->epoch(), session->accepted());
  session->link()->AcceptNow();
  session->SendTicket();
  // What was pushed while it had no home may not have arrived.
  if (session->managed()) session->TellNewest(session->sm.last);
  session->state = Session::State::kLive;
  shard_->guard->CheckNow(session);
  if (session->closed) ender_->BeginEnding(session);
  session->Pump();
  if (session->managed() && !session->gone()) shard_->commits->Commit(session);
}

}  // namespace business
