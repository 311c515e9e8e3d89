#include "business/session/session_resumer.h"

#include <chrono>
#include <utility>

#include "business/session/backoff.h"
#include "business/session/session.h"
#include "business/session/session_commits.h"
#include "business/session/session_ender.h"
#include "business/session/session_table.h"
#include "business/session/shard.h"
#include "lib/runtime/process.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/stream_management.h"
#include "proto/connmgr_business.pb.h"

namespace business {
namespace {

using cluster::ResumeOutcome;
using cluster::SessionRecord;
using Kind = ResumeOutcome::Kind;
using xylem::v1::Negotiated;

constexpr uint64_t kDeadlineMs = 8000;
// A manager's window is not larger (proto/config/connmgr.proto).
constexpr uint64_t kMostWindow = 4096;

void Continue(const ManagerLinkPtr& link, uint64_t connection, std::string reply) {
  Negotiated answer;
  answer.set_connection(connection);
  answer.set_outcome(Negotiated::CONTINUE);
  answer.set_reply(std::move(reply));
  link->SendNegotiated(std::move(answer));
}

}  // namespace

std::string StreamManagementId(const Shard& shard, const xmpp::BareJid& account,
                               const std::string& session) {
  return cluster::ClusterIdText(
      shard.ids->Make(session, 0, "stream management", account.ToString()));
}

void SessionResumer::Resume(const ManagerLinkPtr& link, uint64_t connection,
                            std::string_view element, OpenedTicket identity) {
  const auto resume = xmpp::Element::Parse(element);
  if (!resume || resume->name() != "resume") {
    // XEP-0198 §3: <enable/> comes after a resource is bound.
    return Continue(link, connection, xmpp::WriteSmFailed("unexpected-request", std::nullopt));
  }
  const auto h = xmpp::ParseSmCount(resume->Attr("h"));
  if (!h || resume->Attr("previd").empty()) {
    return Continue(link, connection, xmpp::WriteSmFailed("bad-request", std::nullopt));
  }
  auto pending = std::make_shared<Pending>();
  pending->link = link;
  pending->connection = connection;
  pending->identity = std::move(identity);
  pending->previd = resume->Attr("previd");
  pending->h = *h;
  pending_.Add(pending);
  runtime::Spawn(Run(std::move(pending)));
}

runtime::Task<void> SessionResumer::Run(PendingPtr pending) {
  const std::optional<ResumeOutcome> outcome = co_await Ask(pending);
  pending_.Remove(pending);
  if (!outcome) {
    // It may still be resumed: the client tries again.
    if (!pending->abandoned) {
      Close(*pending, {xmpp::StreamCondition::kRemoteConnectionFailed, {}, {}});
    }
    co_return;
  }
  if (outcome->kind == Kind::kResumed) {
    runtime::KillPoint("resume.before_bound");
    Resumed(*pending, *outcome);
    co_return;
  }
  shard_->metrics->resumptions_refused.Add();
  if (pending->abandoned) co_return;
  if (outcome->kind == Kind::kTooHigh) {
    RefuseTooHigh(*pending, *outcome);
  } else {
    co_await RefuseGone(pending);
  }
}

runtime::Task<std::optional<ResumeOutcome>> SessionResumer::Ask(PendingPtr pending) {
  Backoff backoff(shard_->loop);
  const xmpp::BareJid& account = pending->identity.account;
  const uint64_t deadline = shard_->loop->NowMs() + kDeadlineMs;
  while (!pending->abandoned && shard_->loop->NowMs() < deadline) {
    const uint64_t generation =
        co_await shard_->generation->KnownWithin(std::chrono::milliseconds(kDeadlineMs));
    const auto rows = co_await shard_->registry->Lookup(account);
    if (generation != 0 && rows) {
      const SessionRecord* found = nullptr;
      for (const SessionRecord& row : *rows) {
        const bool managed = (row.flags & cluster::kSessionStreamManagement) != 0;
        if (managed && StreamManagementId(*shard_, account, row.session) == pending->previd) {
          found = &row;
        }
      }
      if (found == nullptr) co_return ResumeOutcome();
      cluster::ResumeRequest request;
      request.account = account;
      request.row = *found;
      request.owner = {pending->link->manager(), pending->link->incarnation(), pending->connection,
                       0};
      request.generation = generation;
      request.h = pending->h;
      const SessionRecord before = *found;
      const auto noted =
          co_await shard_->registry->AddToSuperset(request.owner, account.ToString());
      if (!noted) {
        co_await backoff.Pause();
        continue;
      }
      auto outcome = co_await shard_->outbox->Resume(std::move(request));
      if (outcome) {
        // R11: what was sent before Redis lost it cannot be counted.
        if (outcome->kind == Kind::kTooHigh && before.announced_generation < generation) {
          outcome->kind = Kind::kGone;
        }
        co_return *std::move(outcome);
      }
      // R4: asked again with the same owner, the script recognises what it did.
    }
    co_await backoff.Pause();
  }
  co_return std::nullopt;
}

void SessionResumer::Resumed(const Pending& pending, ResumeOutcome outcome) {
  shard_->metrics->resumed.Add();
  const cluster::Owner& old = outcome.before.owner;
  if (old != outcome.record.owner && (outcome.before.flags & cluster::kSessionHibernated) == 0) {
    // XEP-0198 §5: a socket that the session still has somewhere.
    shard_->links->Close(old, {xmpp::StreamCondition::kConflict, {}, {}});
  }
  const xmpp::BareJid& account = pending.identity.account;
  auto session = std::make_shared<Session>(
      shard_, pending.link,
      xmpp::FullJid::FromNormalized(account.ToString() + "/" + outcome.record.resource),
      std::move(outcome.record), pending.identity.mechanism);
  session->directed = std::move(outcome.directed);
  session->sm.base = outcome.base;
  session->sm.resumption = outcome.resumption;
  session->sm.committed = outcome.committed;
  session->sm.confirmed = session->sm.trimmed = outcome.confirmed;
  session->queue.StartBehind(outcome.committed);
  // What its former home had begun, the client sends again.
  session->resubmitted = outcome.committed + kMostWindow;
  shard_->sessions->Add(session);
  if (pending.abandoned || !pending.link->alive()) {
    ender_->Close(session, 0, /*resumable=*/true);
    return;
  }
  const uint32_t h = static_cast<uint32_t>(outcome.committed - outcome.base);
  Negotiated answer;
  answer.set_connection(pending.connection);
  answer.set_outcome(Negotiated::BOUND);
  answer.set_reply(xmpp::WriteSmResumed(pending.previd, h));
  answer.set_account(account.ToString());
  answer.set_jid(session->full().ToString());
  answer.set_epoch(session->epoch());
  answer.set_session(session->record.session);
  answer.set_ticket(SealSession(*session));
  xylem::v1::Resumed* resumed = answer.mutable_resumed();
  resumed->set_accepted(outcome.committed);
  resumed->set_base(outcome.base);
  resumed->set_confirmed(outcome.confirmed);
  resumed->set_last(outcome.last);
  pending.link->SendNegotiated(std::move(answer));
}

runtime::Task<void> SessionResumer::RefuseGone(PendingPtr pending) {
  const auto h = co_await shard_->outbox->LastH(pending->identity.account, pending->previd);
  if (pending->abandoned) co_return;
  Continue(pending->link, pending->connection,
           xmpp::WriteSmFailed("item-not-found", h ? *h : std::nullopt));
}

void SessionResumer::RefuseTooHigh(const Pending& pending, const ResumeOutcome& outcome) {
  Close(pending, xmpp::HandledCountTooHigh(pending.h, static_cast<uint32_t>(outcome.last)));
}

void SessionResumer::Close(const Pending& pending, xmpp::StreamError error) {
  Negotiated answer;
  answer.set_connection(pending.connection);
  answer.set_outcome(Negotiated::CLOSE);
  answer.mutable_error()->set_condition(std::string(xmpp::ConditionName(error.condition)));
  answer.mutable_error()->set_text(std::move(error.text));
  answer.mutable_error()->set_app_condition(std::move(error.app_condition));
  pending.link->SendNegotiated(std::move(answer));
}

}  // namespace business
