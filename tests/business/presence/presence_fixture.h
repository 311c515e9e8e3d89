// A business loop over a real Redis and a store in a directory of its own, with rosters, presence,
// routing and sessions, and managers that write down what is delivered to them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "business/presence/presence_service.h"
#include "business/presence/roster_cache.h"
#include "business/presence/roster_iq.h"
#include "business/routing/feature_set.h"
#include "business/session/ownership_guard.h"
#include "business/session/session.h"
#include "business/session/session_commits.h"
#include "business/session/session_table.h"
#include "business/session/shard.h"
#include "business/store/loop_stores.h"
#include "business/store/store.h"
#include "lib/cluster/outbox.h"
#include "lib/cluster/session_registry.h"
#include "proto/connmgr_business.pb.h"
#include "tests/business/store/store_fixture.h"
#include "tests/lib/runtime/redis_fixture.h"

namespace business {

class QuietLink final : public ManagerLink {
 public:
  const std::string& manager() const override { return manager_; }
  uint64_t incarnation() const override { return 7; }
  bool alive() const override { return true; }
  void SendNegotiated(xylem::v1::Negotiated) override {}
  void SendAccepted(uint64_t, cluster::Epoch, uint64_t up_to) override { accepted = up_to; }
  void SendTicket(uint64_t, cluster::Epoch, std::string) override { ++tickets; }
  void SendEnded(uint64_t, cluster::Epoch) override {}
  void SendClose(uint64_t, cluster::Epoch, xmpp::StreamError) override {}
  void SendFenced(uint64_t, cluster::Epoch) override { ++fenced; }
  void SendGap(uint64_t, cluster::Epoch, uint64_t) override {}

  uint64_t accepted = 0;
  int tickets = 0;
  int fenced = 0;

 private:
  const std::string manager_ = "connmgr-1";
};

// All managers at once. An effect that a connection has got already is dropped, as managers do.
class RecordingManagers final : public ManagerLinks {
 public:
  explicit RecordingManagers(runtime::EventLoop* loop) : loop_(loop) {}

  void Deliver(DeliverBody body, std::vector<DeliverTarget> targets, Done done) override {
    std::vector<DeliverOutcome> outcomes;
    for (const DeliverTarget& target : targets) {
      if (refuse > 0) {
        --refuse;
        outcomes.push_back(DeliverOutcome::kNoLink);
        continue;
      }
      outcomes.push_back(DeliverOutcome::kTaken);
      const std::string connection = std::to_string(target.owner.connection);
      if (target.out_seq != 0) {
        pushed.push_back(connection + " #" + std::to_string(target.out_seq) + " " + body.bytes);
        continue;
      }
      if (!seen_.insert({target.owner.connection, target.effect}).second) continue;
      std::string bytes;
      xmpp::AppendWithTo(&bytes, body.bytes, body.splice_offset, target.to);
      got.push_back(connection + " " + bytes);
    }
    if (done) {
      loop_->Defer([done = std::move(done), outcomes = std::move(outcomes)]() mutable {
        done(outcomes);
      });
    }
  }
  void Close(const cluster::Owner& owner, xmpp::StreamError error) override {
    closed.push_back(std::to_string(owner.connection) + " " +
                     std::string(xmpp::ConditionName(error.condition)));
  }
  bool IsLinked(const std::string&, uint64_t) const override { return true; }

  std::vector<std::string> got;  // "<connection> <stanza>"
  std::vector<std::string> pushed;  // "<connection> #<out_seq> <stanza without to>"
  std::vector<std::string> closed;  // "<connection> <condition>"
  int refuse = 0;                   // so many targets are not reached

