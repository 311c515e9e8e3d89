#include "business/history/archive_sweeper.h"

#include <utility>

#include "business/message/message_metrics.h"
#include "lib/cluster/outbox.h"
#include "lib/runtime/task.h"

namespace business {

struct ArchiveSweeper::State {
  runtime::EventLoop* loop;
  std::unique_ptr<ArchiveStore> archives;
  Options options;
  bool stopped = false;
};

namespace {

template <typename State>
void Next(std::shared_ptr<State> state, std::chrono::milliseconds in);

template <typename State>
runtime::Task<void> Step(std::shared_ptr<State> state) {
  const std::chrono::milliseconds kept = state->options.retention;
  const int64_t before_ms =
      kept.count() == 0 ? 0 : static_cast<int64_t>(cluster::WallClockMs()) - kept.count();
  const auto removed = co_await state->archives->Sweep(before_ms, state->options.step);
  if (removed) MessageMetrics::Get().archive_swept.Add(*removed);
  const bool more = removed && *removed >= state->options.step;
  Next(state, more ? state->options.pause : state->options.interval);
}

template <typename State>
void Next(std::shared_ptr<State> state, std::chrono::milliseconds in) {
  state->loop->RunAfter(in, [state] {
    if (!state->stopped) runtime::Spawn(Step(state));
  });
}

}  // namespace

ArchiveSweeper::ArchiveSweeper(runtime::EventLoop* loop, std::unique_ptr<ArchiveStore> archives,
                               Options options)
    : state_(std::make_shared<State>()) {
  state_->loop = loop;
  state_->archives = std::move(archives);
  state_->options = options;
  Next(state_, options.interval);
}

ArchiveSweeper::~ArchiveSweeper() { state_->stopped = true; }

}  // namespace business
