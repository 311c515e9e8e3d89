// A business loop without gRPC: the session service over a real Redis, with a manager, a log-in and
// a router that only write down what they are told.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "business/auth/authenticator.h"
#include "business/session/ownership_guard.h"
#include "business/session/session_commits.h"
#include "business/session/session_events.h"
#include "business/session/session_service.h"
#include "business/session/session_table.h"
#include "business/session/session_ticket.h"
#include "business/session/shard.h"
#include "business/session/stanza_sink.h"
#include "business/session/submission.h"
#include "lib/cluster/outbox.h"
#include "lib/cluster/session_registry.h"
#include "proto/connmgr_business.pb.h"
#include "proto/ticket.pb.h"
#include "tests/lib/runtime/redis_fixture.h"

namespace business {

// What a manager was told about one connection.
struct Told {
  uint64_t connection = 0;
  cluster::Epoch epoch = 0;
  uint64_t number = 0;  // Accepted: up to; Gap: expected
  std::string ticket;
  friend bool operator==(const Told&, const Told&) = default;
};

class RecordingLink final : public ManagerLink {
 public:
  RecordingLink(std::string manager, uint64_t incarnation)
      : manager_(std::move(manager)), incarnation_(incarnation) {}
  const std::string& manager() const override { return manager_; }
  uint64_t incarnation() const override { return incarnation_; }
  bool alive() const override { return up; }
  void SendNegotiated(xylem::v1::Negotiated answer) override { answers.push_back(answer); }
  void SendAccepted(uint64_t c, cluster::Epoch e, uint64_t n) override {
    accepted.push_back({c, e, n, {}});
  }
  void SendTicket(uint64_t c, cluster::Epoch e, std::string ticket) override {
    tickets.push_back({c, e, 0, std::move(ticket)});
  }
  void SendEnded(uint64_t c, cluster::Epoch e) override { ended.push_back({c, e, 0, {}}); }
  void SendClose(uint64_t c, cluster::Epoch e, xmpp::StreamError) override {
    closed.push_back({c, e, 0, {}});
  }
  void SendFenced(uint64_t c, cluster::Epoch e) override { fenced.push_back({c, e, 0, {}}); }
  void SendGap(uint64_t c, cluster::Epoch e, uint64_t n) override { gaps.push_back({c, e, n, {}}); }

  bool up = true;
  std::vector<xylem::v1::Negotiated> answers;
  std::vector<Told> accepted, tickets, ended, closed, fenced, gaps;

 private:
  const std::string manager_;
  const uint64_t incarnation_;
};

class RecordingAuthenticator final : public Authenticator {
 public:
  void OnOpened(const ManagerLinkPtr&, const xylem::v1::Opened&) override { said += "opened "; }
  void OnSasl(const ManagerLinkPtr&, const xylem::v1::Negotiate&) override { said += "sasl "; }
  void OnConnectionClosed(const ManagerLinkPtr&, uint64_t) override { said += "closed "; }
  void OnLinkDown(const ManagerLinkPtr&) override { said += "down "; }
  void SetDomains(std::vector<std::string>) override { said += "domains "; }
  std::string said;
};

class RecordingLinks final : public ManagerLinks {
 public:
  // Only to sessions with stream management: what is said without being asked.
  void Deliver(DeliverBody body, std::vector<DeliverTarget> targets, Done) override {
    for (const DeliverTarget& target : targets) {
      EXPECT_NE(target.generation, 0u) << "not of an outbox";
      pushed.push_back({target.owner.connection, target.owner.epoch, target.out_seq, body.bytes});
    }
  }
  void Close(const cluster::Owner& owner, xmpp::StreamError error) override {
    EXPECT_EQ(error.condition, xmpp::StreamCondition::kConflict);
    conflicts.push_back(owner);
  }
  bool IsLinked(const std::string&, uint64_t) const override { return true; }
  std::vector<cluster::Owner> conflicts;
  std::vector<Told> pushed;  // number: out_seq; ticket: the body
};

class RecordingEvents final : public SessionEvents {
 public:
  struct End {
    std::string account;
    cluster::SessionRecord row;
    std::vector<std::string> directed;
  };
  void OnSessionEnded(const xmpp::BareJid& account, const cluster::SessionRecord& row,
                      const std::vector<std::string>& directed) override {
    ends.push_back({account.ToString(), row, directed});
  }
  std::vector<End> ends;
};

// Finished when its turn to be issued has come, unless the router holds everything back.
class HeldStanza final : public Submission {
 public:
  HeldStanza(SessionPtr session, uint64_t in_seq, const bool* hold)
      : Submission(std::move(session), in_seq), hold_(hold) {}
  void Prepare() override { Become(State::kPrepared); }
  void Issue() override {
    if (!*hold_) Become(State::kFinished);
  }
  bool barrier() const override { return false; }