 private:
  runtime::EventLoop* const loop_;
  std::set<std::pair<uint64_t, std::string>> seen_;
};

// One business server's loop. Sessions are told apart by their connection, from 1.
class PresenceWorld {
 public:
  explicit PresenceWorld(const std::string& redis_address) : redis(redis_address) {
    redis.Run([&] {
      registry = std::make_unique<cluster::SessionRegistry>(redis.client());
      outbox = std::make_unique<cluster::Outbox>(redis.client(), outbox_limits);
      generation = std::make_unique<GenerationWatch>(&redis.loop());
      links = std::make_unique<RecordingManagers>(&redis.loop());
      shard.loop = &redis.loop();
      shard.registry = registry.get();
      shard.outbox = outbox.get();
      shard.commits = &commits;
      shard.redis = redis.client();
      auto opened = Store::Open({.url = "sqlite:" + directory.File("test.db")});
      ASSERT_TRUE(opened.has_value()) << opened.error().message;
      store = std::move(*opened);
      stores = std::make_unique<LoopStores>(LoopStores::Of(store.get(), &redis.loop()));
      shard.stores = stores.get();
      shard.rosters = &rosters;
      shard.links = links.get();
      shard.ids = &ids;
      shard.sealer = &sealer;
      shard.features = &features;
      shard.events = &presence;
      shard.generation = generation.get();
      shard.metrics = &metrics;
      shard.domains = {"example.org"};
      table = std::make_unique<SessionTable>(&shard);
      shard.sessions = table.get();
      guard = std::make_unique<OwnershipGuard>(&shard);
      shard.guard = guard.get();
      dispatcher = std::make_unique<StanzaDispatcher>(&shard, &presence);
      generation->Set(1);
    });
    EXPECT_TRUE(runtime::Eventually([&] { return redis.IsUp(); }));
    for (const char* jid : {"juliet@example.org", "romeo@example.org", "nurse@example.org"}) {
      auto added = redis.Wait([&] { return stores->accounts->Add(MakeAccount(jid)); });
      EXPECT_TRUE(added.has_value());
    }
  }
  ~PresenceWorld() {
    redis.Run([&] {
      for (const SessionPtr& session : sessions) table->Remove(*session);
      sessions.clear();
    });
    EXPECT_TRUE(runtime::Eventually([&] { return redis.Get([&] { return presence.IsIdle(); }); }));
  }

  SessionPtr Bind(const std::string& account, const std::string& resource) {
    const uint64_t connection = ++connections_;
    auto outcome = redis.Wait([&] {
      cluster::BindRequest request;
      request.account = xmpp::BareJid::FromNormalized(account);
      request.resource = resource;
      request.generation = 1;
      request.record.owner = {"connmgr-1", 7, connection, 0};
      request.record.session = std::string(15, 's') + static_cast<char>(connection);
      return registry->Bind(std::move(request));
    });
    EXPECT_TRUE(outcome.has_value());
    SessionPtr session;
    redis.Run([&] {
      session = std::make_shared<Session>(
          &shard, link, xmpp::FullJid::FromNormalized(account + "/" + resource), outcome->record,
          "SCRAM-SHA-256");
      table->Add(session);
      sessions.push_back(session);
    });
    return session;
  }

