// Stream management, as far as sessions go: what is accepted when, who resumes, what ends.
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "business/session/outbox_sweeper.h"
#include "business/session/session_resumer.h"
#include "lib/cluster/redis_keys.h"
#include "tests/business/session/session_service_fixture.h"

namespace business {
namespace {

using std::chrono::milliseconds;
using xylem::v1::Negotiated;
using Texts = std::vector<std::string>;

constexpr char kItemNotFound[] =
    "<failed xmlns='urn:xmpp:sm:3'><item-not-found "
    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>";

class Undeliverable final : public UndeliveredSink {
 public:
  runtime::Task<bool> OnUndelivered(xmpp::FullJid from,
                                    std::vector<cluster::OutboxEntry> entries) override {
    ++asked;
    for (const cluster::OutboxEntry& entry : entries) got.push_back(from.ToString() + entry.body);
    co_return settles;
  }
  bool settles = true;
  int asked = 0;
  Texts got;
};

class SessionResumptionTest : public SessionServiceTest {
 protected:
  // A session of Romeo's with stream management, enabled by its stanza 1.
  struct Managed {
    std::shared_ptr<RecordingLink> link;
    Negotiated bound;
    std::string previd;
    std::string ticket;
  };
  Managed Begin(Server& s, milliseconds resumption = std::chrono::minutes(5),
                const std::string& manager = "connmgr-1", uint64_t connection = 1) {
    Managed one;
    one.link = s.Link(manager);
    one.bound = s.Bind(one.link, connection, kRomeo, "a");
    const SessionPtr session = SessionOf(s, one);
    EXPECT_TRUE(s.redis
                    .Wait([&] {
                      return s.outbox->Enable(session->full(), session->record, 1, resumption);
                    })
                    .has_value());
    s.Run([&] {
      session->record.flags |= cluster::kSessionStreamManagement;
      session->sm.base = 1;
      session->sm.resumption = resumption;
      session->SendTicket();
      one.ticket = one.link->tickets.back().ticket;
      one.previd = StreamManagementId(s.shard, session->account(), session->record.session);
      s.Submit(one.link, one.bound, 1);
    });
    EXPECT_TRUE(AcceptedUpTo(s, one, 1));
    return one;
  }
  static SessionPtr SessionOf(Server& s, const Managed& one) {
    return s.Get([&] { return s.table->Find(one.link.get(), one.bound.connection()); });
  }
  static testing::AssertionResult AcceptedUpTo(Server& s, const Managed& one, uint64_t number) {
    return s.Until(
        [&] { return !one.link->accepted.empty() && one.link->accepted.back().number == number; });
  }

  void AskSm(Server& s, const std::shared_ptr<RecordingLink>& link, uint64_t connection,
             const std::string& element, const std::string& account = kRomeo) {
    xylem::v1::Negotiate negotiate;
    negotiate.set_connection(connection);
    negotiate.set_ticket(s.Identity(*link, connection, account));
    negotiate.set_namespace_("urn:xmpp:sm:3");
    negotiate.set_element(element);
    s.service->OnNegotiate(link, negotiate);
  }
  Negotiated Resume(Server& s, const std::shared_ptr<RecordingLink>& link, uint64_t connection,
                    const std::string& previd, uint32_t h, const std::string& account = kRomeo) {
    const size_t before = s.Get([&] { return link->answers.size(); });
    s.Run([&] {
      AskSm(s, link, connection,
            "<resume xmlns='urn:xmpp:sm:3' previd='" + previd + "' h='" + std::to_string(h) + "'/>",
            account);
    });
    EXPECT_TRUE(s.Until([&] { return link->answers.size() > before; }));
    return s.Get([&] { return link->answers.back(); });
  }

