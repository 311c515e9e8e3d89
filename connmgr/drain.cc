#include "connmgr/drain.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "lib/runtime/log.h"

namespace connmgr {
namespace {

constexpr std::chrono::milliseconds kTick{50};
constexpr uint32_t kAtOnce = 1'000'000;  // a second: no pace at all

// Of the deadline: until when windows are waited for, and until when the process is gone. What is
// between is for farewells and for the business tier's confirmations.
constexpr double kGiveUpAt = 0.8;
constexpr double kFinishAt = 0.95;

uint64_t Part(std::chrono::milliseconds deadline, double part) {
  return static_cast<uint64_t>(static_cast<double>(deadline.count()) * part);
}

}  // namespace

Drain::Drain(std::vector<ConnmgrLoop*> loops, const Settings& settings, runtime::Health& health)
    : runtime::Timer([](runtime::Timer* timer) { static_cast<Drain*>(timer)->Ask(); }),
      loops_(std::move(loops)),
      settings_(settings),
      health_(health),
      holding_(loops_.size()) {}

// `work(loop, index)` runs on each loop.
template <typename Work>
void Drain::OnEachLoop(Work work) {
  for (size_t i = 0; i < loops_.size(); ++i) {
    loops_[i]->loop().Post([work, loop = loops_[i], i] { work(*loop, i); });
  }
}

// At once if this is the first loop: the answer to a POST tells the state that it made.
void Drain::AtHome(runtime::Callback work) {
  if (home().InLoop()) return work();
  home().Post(std::move(work));
}

void Drain::SetListeners(std::vector<ListenerSettings> listeners) {
  home().AssertInLoop();
  listeners_ = std::move(listeners);
}

void Drain::Begin() {
  AtHome([this] {
    if (state_ == State::kServing) BeginNotice();
  });
}

void Drain::Undo() {
  AtHome([this] {
    if (state_ == State::kServing || state_ == State::kGone || gone_) return;
    Cancel();
    if (state_ != State::kNotice) {
      OnEachLoop([listeners = listeners_](ConnmgrLoop& loop, size_t) {
        loop.StopEndingStreams();
        auto again = listeners;
        loop.OpenListeners(again);
      });
    }
    SetState(State::kServing);
    health_.ClearNotReady("draining");
  });
}

void Drain::Terminate(absl::AnyInvocable<void()> gone) {
  AtHome([this, gone = std::move(gone)]() mutable {
    if (gone_ || state_ == State::kGone) return;
    gone_ = std::move(gone);
    finish_ms_ = Now() + Part(settings_.drain_deadline, kFinishAt);
    if (state_ == State::kServing) BeginNotice();
    give_up_ms_ = std::min(give_up_ms_, Now() + Part(settings_.drain_deadline, kGiveUpAt));
    // Nobody was let in yet, or everybody has left.
    if (listeners_.empty()) notice_until_ms_ = 0;
    if (state_ == State::kDrained) return Finish();
    Ask();
  });
}

void Drain::BeginNotice() {
  health_.SetNotReady("draining", "since " + std::to_string(std::time(nullptr)));
  SetState(State::kNotice);
  hurried_ = told_ = false;
  notice_until_ms_ = Now() + static_cast<uint64_t>(settings_.drain_notice.count());
  give_up_ms_ = Now() + Part(settings_.drain_deadline, kGiveUpAt);
  home().Arm(this, kTick);
}

void Drain::BeginEnding() {
  SetState(State::kEnding);
  OnEachLoop([](ConnmgrLoop& loop, size_t) { loop.CloseListeners(); });
}

// Each loop its share of the pace, and a quicker pace where the time would not do.
void Drain::EndStreams() {
  told_ = true;
  size_t total = 0;
  for (const Holding& h : holding_) total += h.streams;
  if (total == 0) return;
  const uint64_t left = give_up_ms_ > Now() ? give_up_ms_ - Now() : 1;
  const double pace = std::max(static_cast<double>(settings_.drain_pace),
                               1.25 * 1000 * static_cast<double>(total) / static_cast<double>(left));
  OnEachLoop([holding = holding_, total, pace, left](ConnmgrLoop& loop, size_t i) {
    const double share = static_cast<double>(holding[i].streams) / static_cast<double>(total);
    loop.EndStreams(static_cast<uint32_t>(pace * share) + 1, std::chrono::milliseconds(left));
  });
}

void Drain::Ask() {
  if (state_ == State::kNotice && Now() >= notice_until_ms_) BeginEnding();
  if (state_ == State::kNotice || state_ == State::kServing || state_ == State::kGone) {
    if (state_ == State::kNotice) home().Arm(this, kTick);
    return;
  }
  if (asked_ != 0) return;  // a loop is slow to answer: its answer carries on
  asked_ = loops_.size();
  OnEachLoop([this](ConnmgrLoop& loop, size_t i) {
    const Holding holding{loop.streams(), loop.links().closing()};
    home().Post([this, i, holding] {
      holding_[i] = holding;
      if (--asked_ == 0) Evaluate();
    });
  });
}

void Drain::Evaluate() {
  if (state_ != State::kEnding) return;
  size_t streams = 0;
  uint64_t closing = 0;
  for (const Holding& h : holding_) {
    streams += h.streams;
    closing += h.closing;
  }
  if (streams == 0 && closing == 0) {
    SetState(State::kDrained);
    if (gone_) Finish();
    return;
  }
  if (gone_ && Now() >= finish_ms_) {
    runtime::LogWarn("drain_deadline", "Leaving although something is left.",
                     {{"streams", streams}, {"closing", closing}});
    return Finish();
  }
  if (!told_) EndStreams();
  if (gone_ && !hurried_ && Now() >= give_up_ms_) {
    hurried_ = true;
    OnEachLoop([](ConnmgrLoop& loop, size_t) {
      loop.EndStreams(kAtOnce, std::chrono::milliseconds(0));
    });
  }
  home().Arm(this, kTick);
}

void Drain::Finish() {
  Cancel();
  SetState(State::kGone);
  gone_();
}

void Drain::SetState(State next) {
  state_.store(next, std::memory_order_relaxed);
  runtime::LogInfo("drain", "The drain goes on.", {{"state", Name(next)}});
}

std::string Drain::Json() const {
  uint64_t connections = 0, sessions = 0, closing = 0, unaccepted = 0;
  for (ConnmgrLoop* loop : loops_) {
    const LoopCounters& counters = loop->counters();
    for (const auto& phases : counters.connections) {
      for (const LoopCounter& gauge : phases) connections += gauge.value();
    }
    sessions += counters.sessions.value();
    closing += counters.closing_sessions.value();
    unaccepted += counters.unaccepted.value();
  }
  return std::string("{\"state\":\"") + Name(state()) +
         "\",\"connections\":" + std::to_string(connections) +
         ",\"sessions\":" + std::to_string(sessions) + ",\"closing\":" + std::to_string(closing) +
         ",\"unaccepted\":" + std::to_string(unaccepted) + "}\n";
}

const char* Name(Drain::State state) {
  switch (state) {
    case Drain::State::kServing: return "serving";
    case Drain::State::kNotice: return "notice";
    case Drain::State::kEnding: return "ending";
    case Drain::State::kDrained: return "drained";
    case Drain::State::kGone: return "gone";
  }
  return "";
}

}  // namespace connmgr
