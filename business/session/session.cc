#include "business/session/session.h"

#include <utility>

#include "business/link/manager_links.h"
#include "business/session/session_table.h"
#include "business/session/session_ticket.h"
#include "business/session/shard.h"

namespace business {

void Submission::Become(State state) {
  state_ = state;
  if (session_->gone()) return;
  session_->Pump();
}

Session::Session(Shard* shard, ManagerLinkPtr link, xmpp::FullJid full, cluster::SessionRecord row,
                 std::string sasl_mechanism)
    : record(std::move(row)),
      mechanism(std::move(sasl_mechanism)),
      shard_(shard),
      link_(std::move(link)),
      full_(std::move(full)),
      account_(full_.Bare()) {}

void Session::Pump() {
  if (state == State::kAnnouncing || state == State::kGone) return;
  const SessionPtr hold = shared_from_this();
  const bool advanced = queue.Pump();
  if (gone()) return;
  if (queue.waits_for_outcome() || (accept_soon && queue.has_issued())) shard_->links->AskTaken();
  if (advanced) shard_->sessions->AcceptedAdvanced(hold);
}

void Session::Leave() {
  state = State::kGone;
  queue.Clear();
}

void Session::TellNewest(uint64_t out_seq) {
  std::vector<DeliverTarget> targets;
  targets.push_back({.owner = record.owner,
                     .out_seq = out_seq,
                     .to = {},
                     .effect = {},
                     .generation = record.announced_generation});
  shard_->links->Deliver({}, std::move(targets), nullptr);
}

void Session::SendTicket() { link_->SendTicket(connection(), epoch(), SealSession(*this)); }

}  // namespace business
