#include "business/presence/ended_sessions.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "business/presence/contact_fanout.h"
#include "business/presence/contact_rows.h"
#include "business/presence/directed_presence.h"
#include "business/presence/last_presence.h"
#include "business/presence/presence_audience.h"
#include "business/presence/presence_delivery.h"
#include "business/session/shard.h"

namespace business {
namespace {

using runtime::Task;

constexpr std::string_view kUnavailable = "<presence type='unavailable'/>";

Task<std::vector<ContactRows>> Read(Shard* shard, std::vector<xmpp::BareJid> accounts) {
  runtime::OneShot<std::vector<ContactRows>> read;
  LookUpContacts(shard, std::move(accounts),
                 [&read](std::vector<ContactRows> rows) { read.Set(std::move(rows)); });
  std::vector<ContactRows> rows = co_await read;
  co_return rows;
}

// The same resource is available again: whoever is told "unavailable" now would keep that as its
// newest news (R6).
bool IsBack(const ContactRows& own, std::string_view resource, cluster::Epoch epoch) {
  if (!own.rows) return false;
  return std::any_of(own.rows->begin(), own.rows->end(), [&](const cluster::SessionRecord& row) {
    return row.resource == resource && row.owner.epoch > epoch && row.available;
  });
}

}  // namespace

void EndedSessions::Add(xmpp::BareJid account, const cluster::SessionRecord& row,
                        std::vector<std::string> directed) {
  waiting_.push_back({xmpp::FullJid::FromNormalized(account.ToString() + "/" + row.resource),
                      row.owner.epoch, row.session, row.available, std::move(directed)});
  StartWaiting();
}

void EndedSessions::StartWaiting() {
  while (under_way_ < kMostUnderWay && !waiting_.empty()) {
    Ended ended = std::move(waiting_.front());
    waiting_.pop_front();
    ++under_way_;
    runtime::Spawn(Tell(std::move(ended)));
  }
}

Task<void> EndedSessions::Tell(Ended ended) {
  std::vector<std::string> saved = co_await TakeSavedDirected(shard_, ended.full, ended.session);
  for (std::string& jid : saved) {
    if (std::find(ended.directed.begin(), ended.directed.end(), jid) == ended.directed.end()) {
      ended.directed.push_back(std::move(jid));
    }
  }
  PresenceNotice notice;
  notice.from = ended.full;
  notice.epoch = ended.epoch;
  notice.bytes = kUnavailable;
  // The same whoever finds the session gone, and however often.
  notice.id = shard_->ids->Make(ended.session, ended.epoch, {}, kUnavailable);
  notice.index = kEffectDirectedUnavailable;
  for (const std::string& to : ended.directed) {
    notice.to = xmpp::Jid::FromNormalized(to);
    TellUnavailable(shard_, notice, nullptr);
  }
  if (ended.available) co_await TellBroadcast(std::move(ended));
  --under_way_;
  StartWaiting();
}

Task<void> EndedSessions::TellBroadcast(Ended ended) {
  SaveLastPresence(shard_, ended.full.Bare(), kUnavailable);
  PresenceAudience audience = co_await AudienceOf(shard_, ended.full.Bare());
  std::vector<xmpp::BareJid> accounts{ended.full.Bare()};
  accounts.insert(accounts.end(), audience.told.begin(), audience.told.end());
  std::vector<ContactRows> read = co_await Read(shard_, std::move(accounts));
  if (IsBack(read.front(), ended.full.resource(), ended.epoch)) co_return;
  read = co_await WithoutDeaf(shard_, ended.full, std::move(read));
  BroadcastPresence presence;
  presence.from = ended.full;
  presence.epoch = ended.epoch;
  presence.ended = true;
  presence.bytes = kUnavailable;
  presence.id = shard_->ids->Make(ended.session, ended.epoch, {}, kUnavailable);
  presence.index = kEffectDirectedUnavailable;
  runtime::OneShot<bool> sent;
  std::make_shared<ContactFanout>(shard_, std::move(presence))
      ->Send(std::move(read), [&sent] { sent.Set(true); });
  co_await sent;
}

}  // namespace business
