#include "business/history/stored_deliveries.h"

#include <chrono>
#include <memory>
#include <utility>

#include "business/routing/session_delivery.h"
#include "business/session/shard.h"
#include "lib/runtime/process.h"

namespace business {
namespace {

constexpr std::chrono::seconds kDeadline{30};

// Held by every callback.
struct Progress {
  std::vector<bool> taken;
  size_t open;
  runtime::OneShot<bool> over;

  void One(size_t which, bool was_taken) {
    taken[which] = was_taken;
    if (--open == 0) End();
  }
  void End() {
    if (!over.is_set()) over.Set(true);
  }
};

bool IsTaken(const std::vector<DeliverOutcome>& outcomes) {
  return !outcomes.empty() && (outcomes.front() == DeliverOutcome::kTaken ||
                               outcomes.front() == DeliverOutcome::kBehind);
}

}  // namespace

runtime::Task<std::vector<bool>> DeliverStored(SessionPtr session,
                                               std::vector<StoredDelivery> deliveries) {
  if (deliveries.empty()) co_return std::vector<bool>();
  Shard& shard = session->shard();
  auto progress = std::make_shared<Progress>();
  progress->taken.assign(deliveries.size(), false);
  progress->open = deliveries.size();
  runtime::KillPoint("stored.before_deliver");
  shard.metrics->StanzasOut(xmpp::StanzaKind::kMessage).Add(deliveries.size());
  for (size_t i = 0; i < deliveries.size(); ++i) {
    if (session->managed()) {
      DeliverToSession(*session, std::move(deliveries[i].body), std::move(deliveries[i].to),
                       std::move(deliveries[i].effect), 0, [progress, i] { progress->One(i, true); });
      continue;
    }
    std::vector<DeliverTarget> targets(1);
    targets.front().owner = session->record.owner;
    targets.front().to = std::move(deliveries[i].to);
    targets.front().effect = std::move(deliveries[i].effect);
    shard.links->Deliver(std::move(deliveries[i].body), std::move(targets),
                         [progress, i](const std::vector<DeliverOutcome>& outcomes) {
                           progress->One(i, IsTaken(outcomes));
                         });
  }
  shard.links->AskTaken();
  shard.loop->RunAfter(kDeadline, [progress] { progress->End(); });
  runtime::OneShot<bool>& over = progress->over;
  co_await over;
  co_return progress->taken;
}

}  // namespace business