  void Append(Server& s, const cluster::SessionRecord& row, const std::string& text) {
    cluster::OutboxEntry entry;
    entry.stanza_class = 1;
    entry.kind = 1;
    entry.effect = text;
    entry.body = "<message from='juliet@example.org/b'><body>" + text + "</body></message>";
    const auto account = xmpp::BareJid::FromNormalized(kRomeo);
    std::promise<bool> appended;
    s.Run([&] {
      s.outbox->Append(account, {}, entry, {{row.resource, row.session, {}, {}}},
                       [&appended](auto results) {
                         appended.set_value(results.has_value() && (*results)[0].out_seq > 0);
                       });
    });
    EXPECT_TRUE(runtime::Await(appended.get_future()));
  }
  std::string InRedis(const cluster::SessionRecord& row, const std::string& field) {
    return redis_->Do({"HGET",
                       cluster::OutboxStateKey(cluster::AccountTag(kRomeo),
                                               cluster::HexBytes(row.session)),
                       field});
  }
};

TEST_F(SessionResumptionTest, AcceptsOnlyWhatRedisKnows) {
  Server s(redis_->address());
  const Managed one = Begin(s);
  s.Run([&] {
    for (uint64_t i = 2; i <= 5; ++i) s.Submit(one.link, one.bound, i);
  });
  ASSERT_TRUE(AcceptedUpTo(s, one, 5));
  EXPECT_EQ(InRedis(s.Rows(kRomeo)[0], "i"), "5");
  // Another took it meanwhile: nothing is committed any more, and it hears of it.
  Server other(redis_->address());
  auto link = other.Link("connmgr-2");
  ASSERT_EQ(Resume(other, link, 9, one.previd, 0).outcome(), Negotiated::BOUND);
  s.Run([&] { s.Submit(one.link, one.bound, 6); });
  EXPECT_TRUE(s.Until([&] { return one.link->fenced.size() == 1; }));
  EXPECT_EQ(InRedis(s.Rows(kRomeo)[0], "i"), "5");
}

TEST_F(SessionResumptionTest, TrimsWhatTheClientConfirms) {
  Server s(redis_->address());
  const Managed one = Begin(s);
  const cluster::SessionRecord row = s.Rows(kRomeo)[0];
  for (const char* text : {"1", "2", "3"}) Append(s, row, text);
  s.Run([&] {
    xylem::v1::ClientAck ack;
    ack.set_connection(1);
    ack.set_epoch(one.bound.epoch());
    ack.set_up_to_out_seq(2);
    s.service->OnClientAck(one.link, ack);
  });
  EXPECT_TRUE(runtime::Eventually([&] { return InRedis(row, "t") == "2"; }));
}

TEST_F(SessionResumptionTest, GivesWhatIsPulledAndSaysHowFarThereIsMore) {
  Server s(redis_->address());
  const Managed one = Begin(s);
  for (const char* text : {"1", "2", "3"}) Append(s, s.Rows(kRomeo)[0], text);
  s.Run([&] {
    xylem::v1::Pull pull;
    pull.set_connection(1);
    pull.set_epoch(one.bound.epoch());
    pull.set_from_out_seq(2);
    pull.set_room_stanzas(1);
    pull.set_room_bytes(1000);
    s.service->OnPull(one.link, pull);
  });
  ASSERT_TRUE(s.Until([&] { return s.links.pushed.size() == 2; }));
  s.Run([&] {
    EXPECT_EQ(s.links.pushed[0].number, 2u);
    EXPECT_EQ(s.links.pushed[0].ticket,
              "<message from='juliet@example.org/b'><body>2</body></message>");
    EXPECT_EQ(s.links.pushed[1], (Told{1, one.bound.epoch(), 3, {}}));
  });
}

TEST_F(SessionResumptionTest, GoesOnAtAnyManagerAndTheOldSocketHearsConflict) {
  Server home(redis_->address()), next(redis_->address());
  const Managed one = Begin(home);
  const cluster::SessionRecord row = home.Rows(kRomeo)[0];
  for (const char* text : {"1", "2", "3"}) Append(home, row, text);
  home.Run([&] { home.Submit(one.link, one.bound, 2); });
  ASSERT_TRUE(AcceptedUpTo(home, one, 2));

  auto link = next.Link("connmgr-2");
  const Negotiated answer = Resume(next, link, 9, one.previd, 2);
  ASSERT_EQ(answer.outcome(), Negotiated::BOUND);
  EXPECT_EQ(answer.reply(),
            "<resumed xmlns='urn:xmpp:sm:3' previd='" + one.previd + "' h='1'/>");
  EXPECT_EQ(answer.jid(), "romeo@example.org/a");
  EXPECT_GT(answer.epoch(), one.bound.epoch());
  EXPECT_EQ(answer.resumed().accepted(), 2u);
  EXPECT_EQ(answer.resumed().base(), 1u);
  EXPECT_EQ(answer.resumed().confirmed(), 2u);
  EXPECT_EQ(answer.resumed().last(), 3u);
  next.Run([&] {
    EXPECT_EQ(next.links.conflicts, std::vector<cluster::Owner>{row.owner});
    EXPECT_TRUE(next.events.ends.empty()) << "nobody sees it go";
    next.Submit(link, answer, 3);
  });
  EXPECT_TRUE(next.Until([&] {
    return !link->accepted.empty() && link->accepted.back().number == 3;
  }));
  const auto rows = next.Rows(kRomeo);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].owner.manager, "connmgr-2");
  EXPECT_EQ(rows[0].session, row.session);
  EXPECT_EQ(redis_->Do({"SISMEMBER", cluster::ManagerAccountsKey("connmgr-2", 77), kRomeo}), "1")
      << "else nobody ends it when that manager dies";
}

