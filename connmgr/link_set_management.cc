// Stream management: what is written in which order, pulled, and confirmed.
#include <algorithm>
#include <utility>

#include "connmgr/link_set.h"
#include "lib/xmpp/stream_management.h"
#include "proto/connmgr_business.pb.h"

namespace connmgr {
namespace {

using State = LinkSession::State;

// How long a gap may be filled by who is late, before it is pulled.
constexpr std::chrono::milliseconds kLookIn{50};
// A pull that is not answered is repeated.
constexpr uint64_t kPullAgainMs = 2000;
constexpr uint32_t kPullStanzas = 100;
constexpr uint32_t kPullBytes = 256 << 10;
// With less room towards the client nothing is pulled: it reads slowly.
constexpr size_t kLeastRoom = 16 << 10;
constexpr std::chrono::milliseconds kAskIn{500};
// A server that went may have left entries nobody pushes, and Redis a command of it to run.
constexpr std::chrono::milliseconds kDoubtIn{1000};

bool IsElement(std::string_view body, std::string_view start) {
  return body.substr(0, start.size()) == start;
}

}  // namespace

// Without a number: no stanza of a session with stream management, but what turns it on.
TakenOutcome LinkSet::DeliverUnnumbered(LinkSession* session, std::string_view body) {
  if (IsElement(body, "<enabled ")) {
    if (session->sm != nullptr) return TakenOutcome::kTaken;  // said again by another server
    if (session->enable_seq == 0) return TakenOutcome::kNotHere;
    session->sm = std::make_unique<StreamManagement>(session->enable_seq, 0);
    session->client->OnEnabled(body);
    if (session->early) PullNow(session);
    return TakenOutcome::kTaken;
  }
  if (IsElement(body, "<failed ")) {
    session->client->OnNonza(body);
    return TakenOutcome::kTaken;
  }
  // Looked up before stream management was on: its sender looks again, and finds the outbox.
  return TakenOutcome::kNotHere;
}

TakenOutcome LinkSet::DeliverNumbered(LinkSession* session, uint64_t generation, uint64_t out_seq,
                                      const Pushed& pushed) {
  StreamManagement* sm = session->sm.get();
  if (sm == nullptr) {
    if (session->enable_seq == 0) return TakenOutcome::kNotHere;
    session->early = true;  // <enabled/> is on its way
    return TakenOutcome::kTaken;
  }
  if (generation < generation_) {
    // Its number may mean another entry by now: a loss of Redis lies between. Announced anew, the
    // session hears what there is.
    if (!session->unanswered) AnnounceAgain(session);
    return TakenOutcome::kTaken;
  }
  sm->HeardOf(out_seq);
  if (pushed.body.empty()) {
    // The end of what was pulled, or a word that there is something.
    sm->pull_ms = 0;
    if (sm->behind()) PullOrLook(session);
    return TakenOutcome::kTaken;
  }
  if (out_seq <= sm->written()) return TakenOutcome::kTaken;
  if (out_seq > sm->next() || !Fits(*session, pushed.size())) {
    sm->Hold(out_seq, {std::string(pushed.body), pushed.splice_offset, std::string(pushed.to)});
    LookSoon(session);
    return TakenOutcome::kTaken;
  }
  if (!WriteNumbered(session, pushed)) return TakenOutcome::kOverflowed;
  WriteHeld(session);
  return TakenOutcome::kTaken;
}

bool LinkSet::Fits(const LinkSession& session, size_t size) {
  const size_t room = session.client->WriteRoom();
  return size <= room || room == session.client->WriteLimit();
}

// Writes what is held and has become the next.
void LinkSet::WriteHeld(LinkSession* session) {
  StreamManagement& sm = *session->sm;
  while (auto held = sm.TakeNext()) {
    const Pushed pushed{held->body, held->splice_offset, held->to};
    if (!Fits(*session, pushed.size())) {
      sm.DropHeld();  // the client is slow: it is pulled when there is room
      return LookSoon(session);
    }
    if (!WriteNumbered(session, pushed)) return;
  }
}

bool LinkSet::WriteNumbered(LinkSession* session, const Pushed& pushed) {
  StreamManagement& sm = *session->sm;
  const TakenOutcome outcome =
      session->client->OnDeliver(pushed.body, pushed.splice_offset, pushed.to);
  if (outcome != TakenOutcome::kTaken) return false;  // its socket is gone: it hibernates
  sm.Wrote();
  if (sm.ShouldAsk(/*now=*/false)) {
    Ask(session);
  } else if (!std::exchange(sm.ask_late, true)) {
    to_ask_.push_back(session->connection);
    if (!ask_alarm_.armed()) loop_->Arm(&ask_alarm_, kAskIn);
  }
  return true;
}

void LinkSet::Ask(LinkSession* session) {
  session->sm->Asked();
  session->client->OnNonza(xmpp::kSmRequest);
}

void LinkSet::AskLate() {
  for (uint64_t connection : std::exchange(to_ask_, {})) {
    LinkSession* session = Find(connection);
    if (session == nullptr || session->state != State::kBound || session->sm == nullptr) continue;
    session->sm->ask_late = false;
    if (session->sm->ShouldAsk(/*now=*/true)) Ask(session);
  }
}

// --- what is missing

void LinkSet::LookSoon(LinkSession* session) {
  if (std::exchange(session->sm->look, true)) return;
  to_look_.push_back(session->connection);
  if (!look_alarm_.armed()) loop_->Arm(&look_alarm_, kLookIn);
}

void LinkSet::LookAtGaps() {
  for (uint64_t connection : std::exchange(to_look_, {})) {
    LinkSession* session = Find(connection);
    if (session == nullptr || session->state != State::kBound || session->sm == nullptr) continue;
    session->sm->look = false;
    PullOrLook(session);
  }
}

// Whether it has the session still, and all that there is, Redis knows.
void LinkSet::PullNow(LinkSession* session) {
  session->sm->force = true;
  PullOrLook(session);
}

void LinkSet::PullOrLook(LinkSession* session) {
  StreamManagement& sm = *session->sm;
  WriteHeld(session);
  if (session->state != State::kBound || (!sm.behind() && !sm.force)) return;
  const uint64_t now = loop_->NowMs();
  const size_t room = session->client->WriteRoom();
  const bool asked = sm.pull_ms != 0 && now - sm.pull_ms < kPullAgainMs;
  if (asked || !session->attached || room < kLeastRoom || !session->home->has_room()) {
    return LookSoon(session);
  }
  sm.pull_ms = now;
  sm.force = false;
  session->home->SendPull(*session, kPullStanzas,
                          static_cast<uint32_t>(std::min<size_t>(room, kPullBytes)));
  LookSoon(session);
}

void LinkSet::DoubtHints() {
  if (!doubt_alarm_.armed()) loop_->Arm(&doubt_alarm_, kDoubtIn);
}

void LinkSet::PullAll() {
  for (auto& [number, session] : sessions_) {
    if (session->state != State::kBound || session->sm == nullptr) continue;
    session->sm->force = true;
    LookSoon(session.get());
  }
}

// --- the client's words

bool LinkSet::IsManaged(uint64_t connection) const {
  const LinkSession* session = Find(connection);
  return session != nullptr && session->sm != nullptr;
}

bool LinkSet::MayEnable(uint64_t connection) const {
  const LinkSession* session = Find(connection);
  return session != nullptr && session->enable_seq == 0;
}

uint32_t LinkSet::HandledCount(uint64_t connection) const {
  const LinkSession* session = Find(connection);
  if (session == nullptr || session->sm == nullptr) return 0;
  return session->sm->Count(session->window.accepted());
}

void LinkSet::AnswerRequest(uint64_t connection) {
  LinkSession* session = Find(connection);
  if (session == nullptr || session->sm == nullptr || session->client == nullptr) return;
  StreamManagement& sm = *session->sm;
  // One that is asked again, or has nothing under way, is told how far we are.
  const bool now = session->window.empty() || sm.answer_at != 0;
  sm.answer_at = session->window.empty() ? 0 : session->window.next_in_seq() - 1;
  if (now) session->client->OnNonza(xmpp::WriteSmAnswer(sm.Count(session->window.accepted())));
}

// Accepted has advanced.
void LinkSet::AnswerIfDue(LinkSession* session) {
  StreamManagement* sm = session->sm.get();
  if (sm == nullptr || sm->answer_at == 0 || session->client == nullptr) return;
  if (session->window.accepted() < sm->answer_at) return;
  sm->answer_at = 0;
  session->client->OnNonza(xmpp::WriteSmAnswer(sm->Count(session->window.accepted())));
}

std::optional<uint32_t> LinkSet::Confirm(uint64_t connection, uint32_t h) {
  LinkSession* session = Find(connection);
  if (session == nullptr || session->sm == nullptr) return std::nullopt;
  switch (session->sm->Confirm(h)) {
    case StreamManagement::Confirmation::kNew:
      // Not attached: the announcement says it.
      if (session->attached) session->home->SendClientAck(*session);
      break;
    case StreamManagement::Confirmation::kOld:
      break;
    case StreamManagement::Confirmation::kTooHigh:
      return session->sm->Sent();
  }
  return std::nullopt;
}

}  // namespace connmgr