 private:
  const bool* const hold_;
};

class RecordingRouter final : public StanzaSink {
 public:
  explicit RecordingRouter(Shard* shard) : shard_(shard) {}
  void Submit(const SessionPtr& session, uint64_t in_seq, xmpp::Stanza stanza) override {
    stanzas.push_back(std::move(stanza));
    auto held = std::make_shared<HeldStanza>(session, in_seq, &hold);
    held->check = shard_->guard->Require(session);
    under_way.push_back(held);
    session->queue.Push(held);
    session->Pump();
  }
  void FinishAll() {
    hold = false;
    for (const SubmissionPtr& one : std::exchange(under_way, {})) {
      if (one->state() == Submission::State::kIssued) one->Become(Submission::State::kFinished);
    }
  }

  bool hold = false;
  std::vector<xmpp::Stanza> stanzas;
  std::vector<SubmissionPtr> under_way;

 private:
  Shard* const shard_;
};

inline const std::string kSecret = "0123456789abcdef0123456789abcdef";

// One business server's loop.
class Server {
 public:
  explicit Server(const std::string& redis_address, SessionService::Options options = {})
      : redis(FastOptions(redis_address)) {
    redis.Run([&] {
      shard.loop = &redis.loop();
      registry = std::make_unique<cluster::SessionRegistry>(redis.client());
      outbox = std::make_unique<cluster::Outbox>(redis.client(), cluster::Outbox::Limits{});
      generation = std::make_unique<GenerationWatch>(shard.loop);
      shard.registry = registry.get();
      shard.outbox = outbox.get();
      shard.commits = &commits;
      shard.generation = generation.get();
      shard.links = &links;
      shard.ids = &ids;
      shard.sealer = &sealer;
      shard.events = &events;
      shard.metrics = &metrics;
      shard.domains = {"example.org"};
      table = std::make_unique<SessionTable>(&shard);
      shard.sessions = table.get();
      guard = std::make_unique<OwnershipGuard>(&shard);
      shard.guard = guard.get();
      router = std::make_unique<RecordingRouter>(&shard);
      service = std::make_unique<SessionService>(&shard, &login, router.get(), std::move(options));
      generation->Set(1);
    });
    EXPECT_TRUE(runtime::Eventually([&] { return redis.IsUp(); }));
  }
  // Steps hold their session and the other way round.
  ~Server() {
    redis.Run([&] { router->under_way.clear(); });
  }

  void Run(runtime::Callback work) { redis.Run(std::move(work)); }
  template <typename Read>
  auto Get(Read read) {
    return redis.Get(std::move(read));
  }
  // Until `condition`, looked at on the loop, holds.
  template <typename Condition>
  testing::AssertionResult Until(Condition condition) {
    return runtime::Eventually([&] { return Get([&] { return condition(); }); });
  }

  std::vector<cluster::SessionRecord> Rows(const std::string& account) {
    const auto jid = xmpp::BareJid::FromNormalized(account);  // outlives the task
    auto rows = redis.Wait([&] { return registry->Lookup(jid); });
    EXPECT_TRUE(rows.has_value());
    return rows.has_value() ? *rows : std::vector<cluster::SessionRecord>();
  }

  std::shared_ptr<RecordingLink> Link(const std::string& manager = "connmgr-1",
                                      uint64_t incarnation = 77) {
    return std::make_shared<RecordingLink>(manager, incarnation);
  }
  // As SASL gives it.
  std::string Identity(const ManagerLink& link, uint64_t connection, const std::string& account) {
    xylem::v1::SealedTicket ticket;
    ticket.set_version(1);
    ticket.set_account(account);
    ticket.set_mechanism("SCRAM-SHA-256");
    ticket.set_manager(link.manager());
    ticket.set_manager_incarnation(link.incarnation());
    ticket.set_connection(connection);
    ticket.set_peer_address("192.0.2.1:5000");
    return sealer.Seal(ticket.SerializeAsString());
  }