TEST_F(SessionResumptionTest, OfTwoResumptionsTheLaterOwnsTheSession) {
  Server one(redis_->address()), two(redis_->address());
  const Managed managed = Begin(one);
  auto first = one.Link("connmgr-2"), second = two.Link("connmgr-3");
  const Negotiated a = Resume(one, first, 5, managed.previd, 0);
  const Negotiated b = Resume(two, second, 6, managed.previd, 0);
  ASSERT_EQ(a.outcome(), Negotiated::BOUND);
  ASSERT_EQ(b.outcome(), Negotiated::BOUND);
  EXPECT_GT(b.epoch(), a.epoch());
  two.Run([&] {
    ASSERT_EQ(two.links.conflicts.size(), 1u);
    EXPECT_EQ(two.links.conflicts[0].connection, 5u);
  });
  // Asked by a pull, the first one's home learns it even if the order to close was lost.
  one.Run([&] {
    xylem::v1::Pull pull;
    pull.set_connection(5);
    pull.set_epoch(a.epoch());
    pull.set_from_out_seq(1);
    one.service->OnPull(first, pull);
  });
  EXPECT_TRUE(one.Until([&] { return first->fenced.size() == 1; }));
}

TEST_F(SessionResumptionTest, RefusesWhatItDoesNotKnow) {
  Server s(redis_->address());
  const Managed one = Begin(s);
  auto link = s.Link("connmgr-2");
  EXPECT_EQ(Resume(s, link, 9, "nothing", 0).reply(), kItemNotFound);
  EXPECT_EQ(Resume(s, link, 9, one.previd, 0, "juliet@example.org").reply(), kItemNotFound);
  s.Run([&] { AskSm(s, link, 9, "<enable xmlns='urn:xmpp:sm:3'/>"); });
  s.Run([&] { AskSm(s, link, 9, "<resume xmlns='urn:xmpp:sm:3' previd='x' h='-1'/>"); });
  s.Run([&] {
    ASSERT_EQ(link->answers.size(), 4u);
    EXPECT_NE(link->answers[2].reply().find("<unexpected-request "), std::string::npos);
    EXPECT_NE(link->answers[3].reply().find("<bad-request "), std::string::npos);
    for (const Negotiated& answer : link->answers) {
      EXPECT_EQ(answer.outcome(), Negotiated::CONTINUE) << "it may bind a resource";
    }
  });
  const Negotiated high = Resume(s, link, 9, one.previd, 7);
  EXPECT_EQ(high.outcome(), Negotiated::CLOSE);
  EXPECT_EQ(high.error().condition(), "undefined-condition");
  EXPECT_EQ(high.error().app_condition(),
            "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='7' send-count='0'/>");
}

TEST_F(SessionResumptionTest, WaitsForItsClientWhenTheSocketIsGone) {
  Server s(redis_->address());
  const Managed one = Begin(s);
  s.Run([&] { s.Closed(one.link, 1, one.bound.epoch(), one.ticket, 1, /*resumable=*/true); });
  ASSERT_TRUE(s.Until([&] { return one.link->ended.size() == 1; }));
  auto rows = s.Rows(kRomeo);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_NE(rows[0].flags & cluster::kSessionHibernated, 0u);
  Append(s, rows[0], "while away");
  auto link = s.Link("connmgr-2");
  const Negotiated answer = Resume(s, link, 9, one.previd, 0);
  EXPECT_EQ(answer.resumed().last(), 1u);
  EXPECT_EQ(s.Rows(kRomeo)[0].flags & cluster::kSessionHibernated, 0u);
  s.Run([&] {
    EXPECT_TRUE(s.events.ends.empty());
    EXPECT_TRUE(s.links.conflicts.empty()) << "it had no socket";
  });
}

