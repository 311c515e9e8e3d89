#include "connmgr/link_set.h"

#include <algorithm>
#include <utility>

#include "connmgr/stanza_envelope.h"
#include "lib/runtime/check.h"
#include "lib/runtime/log.h"
#include "proto/connmgr_business.pb.h"

namespace connmgr {
namespace {

using State = LinkSession::State;

constexpr uint64_t kRepeatClosedMs = 5000;
// More than this many sessions whose end nobody confirms: the oldest are forgotten, their rows are
// ended by the reaper or by the next delivery that finds nobody here (R7).
constexpr size_t kMaxClosing = 100000;
constexpr uint32_t kMovesPerSecond = 500;

}  // namespace

std::unique_ptr<BusinessLinks> BusinessLinks::Create(runtime::EventLoop* loop, Options options) {
  return std::make_unique<LinkSet>(loop, std::move(options));
}

LinkSet::LinkSet(runtime::EventLoop* loop, Options options)
    : loop_(loop),
      options_(std::move(options)),
      client_(runtime::RpcClient::Create(loop, options_.credentials)),
      discovery_(loop, options_.addresses, options_.resolve,
                 [this](const std::vector<BusinessAddress>& found) { OnDiscovered(found); }),
      moves_(kMovesPerSecond, /*now_ms=*/0) {}

LinkSet::~LinkSet() = default;

void LinkSet::Start() {
  loop_->AssertInLoop();
  dead_since_ms_ = loop_->NowMs();
  discovery_.Start();
}

LinkSession* LinkSet::Find(uint64_t connection) const {
  const auto it = sessions_.find(connection);
  return it == sessions_.end() ? nullptr : it->second.get();
}

uint64_t LinkSet::Register(LinkClient* client) {
  loop_->AssertInLoop();
  const uint64_t number = static_cast<uint64_t>(loop_->index()) << 56 | ++next_number_;
  auto session = std::make_unique<LinkSession>(number, client);
  session->negotiation = std::make_unique<LinkSession::Negotiation>();
  sessions_.emplace(number, std::move(session));
  return number;
}

void LinkSet::Forget(uint64_t connection, std::string_view reason, bool resumable) {
  loop_->AssertInLoop();
  LinkSession* session = Find(connection);
  if (session == nullptr) return;
  switch (session->state) {
    case State::kNegotiating:
      if (BusinessLink* link = session->negotiation->opened_at; link != nullptr) {
        link->SendClosedUnbound(connection, reason);
      }
      return Erase(session);
    case State::kOver:
      return Erase(session);
    case State::kClosing:
      return;
    case State::kBound:
      break;
  }
  // It may be among what is owed, whoever it came from.
  for (const auto& link : links_) link->AnswerNow();
  session->client = nullptr;
  resumable = resumable && session->sm != nullptr;
  session->state = State::kClosing;
  session->misplaced = false;
  session->closing =
      std::make_unique<LinkSession::Closing>(LinkSession::Closing{std::string(reason), resumable});
  --bound_;
  ++closing_;
  CloseAtHome(session);
}

// Says Closed, now or when the home is told of the session, and again until Ended comes.
void LinkSet::CloseAtHome(LinkSession* session) {
  if (session->attached) session->home->SendClosed(*session);
  closing_repeats_.push_back({session->connection, loop_->NowMs() + kRepeatClosedMs});
  if (closing_repeats_.size() > kMaxClosing) {
    LinkSession* oldest = Find(closing_repeats_.front().connection);
    closing_repeats_.pop_front();
    if (oldest != nullptr && oldest->state == State::kClosing) Erase(oldest);
  }
  if (!repeat_alarm_.armed()) {
    loop_->Arm(&repeat_alarm_, std::chrono::milliseconds(kRepeatClosedMs));
  }
}

void LinkSet::RepeatClosed() {
  const uint64_t now = loop_->NowMs();
  while (!closing_repeats_.empty() && closing_repeats_.front().due_ms <= now) {
    const uint64_t connection = closing_repeats_.front().connection;
    closing_repeats_.pop_front();
    LinkSession* session = Find(connection);
    if (session == nullptr || session->state != State::kClosing) continue;
    // Where there is no room, it is said at the next occasion.
    if (session->attached && session->home->has_room()) session->home->SendClosed(*session);
    closing_repeats_.push_back({connection, now + kRepeatClosedMs});
  }
  if (closing_repeats_.empty()) return;
  loop_->Arm(&repeat_alarm_, std::chrono::milliseconds(closing_repeats_.front().due_ms - now));
}

void LinkSet::Erase(LinkSession* session) {
  unaccepted_ -= session->window.size();
  if (session->state == State::kBound) --bound_;
  if (session->state == State::kClosing) --closing_;
  sessions_.erase(session->connection);
}

BusinessLinks::Window LinkSet::Submit(uint64_t connection, const xmpp::Stanza& stanza) {
  LinkSession* session = Find(connection);
  CHECK(session != nullptr);
  if (session->state == State::kOver) return Window::kOpen;  // its stream is about to notice
  CHECK(session->state == State::kBound);
  if (stanza.kind == xmpp::StanzaKind::kNonza) session->enable_seq = session->window.next_in_seq();
  SubmissionWindow::Kept& kept = session->window.Push(WriteEnvelope(stanza));
  ++unaccepted_;
  // Not attached: it goes with the announcement.
  if (session->attached) {
    session->home->SendSubmit(*session, session->window.next_in_seq() - 1, kept,
                              session->WindowPresses(options_.limits));
  }
  if (!session->WindowFull(options_.limits)) return Window::kOpen;
  session->told_full = true;
  return Window::kFull;
}

uint32_t LinkSet::Unaccepted(uint64_t connection) const {
  const LinkSession* session = Find(connection);
  return session == nullptr ? 0 : session->window.size();
}

int LinkSet::up() const {
  return static_cast<int>(
      std::count_if(links_.begin(), links_.end(), [](const auto& link) { return link->up(); }));
}

BusinessLinks::Stats LinkSet::stats() const {
  Stats stats = stats_;
  stats.frames_out = link_counters_.frames_out.value();
  stats.items_out = link_counters_.items_out.value();
  stats.bytes_out = link_counters_.bytes_out.value();
  stats.frames_in = link_counters_.frames_in.value();
  stats.items_in = link_counters_.items_in.value();
  return stats;
}

}  // namespace connmgr
