#include "business/session/session_table.h"

#include <utility>

#include "business/session/session_commits.h"
#include "business/session/shard.h"
#include "lib/runtime/process.h"

namespace business {

SessionTable::SessionTable(Shard* shard) : shard_(shard) {}

SessionPtr SessionTable::Find(const ManagerLink* link, uint64_t connection) const {
  const auto of_link = links_.find(link);
  if (of_link == links_.end()) return nullptr;
  const auto it = of_link->second.find(connection);
  return it == of_link->second.end() ? nullptr : it->second;
}

void SessionTable::Add(SessionPtr session) {
  SessionPtr& place = links_[session->link().get()][session->connection()];
  if (place) {
    place->Leave();
  } else {
    ++size_;
    shard_->metrics->sessions.Add(1);
  }
  place = std::move(session);
}

void SessionTable::Remove(Session& session) {
  const SessionPtr hold = session.shared_from_this();
  session.Leave();
  const auto of_link = links_.find(session.link().get());
  if (of_link == links_.end()) return;
  const auto it = of_link->second.find(session.connection());
  if (it == of_link->second.end() || it->second != hold) return;
  of_link->second.erase(it);
  if (of_link->second.empty()) links_.erase(of_link);
  --size_;
  shard_->metrics->sessions.Add(-1);
}

void SessionTable::ForgetLink(const ManagerLink* link) {
  const auto of_link = links_.find(link);
  if (of_link == links_.end()) return;
  auto sessions = std::move(of_link->second);
  links_.erase(of_link);
  size_ -= sessions.size();
  shard_->metrics->sessions.Add(-static_cast<int64_t>(sessions.size()));
  for (auto& [connection, session] : sessions) session->Leave();
}

void SessionTable::AcceptedAdvanced(const SessionPtr& session) {
  if (session->accepted_pending) return;
  session->accepted_pending = true;
  advanced_.push_back(session);
  shard_->loop->ScheduleTurnEnd(&flush_);
}

void SessionTable::TellAccepted() {
  for (SessionPtr& session : std::exchange(advanced_, {})) {
    session->accepted_pending = false;
    if (session->gone()) continue;
    if (session->managed()) {
      shard_->commits->Commit(session);
    } else {
      TellAccepted(session);
    }
  }
}

void SessionTable::TellAccepted(const SessionPtr& session) {
  runtime::KillPoint("submit.before_accepted");
  session->link()->SendAccepted(session->connection(), session->epoch(), session->accepted());
  // With stream management the client may have asked how far we are.
  if (session->accept_soon || session->managed()) session->link()->AcceptNow();
  if (session->state == Session::State::kEnding && session->accepted() >= session->last_in_seq &&
      on_drained_) {
    on_drained_(session);
  }
}

size_t SessionTable::SizeOf(const std::string& manager, uint64_t incarnation) const {
  size_t n = 0;
  for (const auto& [link, sessions] : links_) {
    if (sessions.empty()) continue;
    const ManagerLinkPtr& of = sessions.begin()->second->link();
    if (of->incarnation() == incarnation && of->manager() == manager) n += sessions.size();
  }
  return n;
}

size_t SessionTable::unaccepted() const {
  size_t n = 0;
  for (const auto& [link, sessions] : links_) {
    for (const auto& [connection, session] : sessions) n += session->queue.size();
  }
  return n;
}

}  // namespace business