TEST_F(SessionResumptionTest, AServerThatDoesNotKnowItLetsItWaitAllTheSame) {
  Server home(redis_->address()), other(redis_->address());
  const Managed one = Begin(home);
  auto link = other.Link();
  other.Run([&] { other.Closed(link, 1, one.bound.epoch(), one.ticket, 1, /*resumable=*/true); });
  ASSERT_TRUE(other.Until([&] { return link->ended.size() == 1; }));
  EXPECT_NE(other.Rows(kRomeo)[0].flags & cluster::kSessionHibernated, 0u);
}

TEST_F(SessionResumptionTest, EndsWhenItsClientSaysSoOrCannotResume) {
  Server s(redis_->address());
  const Managed one = Begin(s);
  s.Run([&] { s.Closed(one.link, 1, one.bound.epoch(), one.ticket, 1, /*resumable=*/false); });
  ASSERT_TRUE(s.Until([&] { return s.events.ends.size() == 1; }));
  EXPECT_TRUE(s.Rows(kRomeo).empty());
  const Managed two = Begin(s, milliseconds(0), "connmgr-1", 2);
  s.Run([&] { s.Closed(two.link, 2, two.bound.epoch(), two.ticket, 1, /*resumable=*/true); });
  ASSERT_TRUE(s.Until([&] { return s.events.ends.size() == 2; }));
  EXPECT_TRUE(s.Rows(kRomeo).empty());
}

TEST_F(SessionResumptionTest, AnAnnouncedSessionGoesOnBehindWhatIsCommitted) {
  Server home(redis_->address()), next(redis_->address());
  const Managed one = Begin(home);
  home.Run([&] {
    home.Submit(one.link, one.bound, 2);
    home.Submit(one.link, one.bound, 3);
  });
  ASSERT_TRUE(AcceptedUpTo(home, one, 3));
  Append(home, home.Rows(kRomeo)[0], "1");
  // Its manager has heard of 2 only.
  auto link = next.Link();
  next.Run([&] {
    next.Announce(link, one.bound, one.ticket, 2, 1);
    next.Submit(link, one.bound, 3, 1);
    next.Submit(link, one.bound, 4, 1);
  });
  ASSERT_TRUE(next.Until([&] {
    return !link->accepted.empty() && link->accepted.back().number == 4;
  }));
  next.Run([&] {
    EXPECT_EQ(next.router->under_way.back()->in_seq(), 4u);
    EXPECT_EQ(link->accepted[0].number, 3u);
    // Its manager is told what there is: the push may have been lost with the home.
    ASSERT_EQ(next.links.pushed.size(), 1u);
    EXPECT_EQ(next.links.pushed[0].number, 1u);
  });
}

TEST_F(SessionResumptionTest, ATimeOutEndsItOnceAndWhatItLeftIsDealtWith) {
  Server s(redis_->address());
  const Managed one = Begin(s, milliseconds(1));
  Append(s, s.Rows(kRomeo)[0], "left");
  s.Run([&] { s.Closed(one.link, 1, one.bound.epoch(), one.ticket, 1, /*resumable=*/true); });
  ASSERT_TRUE(s.Until([&] { return one.link->ended.size() == 1; }));
  Undeliverable sink;
  std::unique_ptr<OutboxSweeper> sweeper;
  s.Run([&] {
    sweeper = std::make_unique<OutboxSweeper>(&s.shard, &sink);
    sweeper->Start();
  });
  const auto tag = cluster::AccountTag(kRomeo);
  EXPECT_TRUE(runtime::Eventually([&] {
    return s.Get([&] { return sink.asked; }) == 1 &&
           redis_->Do({"EXISTS", cluster::EndingKey(tag)}) == "0";
  }));
  s.Run([&] {
    EXPECT_EQ(sink.got, (Texts{"romeo@example.org/a<message from='juliet@example.org/b'><body>left"
                               "</body></message>"}));
    EXPECT_EQ(s.events.ends.size(), 1u);
  });
  EXPECT_TRUE(s.Rows(kRomeo).empty());
  // Its client comes too late, and learns what had been handled (XEP-0198 §5).
  auto link = s.Link("connmgr-2");
  EXPECT_EQ(Resume(s, link, 9, one.previd, 0).reply(),
            "<failed xmlns='urn:xmpp:sm:3' h='0'><item-not-found "
            "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>");
  s.Run([&] { sweeper.reset(); });
}

}  // namespace
}  // namespace business
