#include "business/routing/session_delivery.h"

#include <chrono>
#include <utility>
#include <vector>

#include "business/session/backoff.h"
#include "business/session/ownership_guard.h"
#include "business/session/session_events.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "lib/runtime/process.h"

namespace business {
namespace {

using cluster::AppendResult;
using Append = AppendResult::Outcome;

constexpr std::chrono::milliseconds kTryAgainIn{200};
// Words to managers that do not arrive: longer than it takes to lose and find a manager.
constexpr int kWords = 100;

struct Delivery {
  SessionPtr session;
  DeliverBody body;
  std::string to, effect;
  uint64_t in_seq;
  absl::AnyInvocable<void()> done;
};
using DeliveryPtr = std::shared_ptr<Delivery>;

void AppendIt(const DeliveryPtr& delivery);

DeliverTarget TargetIn(const Session& session, std::string to, std::string effect) {
  return {.owner = session.record.owner,
          .out_seq = 0,
          .to = std::move(to),
          .effect = std::move(effect)};
}

// Nobody took a push: whoever holds the session by now is told that there is something.
runtime::Task<void> TellHolder(Shard* shard, xmpp::BareJid account, std::string session,
                               uint64_t out_seq) {
  Backoff backoff(shard->loop);
  for (int word = 0; word < kWords; ++word) {
    co_await backoff.Pause();
    const auto rows = co_await shard->registry->Lookup(account);
    if (!rows) continue;
    const cluster::SessionRecord* row = nullptr;
    for (const cluster::SessionRecord& one : *rows) {
      if (one.session == session) row = &one;
    }
    // Who resumes it reads all that there is.
    if (row == nullptr || (row->flags & cluster::kSessionHibernated) != 0) co_return;
    std::vector<DeliverTarget> targets;
    targets.push_back({.owner = row->owner,
                       .out_seq = out_seq,
                       .to = {},
                       .effect = {},
                       .generation = row->announced_generation});
    runtime::OneShot<DeliverOutcome> answered;
    shard->links->Deliver({}, std::move(targets),
                          [&answered](const std::vector<DeliverOutcome>& outcomes) {
                            answered.Set(outcomes.front());
                          });
    const DeliverOutcome outcome = co_await answered;
    if (outcome == DeliverOutcome::kTaken) co_return;
  }
}

void OnAppended(const DeliveryPtr& delivery, const AppendResult* result) {
  Session& session = *delivery->session;
  if (session.gone()) return;
  if (result != nullptr) {
    switch (result->outcome) {
      case Append::kFull:
        PartFromFullOutbox(&session.shard(), session.account(), session.record);
        [[fallthrough]];
      case Append::kAppended:
      case Append::kSeen: {
        runtime::KillPoint("append.after");
        OutboxPush push(&session.shard(), session.account());
        push.Add(session.record,
                 TargetIn(session, std::move(delivery->to), std::move(delivery->effect)),
                 result->out_seq, result->outcome != Append::kSeen);
        push.Send(std::move(delivery->body));
        if (delivery->done) delivery->done();
        return;
      }
      case Append::kOver:
        // It is losing its socket already; what is over the bound waits until it has lost it.
        PartFromFullOutbox(&session.shard(), session.account(), session.record);
        break;
      case Append::kGone:
        // Resumed elsewhere, ended, or Redis lost it: the guard finds out.
        session.shard().guard->Require(delivery->session);
        break;
    }
  }
  session.shard().loop->RunAfter(kTryAgainIn, [delivery] {
    if (!delivery->session->gone()) AppendIt(delivery);
  });
}

void AppendIt(const DeliveryPtr& delivery) {
  Session& session = *delivery->session;
  cluster::OutboxEntry entry;
  entry.stanza_class = delivery->body.stanza_class;
  entry.kind = delivery->body.kind;
  entry.flags = delivery->body.flags;
  entry.effect = delivery->effect;
  entry.body = delivery->body.bytes;
  std::vector<cluster::OutboxTarget> targets;
  targets.push_back({session.record.resource, session.record.session, delivery->to, {}});
  session.shard().outbox->Append(
      session.account(), OriginOf(session, delivery->in_seq), entry, targets,
      [delivery](runtime::Result<std::vector<AppendResult>> results) {
        OnAppended(delivery, results ? &results->front() : nullptr);
      });
}

runtime::Task<void> EndOverflowed(Shard* shard, xmpp::BareJid account,
                                  cluster::SessionRecord row) {
  const cluster::Outbox::Due due{account.ToString(), row.session, row.resource};
  runtime::OneShot<bool> hinted;
  shard->outbox->PutDue(due, cluster::WallClockMs(), [&hinted](bool ok) { hinted.Set(ok); });
  const bool left = co_await hinted;
  if (!left) co_return;
  // Whoever takes the hint deals with the outbox.
  const auto expiry = co_await shard->outbox->Expire(due, /*now=*/true);
  if (expiry && expiry->ended) {
    shard->events->OnSessionEnded(account, *expiry->ended, {});
  }
}

}  // namespace

void DeliverToSession(Session& session, DeliverBody body, std::string to, std::string effect,
                      uint64_t in_seq, absl::AnyInvocable<void()> done) {
  Shard& shard = session.shard();
  runtime::KillPoint("route.before_deliver");
  if (session.managed()) {
    AppendIt(std::make_shared<Delivery>(Delivery{session.shared_from_this(), std::move(body),
                                                 std::move(to), std::move(effect), in_seq,
                                                 std::move(done)}));
    return;
  }
  std::vector<DeliverTarget> targets;
  targets.push_back(TargetIn(session, std::move(to), std::move(effect)));
  ManagerLinks::Done answered;
  if (done) {
    answered = [done = std::move(done)](const std::vector<DeliverOutcome>&) mutable { done(); };
  }
  shard.links->Deliver(std::move(body), std::move(targets), std::move(answered));
}

cluster::OutboxOrigin OriginOf(const Session& session, uint64_t in_seq) {
  if (in_seq == 0) return {};
  return {session.record.session, in_seq, session.accepted(), in_seq <= session.resubmitted};
}

void OutboxPush::Add(const cluster::SessionRecord& row, DeliverTarget target, uint64_t out_seq,
                     bool appended) {
  if ((row.flags & cluster::kSessionHibernated) != 0) return;
  target.out_seq = out_seq;
  target.generation = row.announced_generation;
  Part& part = appended ? pushed_ : told_;
  part.targets.push_back(std::move(target));
  part.sessions.push_back(row.session);
}

void OutboxPush::Send(DeliverBody body) {
  if (!pushed_.targets.empty()) Deliver(std::move(body), std::move(pushed_));
  if (!told_.targets.empty()) Deliver({}, std::move(told_));
}

void OutboxPush::Deliver(DeliverBody body, Part part) {
  std::vector<uint64_t> numbers;
  for (const DeliverTarget& target : part.targets) numbers.push_back(target.out_seq);
  shard_->links->Deliver(
      std::move(body), std::move(part.targets),
      [shard = shard_, account = account_, numbers = std::move(numbers),
       sessions = std::move(part.sessions)](const std::vector<DeliverOutcome>& outcomes) {
        for (size_t i = 0; i < outcomes.size(); ++i) {
          if (outcomes[i] == DeliverOutcome::kTaken) continue;
          runtime::Spawn(TellHolder(shard, account, sessions[i], numbers[i]));
        }
      });
}

runtime::Task<void> ForgetOfflineRow(Shard* shard, xmpp::BareJid account, std::string effect) {
  if (shard->stores == nullptr || !shard->stores->offline) co_return;
  // Nearly always there is none: a look costs no commit.
  const auto waiting = co_await shard->stores->offline->Count(account);
  if (waiting && waiting->messages == 0) co_return;
  const std::vector<std::string> effects(1, std::move(effect));
  const auto removed = co_await shard->stores->offline->Remove(account, effects);
  (void)removed;  // else it comes once more
}

void PartFromFullOutbox(Shard* shard, const xmpp::BareJid& account,
                        const cluster::SessionRecord& row) {
  shard->metrics->overflowed.Add();
  if ((row.flags & cluster::kSessionHibernated) != 0) {
    runtime::Spawn(EndOverflowed(shard, account, row));
  } else {
    shard->links->Close(row.owner, {xmpp::StreamCondition::kResourceConstraint,
                                    "too much is not confirmed", {}});
  }
}

}  // namespace business