  // `inner`: attributes and content of the stanza, as `<presence` + inner.
  void Send(const SessionPtr& session, xmpp::StanzaType type, const std::string& to,
            const std::string& inner, uint64_t flags = 0) {
    xmpp::Stanza stanza;
    stanza.kind = xmpp::StanzaKind::kPresence;
    stanza.type = type;
    stanza.to = to;
    stanza.flags = flags;
    stanza.bytes = "<presence" + inner;
    redis.Run([&] { dispatcher->Submit(session, session->queue.next(), std::move(stanza)); });
  }
  // `payload`: the one child, in jabber:iq:roster.
  void SendRosterIq(const SessionPtr& session, xmpp::StanzaType type, const std::string& id,
                    const std::string& payload) {
    xmpp::Stanza stanza;
    stanza.kind = xmpp::StanzaKind::kIq;
    stanza.type = type;
    stanza.id = id;
    stanza.payload_ns = "jabber:iq:roster";
    stanza.payload_name = "query";
    stanza.bytes = "<iq type='" + std::string(xmpp::TypeName(type)) + "' id='" + id + "'>" +
                   payload + "</iq>";
    redis.Run([&] { dispatcher->Submit(session, session->queue.next(), std::move(stanza)); });
    Settle(session);
  }
  // Puts `item` into the roster of `account`, as another server would.
  void SetItem(const std::string& account, const std::string& contact, RosterItem item) {
    auto update = redis.Wait([&] {
      return stores->rosters->Update(
          xmpp::BareJid::FromNormalized(account), xmpp::Jid::FromNormalized(contact),
          [item](const RosterEntry& before) {
            RosterEntry after = before;
            after.item = item;
            return after;
          },
          {});
    });
    ASSERT_TRUE(update.has_value());
    const auto jid = xmpp::BareJid::FromNormalized(account);
    auto raised = redis.Wait([&] { return registry->RaiseVersion(jid); });
    ASSERT_TRUE(raised.has_value());
  }
  void Befriend(const std::string& one, const std::string& other) {
    SetItem(one, other, {.subscription = Subscription::kBoth});
    SetItem(other, one, {.subscription = Subscription::kBoth});
  }
  RosterEntry Entry(const std::string& account, const std::string& contact) {
    auto entry = redis.Wait([&] {
      return stores->rosters->Find(xmpp::BareJid::FromNormalized(account),
                                   xmpp::Jid::FromNormalized(contact));
    });
    EXPECT_TRUE(entry.has_value());
    return entry.has_value() ? *entry : RosterEntry();
  }
  // Waits until all that `session` sent is accepted.
  void Settle(const SessionPtr& session) {
    EXPECT_TRUE(runtime::Eventually([&] {
      return redis.Get([&] { return session->queue.empty(); });
    }));
  }
  void SendAndSettle(const SessionPtr& session, xmpp::StanzaType type, const std::string& to,
                     const std::string& inner, uint64_t flags = 0) {
    Send(session, type, to, inner, flags);
    Settle(session);
  }
  // Ends it as its home does when the socket is gone.
  void End(const SessionPtr& session) {
    auto row = redis.Wait([&] {
      return registry->End(session->account(), session->record.resource, session->record.owner);
    });
    ASSERT_TRUE(row.has_value() && row->has_value());
    redis.Run([&] {
      const std::vector<std::string> directed = session->directed;
      table->Remove(*session);
      presence.OnSessionEnded(session->account(), **row, directed);
    });
  }

  std::vector<std::string> Take() {
    return redis.Get([&] { return std::exchange(links->got, {}); });
  }
  // Waits until `count` deliveries have come, and gives them.
  std::vector<std::string> TakeWhen(size_t count) {
    EXPECT_TRUE(runtime::Eventually([&] {
      return redis.Get([&] { return links->got.size() >= count; });
    })) << count << " deliveries";
    return Take();
  }
  std::vector<cluster::SessionRecord> Rows(const std::string& account) {
    const auto jid = xmpp::BareJid::FromNormalized(account);
    auto rows = redis.Wait([&] { return registry->Lookup(jid); });
    return rows.has_value() ? *rows : std::vector<cluster::SessionRecord>();
  }

  BusinessMetrics metrics;
  cluster::ClusterIdMaker ids{"0123456789abcdef0123456789abcdef"};
  cluster::TicketSealer sealer{{"0123456789abcdef0123456789abcdef"}};
  TempDir directory;
  std::unique_ptr<Store> store;
  std::unique_ptr<LoopStores> stores;
  Shard shard;
  FeatureSet features{{RosterManagement(&shard)}};
  RosterCache rosters{&shard, {}};
  PresenceService presence{&shard};
  std::shared_ptr<QuietLink> link = std::make_shared<QuietLink>();
  SessionCommits commits{&shard};
  std::unique_ptr<cluster::SessionRegistry> registry;
  cluster::Outbox::Limits outbox_limits{.stanzas = 8};
  std::unique_ptr<cluster::Outbox> outbox;
  std::unique_ptr<GenerationWatch> generation;
  std::unique_ptr<RecordingManagers> links;
  std::unique_ptr<SessionTable> table;
  std::unique_ptr<OwnershipGuard> guard;
  std::unique_ptr<StanzaDispatcher> dispatcher;
  std::vector<SessionPtr> sessions;
  runtime::RedisOnLoop redis;  // the loop goes first

 private:
  uint64_t connections_ = 0;
};

}  // namespace business
