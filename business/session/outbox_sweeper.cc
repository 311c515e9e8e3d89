#include "business/session/outbox_sweeper.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "business/session/session_events.h"
#include "business/session/session_resumer.h"
#include "business/session/shard.h"
#include "lib/cluster/redis_keys.h"
#include "lib/runtime/log.h"
#include "lib/runtime/process.h"

namespace business {
namespace {

using cluster::Outbox;
using Due = Outbox::Due;

constexpr std::chrono::milliseconds kInterval{500};
// Whoever takes a hint has so long before others take it, too.
constexpr uint64_t kLeaseMs = 30000;
constexpr uint32_t kAtOnce = 32;  // of one bucket

}  // namespace

// Outlives the sweeper while something of it is under way.
struct OutboxSweeper::Impl : std::enable_shared_from_this<Impl>, runtime::Timer {
  Impl(Shard* s, UndeliveredSink* u)
      : Timer([](Timer* timer) {
          runtime::Spawn(Round(static_cast<Impl*>(timer)->shared_from_this()));
        }),
        shard(s),
        sink(u) {}

  static runtime::Task<void> Round(std::shared_ptr<Impl> self) {
    for (int bucket = 0; bucket < cluster::kDueBuckets; ++bucket) {
      const uint64_t now = cluster::WallClockMs();
      const uint64_t lease_end = now + kLeaseMs;
      const auto due = co_await self->shard->outbox->TakeDue(bucket, now, lease_end, kAtOnce);
      if (self->stopped) co_return;
      if (!due) break;  // Redis is not well: later
      for (const Due& one : *due) {
        co_await self->Deal(one, lease_end);
        if (self->stopped) co_return;
      }
    }
    self->shard->loop->Arm(self.get(), kInterval);
  }

  runtime::Task<void> Deal(Due due, uint64_t lease_end) {
    if (due.session.empty()) {
      shard->outbox->DropDue(due, lease_end);
      co_return;
    }
    const auto expiry = co_await shard->outbox->Expire(due, /*now=*/false);
    if (stopped || !expiry) co_return;
    if (expiry->left_ms > 0) {
      shard->outbox->PutDue(due, cluster::WallClockMs() + expiry->left_ms, [](bool) {});
      co_return;
    }
    if (!expiry->ended) {
      shard->outbox->DropDue(due, lease_end);
      co_return;
    }
    runtime::KillPoint("sweep.after_end");
    const bool dealt = co_await DealWithOutbox(due, *expiry->ended);
    if (!stopped && dealt) shard->outbox->DropDue(due, lease_end);
  }

  runtime::Task<bool> DealWithOutbox(Due due, cluster::SessionRecord row) {
    const auto account = xmpp::BareJid::FromNormalized(due.account);
    const auto entries = co_await shard->outbox->Read(due);
    if (stopped || !entries) co_return false;
    if ((row.flags & cluster::kSessionHibernated) != 0) {
      // Nobody else has told of it: it ended by its time being over.
      shard->metrics->timed_out.Add();
      shard->metrics->ended.Add();
      shard->events->OnSessionEnded(account, row, {});
    }
    shard->metrics->undelivered.Add(entries->size());
    if (!entries->empty()) {
      auto full = xmpp::FullJid::FromNormalized(due.account + "/" + row.resource);
      const bool done = co_await sink->OnUndelivered(std::move(full), *entries);
      if (stopped || !done) co_return false;
      runtime::LogInfo("undelivered", "What an ended session had not confirmed was dealt with.",
                       {{"account", due.account}, {"stanzas", entries->size()}});
    }
    runtime::KillPoint("sweep.before_forget");
    const auto forgotten = co_await shard->outbox->Forget(
        due, StreamManagementId(*shard, account, due.session));
    co_return forgotten.has_value();
  }

  Shard* const shard;
  UndeliveredSink* const sink;
  bool stopped = false;
};

OutboxSweeper::OutboxSweeper(Shard* shard, UndeliveredSink* sink)
    : impl_(std::make_shared<Impl>(shard, sink)) {}

OutboxSweeper::~OutboxSweeper() {
  impl_->stopped = true;
  impl_->Cancel();
}

void OutboxSweeper::Start() { impl_->shard->loop->Arm(impl_.get(), kInterval); }

}  // namespace business
