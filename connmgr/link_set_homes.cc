// Links come and go, sessions follow: each one's home is the first usable business server in
// rendezvous order of its account.
#include <algorithm>
#include <set>
#include <utility>

#include "connmgr/link_set.h"
#include "lib/cluster/rendezvous.h"
#include "lib/runtime/log.h"
#include "proto/connmgr_business.pb.h"

namespace connmgr {
namespace {

using State = LinkSession::State;

// After a loss or a new generation nothing moves that need not.
constexpr uint64_t kStormMs = 2000;
// A server that came is trusted with sessions of others after this time.
constexpr auto kSettleTime = std::chrono::milliseconds(2000);
constexpr auto kSweepTick = std::chrono::milliseconds(64);
constexpr int kLooksPerTick = 1000;
// Without any business server for so long, ends are not confirmed any more: the reaper ends what
// this manager does not announce.
constexpr auto kGiveUpClosing = std::chrono::milliseconds(60000);

}  // namespace

void LinkSet::OnDiscovered(const std::vector<BusinessAddress>& addresses) {
  for (auto& link : links_) {
    link->retired = std::none_of(addresses.begin(), addresses.end(), [&](const auto& found) {
      return found.address == link->address();
    });
  }
  // A link that is up stays as long as it lasts.
  std::erase_if(links_, [](const auto& link) {
    return link->retired && (link->state() == BusinessLink::State::kWaiting ||
                             link->state() == BusinessLink::State::kConnecting);
  });
  for (const BusinessAddress& found : addresses) {
    const bool known = std::any_of(links_.begin(), links_.end(), [&](const auto& link) {
      return link->address() == found.address;
    });
    if (known) continue;
    links_.push_back(std::make_unique<BusinessLink>(
        BusinessLink::Parts{loop_, client_.get(), &link_counters_, this}, found.address,
        found.server_name));
    links_.back()->Dial();
  }
}

xylem::v1::Hello LinkSet::OwnHello() {
  xylem::v1::Hello hello;
  hello.set_instance(options_.instance);
  hello.set_incarnation(options_.incarnation);
  hello.set_loop(static_cast<uint32_t>(loop_->index()));
  hello.set_redis_generation(generation_);
  return hello;
}

// Of two links to one server the newer stays, as it does for the server. The older one's process is
// gone and it has not noticed, or its address is a second way to the same process.
void LinkSet::OnLinkUp(BusinessLink* link, const xylem::v1::Hello& hello) {
  for (auto& other : links_) {
    if (other.get() == link || !other->up() || other->instance() != link->instance()) continue;
    other->spare = other->incarnation() == link->incarnation();
    other->Lose("its successor is here");
  }
  runtime::LogInfo("link_up", "Linked to a business server.",
                   {{"address", link->address()}, {"instance", link->instance()}});
  NoteDomains();
  NoteGeneration(hello.redis_generation());
  DoubtHints();  // what it could not push while there was no link
  RefreshUsable();
  Resettle();
  ScheduleSweep();
}

void LinkSet::OnLinkDown(BusinessLink* link, bool was_up) {
  std::vector<uint64_t> negotiating;
  if (was_up) {
    ++stats_.links_lost;
    DoubtHints();
    storm_until_ms_ = loop_->NowMs() + kStormMs;
    for (auto& [number, session] : sessions_) {
      if (session->home == link) SetHome(session.get(), nullptr);
      if (session->negotiation != nullptr && session->negotiation->opened_at == link) {
        session->negotiation->opened_at = nullptr;
        session->negotiation->exchange = false;
        session->negotiation->own_answers = 0;
        negotiating.push_back(number);
      }
    }
  }
  if (!link->spare) {
    for (auto& other : links_) {
      if (other->spare && other->instance() == link->instance()) other->DialSoon();
    }
  }
  if (link->retired) {
    std::erase_if(links_, [link](const auto& one) { return one.get() == link; });
  }
  RefreshUsable();
  if (!was_up) return;
  NoteDomains();
  Resettle();
  ScheduleSweep();
  for (uint64_t number : negotiating) {
    if (LinkSession* session = Find(number); session != nullptr && session->client != nullptr) {
      session->client->OnNegotiationLost();
    }
  }
}

void LinkSet::RefreshUsable() {
  usable_.clear();
  usable_names_.clear();
  bool any_up = false;
  for (auto& link : links_) {
    any_up |= link->up();
    if (!link->up() || link->draining) continue;
    usable_.push_back(link.get());
    usable_names_.push_back(link->instance());
  }
  if (any_up) {
    dead_since_ms_ = 0;
    give_up_alarm_.Cancel();
  } else if (dead_since_ms_ == 0) {
    dead_since_ms_ = loop_->NowMs();
    loop_->Arm(&give_up_alarm_, kGiveUpClosing);
  }
}

void LinkSet::GiveUpClosing() {
  if (closing_ > 0) {
    runtime::LogWarn("closing_given_up", "No business server for a minute; ends stay unconfirmed.",
                     {{"sessions", closing_}});
  }
  closing_repeats_.clear();
  std::vector<LinkSession*> ended;
  for (auto& [number, session] : sessions_) {
    if (session->state == State::kClosing) ended.push_back(session.get());
  }
  for (LinkSession* session : ended) Erase(session);
  // Who closes from now on, while still nobody is there, waits as long.
  loop_->Arm(&give_up_alarm_, kGiveUpClosing);
}

std::string LinkSet::HomeKey(const LinkSession& session) const {
  if (!session.account.empty()) return session.account;
  return options_.instance + "/" + std::to_string(session.connection);
}

BusinessLink* LinkSet::ChooseHome(const LinkSession& session) const {
  if (usable_.size() == 1) return usable_.front();
  const int index = cluster::RendezvousChoose(usable_names_, HomeKey(session));
  return index < 0 ? nullptr : usable_[static_cast<size_t>(index)];
}

// Of a session: raises its turn (R5), and has it announced to `link`, or to nobody yet.
void LinkSet::SetHome(LinkSession* session, BusinessLink* link) {
  session->home = link;
  session->attached = false;
  session->unanswered = false;
  session->misplaced = false;
  if (link == nullptr) return;
  ++session->turn;
  ++stats_.rehomed;
  link->to_announce.push_back(session->connection);
  loop_->ScheduleTurnEnd(&announce_end_);
}

// At a quiet moment: nothing is unaccepted.
void LinkSet::Move(LinkSession* session, BusinessLink* to) {
  session->home->SendMoved(session->connection, session->epoch);
  SetHome(session, to);
}

void LinkSet::MoveIfQuiet(LinkSession* session) {
  session->misplaced = false;
  if (session->state != State::kBound || session->home == nullptr) return;
  BusinessLink* preferred = ChooseHome(*session);
  if (preferred == nullptr || preferred == session->home) return;
  // From a server that leaves, at once; back to a better one, at leisure.
  const bool may_move = session->attached && session->window.empty() && !session->ticket.empty() &&
                        (session->home->draining || (!storm() && moves_.TryTake(loop_->NowMs())));
  if (may_move) return Move(session, preferred);
  session->misplaced = true;
}

// The set of usable servers changed: nobody stays without a home who can have one, and nobody who
// can leave stays where a server leaves.
void LinkSet::Resettle() {
  if (usable_.empty()) return;
  for (auto& [number, session] : sessions_) {
    switch (session->state) {
      case State::kNegotiating:
        SendWaiting(session.get());
        break;
      case State::kBound:
      case State::kClosing:
        if (session->home == nullptr) {
          SetHome(session.get(), ChooseHome(*session));
        } else if (session->home->draining) {
          MoveIfQuiet(session.get());
        }
        break;
      case State::kOver:
        break;
    }
  }
}

// One server may hear of a change a second before the others: what any of them serves is served.
void LinkSet::NoteDomains() {
  std::set<std::string> all;
  bool any_up = false;
  for (const auto& link : links_) {
    if (!link->up()) continue;
    any_up = true;
    all.insert(link->domains.begin(), link->domains.end());
  }
  std::vector<std::string> domains(all.begin(), all.end());
  if (!any_up || domains == domains_) return;
  domains_ = std::move(domains);
  if (on_domains_) on_domains_(domains_);
}

void LinkSet::NoteGeneration(uint64_t generation) {
  if (generation <= generation_) return;
  generation_ = generation;
  storm_until_ms_ = loop_->NowMs() + kStormMs;
  for (auto& [number, session] : sessions_) AnnounceAgain(session.get());
}

// To the home it has; what is submitted meanwhile follows the announcement.
void LinkSet::AnnounceAgain(LinkSession* session) {
  if (!session->attached) return;  // not bound, or it will be announced anyway
  session->attached = false;
  session->home->to_announce.push_back(session->connection);
  loop_->ScheduleTurnEnd(&announce_end_);
}

void LinkSet::AnnounceWhatFits() {
  for (auto& link : links_) FillLink(link.get());
}

void LinkSet::OnLinkRoom(BusinessLink* link) { FillLink(link); }

// As far as its queue has room: thousands of announcements go by the batch, in the time the peer
// takes them.
void LinkSet::FillLink(BusinessLink* link) {
  while (link->has_room() && !link->to_announce.empty()) {
    LinkSession* session = Find(link->to_announce.front());
    link->to_announce.pop_front();
    if (session != nullptr && session->home == link && !session->attached) Attach(session);
  }
}

// Tells the home of the session, with all it has to know, and submits again what is not accepted.
void LinkSet::Attach(LinkSession* session) {
  if (session->state != State::kBound && session->state != State::kClosing) return;
  session->attached = true;
  // An end carries all that an announcement does.
  const bool just_end = session->state == State::kClosing && session->window.empty();
  if (!just_end) {
    session->home->SendAnnounce(*session, generation_);
    session->unanswered = true;
    session->gap_ms = loop_->NowMs();
    Resubmit(session, session->window.accepted() + 1);
  }
  if (session->state == State::kClosing) session->home->SendClosed(*session);
}

void LinkSet::Resubmit(LinkSession* session, uint64_t from) {
  for (uint64_t in_seq = from; in_seq < session->window.next_in_seq(); ++in_seq) {
    SubmissionWindow::Kept& kept = session->window.at(in_seq);
    if (kept.attempts > 0) ++stats_.resubmitted;
    session->home->SendSubmit(*session, in_seq, kept, session->WindowPresses(options_.limits));
  }
}

bool LinkSet::storm() const {
  return loop_->NowMs() < storm_until_ms_ ||
         std::any_of(links_.begin(), links_.end(),
                     [](const auto& link) { return link->up() && !link->to_announce.empty(); });
}

// Who is not at home where it would be best goes there, once things are calm.
void LinkSet::ScheduleSweep() {
  sweep_.clear();
  if (usable_.size() > 1) loop_->Arm(&sweep_alarm_, kSettleTime);
}

void LinkSet::Sweep() {
  if (usable_.size() < 2) return;
  if (sweep_.empty()) {
    for (auto& [number, session] : sessions_) {
      if (session->state == State::kBound) sweep_.push_back(number);
    }
  }
  std::vector<uint64_t> later;
  for (int looks = 0; looks < kLooksPerTick && !sweep_.empty() && !storm(); ++looks) {
    LinkSession* session = Find(sweep_.back());
    sweep_.pop_back();
    if (session == nullptr) continue;
    MoveIfQuiet(session);
    // A busy one moves as soon as its window is empty.
    if (session->misplaced && session->window.empty()) later.push_back(session->connection);
  }
  sweep_.insert(sweep_.end(), later.begin(), later.end());
  if (!sweep_.empty()) loop_->Arm(&sweep_alarm_, kSweepTick);
}

}  // namespace connmgr