  // On the loop.
  void AskBind(const std::shared_ptr<RecordingLink>& link, uint64_t connection,
               const std::string& account, const std::string& resource) {
    AskBindWith(link, connection, account,
                "<iq id='b1' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>" +
                    (resource.empty() ? "" : "<resource>" + resource + "</resource>") +
                    "</bind></iq>");
  }
  void AskBindWith(const std::shared_ptr<RecordingLink>& link, uint64_t connection,
                   const std::string& account, const std::string& iq) {
    xylem::v1::Negotiate negotiate;
    negotiate.set_connection(connection);
    negotiate.set_ticket(Identity(*link, connection, account));
    negotiate.set_namespace_("urn:ietf:params:xml:ns:xmpp-bind");
    negotiate.set_name("bind");
    negotiate.set_element(iq);
    service->OnNegotiate(link, negotiate);
  }
  // Binds and waits for the answer.
  xylem::v1::Negotiated Bind(const std::shared_ptr<RecordingLink>& link, uint64_t connection,
                             const std::string& account, const std::string& resource) {
    const size_t before = Get([&] { return link->answers.size(); });
    Run([&] { AskBind(link, connection, account, resource); });
    EXPECT_TRUE(Until([&] { return link->answers.size() > before; }));
    return Get([&] { return link->answers.back(); });
  }

  // On the loop.
  void Submit(const std::shared_ptr<RecordingLink>& link, const xylem::v1::Negotiated& bound,
              uint64_t in_seq, uint32_t turn = 0) {
    xylem::v1::Submit submit;
    submit.set_connection(bound.connection());
    submit.set_epoch(bound.epoch());
    submit.set_in_seq(in_seq);
    submit.set_turn(turn);
    xylem::v1::Envelope* envelope = submit.mutable_envelope();
    envelope->set_kind(1);
    envelope->set_type(2);
    envelope->set_id("m" + std::to_string(in_seq));
    envelope->set_to("juliet@example.org");
    envelope->set_language("en");
    envelope->set_flags(xmpp::kHasBody);
    envelope->set_body("<message type='chat'><body>x</body></message>");
    service->OnSubmit(link, submit);
  }
  void Announce(const std::shared_ptr<RecordingLink>& link, const xylem::v1::Negotiated& bound,
                const std::string& ticket, uint64_t accepted, uint32_t turn,
                uint64_t redis_generation = 1) {
    xylem::v1::Announce announce;
    announce.set_connection(bound.connection());
    announce.set_epoch(bound.epoch());
    announce.set_ticket(ticket);
    announce.set_accepted(accepted);
    announce.set_turn(turn);
    announce.set_redis_generation(redis_generation);
    service->OnAnnounce(link, announce);
  }
  void Closed(const std::shared_ptr<RecordingLink>& link, uint64_t connection, uint64_t epoch,
              const std::string& ticket, uint64_t last_in_seq = 0, bool resumable = false) {
    xylem::v1::Closed closed;
    closed.set_connection(connection);
    closed.set_epoch(epoch);
    closed.set_ticket(ticket);
    closed.set_last_in_seq(last_in_seq);
    closed.set_resumable(resumable);
    service->OnClosed(link, closed);
  }

  BusinessMetrics metrics;
  RecordingLinks links;
  RecordingEvents events;
  RecordingAuthenticator login;
  cluster::ClusterIdMaker ids{kSecret};
  cluster::TicketSealer sealer{std::vector<std::string>{kSecret}};
  Shard shard;
  SessionCommits commits{&shard};
  std::unique_ptr<cluster::SessionRegistry> registry;
  std::unique_ptr<cluster::Outbox> outbox;
  std::unique_ptr<GenerationWatch> generation;
  std::unique_ptr<SessionTable> table;
  std::unique_ptr<OwnershipGuard> guard;
  std::unique_ptr<RecordingRouter> router;
  std::unique_ptr<SessionService> service;
  runtime::RedisOnLoop redis;  // the loop goes first: nothing of the above runs any more

 private:
  static runtime::RedisOptions FastOptions(const std::string& address) {
    runtime::RedisOptions options = runtime::RedisOnLoop::OptionsFor(address);
    options.command_deadline = std::chrono::milliseconds(500);
    options.silence = std::chrono::milliseconds(400);
    return options;
  }
};

}  // namespace business
