#include <gmock/gmock.h>

#include "business/link/link_metrics.h"
#include "lib/runtime/metrics.h"
#include "tests/business/link/link_fixture.h"

namespace business {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Reason = xylem::v1::Taken::Refused;
using Outcome = DeliverOutcome;
using xylem::v1::Up;

TEST_F(LinkServerTest, SaysHelloAloneAndFirst) {
  server_->SetGeneration(9);
  FakeManager& manager = Attach("connmgr-1", 41, 0);
  const auto hello = manager.hello();
  EXPECT_EQ(hello.protocol_min(), 1u);
  EXPECT_EQ(hello.protocol_max(), 1u);
  EXPECT_EQ(hello.instance(), "business-1");
  EXPECT_EQ(hello.incarnation(), 77u);
  EXPECT_EQ(hello.redis_generation(), 9u);
  EXPECT_FALSE(hello.draining());
  EXPECT_THAT(hello.domains(), ElementsAre("example.org", "localhost"));
  EXPECT_THAT(log_.lines(), ElementsAre("up connmgr-1 on 0"));
  EXPECT_EQ(recorders_[0]->link()->incarnation(), 41u);
  loops_.RunOn(0, [&] { recorders_[0]->link()->SendEnded(1, 2); });
  ASSERT_TRUE(Eventually([&] { return manager.count() == 1; }));
  EXPECT_EQ(manager.misplaced_hellos(), 0);
}

TEST_F(LinkServerTest, ListsManagersWithTheirLoops) {
  Attach("connmgr-1", 41, 0);
  FakeManager& second = Attach("connmgr-1", 41, 1);
  Attach("connmgr-2", 42, 0);
  auto managers = server_->managers();
  ASSERT_EQ(managers.size(), 2u);
  EXPECT_EQ(managers[0].instance, "connmgr-1");
  EXPECT_EQ(managers[0].loops, 2u);
  EXPECT_EQ(managers[1].incarnation, 42u);
  second.Close();
  EXPECT_TRUE(Eventually([&] { return server_->managers()[0].loops == 1; }));
}

TEST_F(LinkServerTest, RefusesAManagerOfAnotherProtocol) {
  FakeManager& manager = Connect();
  manager.Hello("connmgr-1", 41, 0, 2, 3);
  ASSERT_TRUE(Eventually([&] { return manager.closed(); }));
  ASSERT_EQ(manager.hellos(), 1u);  // what it can log
  EXPECT_EQ(manager.hello().protocol_max(), 1u);
  EXPECT_EQ(log_.size(), 0u);
  EXPECT_EQ(server_->managers().size(), 0u);
  EXPECT_EQ(server_->stats().protocol_errors, 0u);  // it did nothing wrong
}

TEST_F(LinkServerTest, TakesAManagerThatSpeaksLaterVersionsToo) {
  FakeManager& manager = Connect();
  manager.Hello("connmgr-1", 41, 0, 1, 3);
  EXPECT_TRUE(Eventually([&] { return manager.hellos() == 1; }));
}

TEST_F(LinkServerTest, HandsOnSubmissionsInOrder) {
  FakeManager& manager = Attach("connmgr-1", 41, 0);
  std::vector<std::string> expected{"up connmgr-1 on 0"};
  for (uint64_t i = 1; i <= 1000; ++i) {
    xylem::v1::Submit submit;
    submit.set_connection(3);
    submit.set_in_seq(i);
    submit.mutable_envelope()->set_body("<m" + std::to_string(i) + "/>");
    manager.Send(Up::kSubmit, submit);
    expected.push_back("submit " + std::to_string(i) + " <m" + std::to_string(i) + "/>");
  }
  ASSERT_TRUE(Eventually([&] { return log_.size() == 1001; }));
  EXPECT_EQ(log_.lines(), expected);
  EXPECT_EQ(server_->stats().items_in, 1000u);
}

TEST_F(LinkServerTest, TellsEachKindOfItem) {
  FakeManager& manager = Attach("connmgr-1", 41, 0);
  const auto send = [&](int field, auto item) {
    item.set_connection(6);
    manager.Send(field, item);
  };
  send(Up::kOpened, xylem::v1::Opened());
  xylem::v1::Negotiate auth;
  auth.set_name("auth");
  send(Up::kNegotiate, auth);
  send(Up::kPull, xylem::v1::Pull());
  send(Up::kAnnounce, xylem::v1::Announce());
  send(15, xylem::v1::Pull());  // of a later version: skipped
  send(Up::kClosed, xylem::v1::Closed());
  send(Up::kClientAck, xylem::v1::ClientAck());
  send(Up::kMoved, xylem::v1::Moved());
  ASSERT_TRUE(Eventually([&] { return log_.size() == 8; }));
  EXPECT_THAT(log_.lines(), ElementsAre("up connmgr-1 on 0", "opened 6", "negotiate auth", "pull 6",
                                        "announce 6", "closed 6", "client_ack 6", "moved 6"));
}

TEST_F(LinkServerTest, AnswersOnTheLinkInOrder) {
  FakeManager& manager = Attach("connmgr-1", 41, 0);
  loops_.RunOn(0, [&] {
    ManagerLinkPtr link = recorders_[0]->link();
    xylem::v1::Negotiated bound;
    bound.set_jid("a@localhost/x");
    link->SendNegotiated(bound);
    link->SendTicket(1, 2, "sealed");
    link->SendAccepted(1, 2, 300);
    link->SendClose(1, 2, {xmpp::StreamCondition::kPolicyViolation, "why", "<x xmlns='y'/>"});
    link->SendFenced(1, 2);
    link->SendGap(1, 2, 4);
    link->SendEnded(1, 2);
  });
  ASSERT_TRUE(Eventually([&] { return manager.count() == 7; }));
  const auto downs = manager.downs();
  EXPECT_EQ(downs[0].negotiated().jid(), "a@localhost/x");
  EXPECT_EQ(downs[1].ticket().ticket(), "sealed");
  EXPECT_EQ(downs[2].accepted().connection(), 1u);
  EXPECT_EQ(downs[2].accepted().epoch(), 2u);
  EXPECT_EQ(downs[2].accepted().up_to(), 300u);
  EXPECT_EQ(downs[3].control().close().error().condition(), "policy-violation");
  EXPECT_EQ(downs[3].control().close().error().text(), "why");
  EXPECT_EQ(downs[3].control().close().error().app_condition(), "<x xmlns='y'/>");
  EXPECT_EQ(downs[4].control().fenced().epoch(), 2u);
  EXPECT_EQ(downs[5].control().gap().expected(), 4u);
  EXPECT_EQ(downs[6].ended().connection(), 1u);
  EXPECT_EQ(server_->stats().frames_out, 2u);  // Hello, and what one turn said
}

TEST_F(LinkServerTest, DeliversOneItemToEachManagerLoop) {
  FakeManager& a0 = Attach("connmgr-1", 41, 0);
  FakeManager& a1 = Attach("connmgr-1", 41, 1);
  FakeManager& b0 = Attach("connmgr-2", 42, 0);
  for (FakeManager* manager : {&a0, &a1, &b0}) manager->TakeAll();
  std::vector<DeliverTarget> targets;
  for (uint64_t i = 1; i <= 3; ++i) {
    targets.push_back(To("connmgr-1", 41, Connection(0, i)));
    targets.push_back(To("connmgr-1", 41, Connection(1, i)));
    targets.push_back(To("connmgr-2", 42, Connection(0, i)));
  }
  for (int loop = 0; loop < kLoops; ++loop) {
    EXPECT_EQ(Deliver(loop, "<message/>", targets), std::vector<Outcome>(9, Outcome::kTaken));
  }
  for (FakeManager* manager : {&a0, &a1, &b0}) {
    const auto delivers = manager->delivers();
    ASSERT_EQ(delivers.size(), 2u);
    EXPECT_EQ(delivers[0].number(), 1u);
    EXPECT_EQ(delivers[1].number(), 2u);
    EXPECT_EQ(delivers[0].body(), "<message/>");
    EXPECT_EQ(delivers[0].splice_offset(), 8u);
    ASSERT_EQ(delivers[0].targets_size(), 3);
    for (int i = 0; i < 3; ++i) {
      const auto n = static_cast<uint64_t>(i + 1);
      const auto& target = delivers[0].targets(i);
      EXPECT_EQ(target.connection(), Connection(manager == &a1 ? 1 : 0, n));
      EXPECT_EQ(target.epoch(), 5u);
      EXPECT_EQ(target.to(), "juliet@localhost/" + std::to_string(n));
      EXPECT_EQ(target.effect().size(), 17u);
    }
  }
  // a1 lives on loop 1, the others on loop 0.
  EXPECT_EQ(server_->stats().handed_over, 3u);
}

TEST_F(LinkServerTest, MapsRefusalsToTargets) {
  FakeManager& a0 = Attach("connmgr-1", 41, 0);
  FakeManager& a1 = Attach("connmgr-1", 41, 1);
  const auto refuse = [](const xylem::v1::Target& target) {
    return static_cast<Reason::Reason>(target.connection() & 0xf);
  };
  a0.TakeAll(refuse);
  a1.TakeAll(refuse);
  std::vector<DeliverTarget> targets;
  for (uint64_t reason : {3, 0, 2, 1}) {
    targets.push_back(To("connmgr-1", 41, Connection(1, reason)));
    targets.push_back(To("connmgr-1", 41, Connection(0, reason)));
  }
  targets.push_back(To("connmgr-9", 1, 1));
  for (int loop = 0; loop < kLoops; ++loop) {
    EXPECT_THAT(Deliver(loop, "<iq/>", targets),
                ElementsAre(Outcome::kBehind, Outcome::kBehind, Outcome::kTaken, Outcome::kTaken,
                            Outcome::kOverflowed, Outcome::kOverflowed, Outcome::kNotHere,
                            Outcome::kNotHere, Outcome::kNoLink));
  }
}

TEST_F(LinkServerTest, HasNoLinkToAnotherIncarnationOrLoop) {
  FakeManager& manager = Attach("connmgr-1", 41, 0);
  manager.TakeAll();
  for (int loop = 0; loop < kLoops; ++loop) {
    EXPECT_THAT(Deliver(loop, "<iq/>", {To("connmgr-1", 40, 1)}), ElementsAre(Outcome::kNoLink));
    EXPECT_THAT(Deliver(loop, "<iq/>", {To("connmgr-2", 41, 1)}), ElementsAre(Outcome::kNoLink));
    EXPECT_THAT(Deliver(loop, "<iq/>", {To("connmgr-1", 41, Connection(1, 1))}),
                ElementsAre(Outcome::kNoLink));
    EXPECT_TRUE(Deliver(loop, "<iq/>", {}).empty());
    EXPECT_THAT(Deliver(loop, "<iq/>", {To("connmgr-1", 41, 1)}), ElementsAre(Outcome::kTaken));
    loops_.RunOn(loop, [&] {
      EXPECT_TRUE(server_->links(loop).IsLinked("connmgr-1", 41));
      EXPECT_FALSE(server_->links(loop).IsLinked("connmgr-1", 40));
    });
  }
  EXPECT_EQ(manager.delivers().size(), 2u);
}

TEST_F(LinkServerTest, DoesNotKnowWhatALostLinkTook) {
  FakeManager& manager = Attach("connmgr-1", 41, 0);
  std::atomic<int> unknown{0};
  for (int loop = 0; loop < kLoops; ++loop) {
    loops_.RunOn(loop, [&] {
      server_->links(loop).Deliver({.bytes = "<a/>"}, {To("connmgr-1", 41, 1)},
                                   [&](const std::vector<Outcome>& outcomes) {
                                     if (outcomes[0] == Outcome::kUnknown) ++unknown;
                                   });
    });
  }
  ASSERT_TRUE(Eventually([&] { return manager.count() == 2; }));
  manager.Close();
  EXPECT_TRUE(Eventually([&] { return unknown == 2; }));
  EXPECT_TRUE(Eventually([&] { return log_.size() == 2; }));
  EXPECT_EQ(log_.lines()[1], "down connmgr-1 on 0");
  for (int loop = 0; loop < kLoops; ++loop) {
    EXPECT_THAT(Deliver(loop, "<iq/>", {To("connmgr-1", 41, 1)}), ElementsAre(Outcome::kNoLink));
    loops_.RunOn(loop, [&] { EXPECT_FALSE(server_->links(loop).IsLinked("connmgr-1", 41)); });
  }
  loops_.RunOn(0, [&] { recorders_[0]->link()->SendEnded(1, 1); });  // does nothing
}

TEST_F(LinkServerTest, ClosesASessionWhereverItsLinkLives) {
  FakeManager& manager = Attach("connmgr-1", 41, 0);
  for (int loop = 0; loop < kLoops; ++loop) {
    loops_.RunOn(loop, [&] {
      server_->links(loop).Close({"connmgr-1", 41, 8, 5}, {xmpp::StreamCondition::kConflict});
      server_->links(loop).Close({"connmgr-7", 41, 8, 5}, {xmpp::StreamCondition::kConflict});
    });
  }
  ASSERT_TRUE(Eventually([&] { return manager.count() == 2; }));
  for (const auto& down : manager.downs()) {
    EXPECT_EQ(down.control().close().connection(), 8u);
    EXPECT_EQ(down.control().close().epoch(), 5u);
    EXPECT_EQ(down.control().close().error().condition(), "conflict");
  }
}

TEST_F(LinkServerTest, LetsANewerStreamTakeTheOldOnesPlace) {
  FakeManager& first = Attach("connmgr-1", 41, 0);  // on loop 0
  std::atomic<bool> unknown{false};
  loops_.RunOn(1, [&] {
    server_->links(1).Deliver(
        {.bytes = "<a/>"}, {To("connmgr-1", 41, 1)},
        [&](const std::vector<Outcome>& outcomes) { unknown = outcomes[0] == Outcome::kUnknown; });
  });
  ASSERT_TRUE(Eventually([&] { return first.count() == 1; }));
  FakeManager& second = Attach("connmgr-1", 41, 0);  // on loop 1
  EXPECT_TRUE(Eventually([&] { return first.closed() && unknown; }));
  EXPECT_THAT(log_.lines(),
              ElementsAre("up connmgr-1 on 0", "down connmgr-1 on 0", "up connmgr-1 on 1"));
  second.TakeAll();
  for (int loop = 0; loop < kLoops; ++loop) {
    EXPECT_THAT(Deliver(loop, "<iq/>", {To("connmgr-1", 41, 1)}), ElementsAre(Outcome::kTaken));
  }
  EXPECT_EQ(second.delivers()[0].number(), 1u);    // numbers are the stream's own
  FakeManager& other = Attach("connmgr-2", 9, 0);  // on loop 0
  other.TakeAll();
  FakeManager& skip = Connect();  // takes loop 1's turn
  (void)skip;
  FakeManager& third = Attach("connmgr-2", 9, 0);  // on loop 0: the same loop as its predecessor
  third.TakeAll();
  EXPECT_TRUE(Eventually([&] { return other.closed(); }));
  EXPECT_THAT(Deliver(1, "<iq/>", {To("connmgr-2", 9, 1)}), ElementsAre(Outcome::kTaken));
  ASSERT_EQ(server_->managers().size(), 2u);
  EXPECT_EQ(server_->managers()[1].loops, 1u);
}

TEST_F(LinkServerTest, TellsManagersOfGenerationAndDraining) {
  FakeManager& a = Attach("connmgr-1", 41, 0);
  FakeManager& b = Attach("connmgr-2", 42, 0);
  server_->SetGeneration(12);
  server_->SetGeneration(12);  // nothing new
  server_->SetDraining(true);
  for (FakeManager* manager : {&a, &b}) {
    ASSERT_TRUE(Eventually([&] { return manager->count() == 2; }));
    const auto downs = manager->downs();
    EXPECT_EQ(downs[0].control().generation().generation(), 12u);
    EXPECT_TRUE(downs[1].control().has_draining());
    EXPECT_FALSE(downs[1].control().draining().undrain());
  }
  FakeManager& c = Attach("connmgr-3", 43, 0);
  EXPECT_EQ(c.hello().redis_generation(), 12u);
  EXPECT_TRUE(c.hello().draining());
  server_->SetDraining(false);
  ASSERT_TRUE(Eventually([&] { return c.count() == 1 && a.count() == 3; }));
  EXPECT_TRUE(c.downs()[0].control().draining().undrain());
}

TEST_F(LinkServerTest, DrainsOneManagerUntilItIsUndrainedOrStartsAnew) {
  FakeManager& a0 = Attach("connmgr-1", 41, 0);
  FakeManager& b0 = Attach("connmgr-2", 42, 0);
  server_->DrainManager("connmgr-1", false);
  ASSERT_TRUE(Eventually([&] { return a0.count() == 1; }));
  EXPECT_TRUE(a0.downs()[0].control().has_drain_manager());
  FakeManager& a1 = Attach("connmgr-1", 41, 1);  // a late stream of the same run
  ASSERT_TRUE(Eventually([&] { return a1.count() == 1; }));
  EXPECT_FALSE(a1.downs()[0].control().drain_manager().undrain());
  server_->DrainManager("connmgr-1", true);
  ASSERT_TRUE(Eventually([&] { return a0.count() == 2 && a1.count() == 2; }));
  EXPECT_TRUE(a0.downs()[1].control().drain_manager().undrain());
  EXPECT_EQ(b0.count(), 0u);
  server_->DrainManager("connmgr-1", false);
  ASSERT_TRUE(Eventually([&] { return a0.count() == 3; }));
  FakeManager& next_run = Attach("connmgr-1", 99, 0);
  server_->SetGeneration(3);
  ASSERT_TRUE(Eventually([&] { return next_run.count() == 1; }));
  EXPECT_TRUE(next_run.downs()[0].control().has_generation());
}

TEST_F(LinkServerTest, ClosesALinkThatSaysWhatCannotBe) {
  const auto closes = [&](auto misbehave) {
    FakeManager& manager = Attach("connmgr-1", 41, 0);
    const uint64_t before = server_->stats().protocol_errors;
    misbehave(manager);
    EXPECT_TRUE(Eventually([&] { return manager.closed(); }));
    EXPECT_EQ(server_->stats().protocol_errors, before + 1);
  };
  closes([](FakeManager& m) { m.SendRaw("\x12\x7fno such length"); });
  closes([](FakeManager& m) { m.SendRaw(std::string("\x12\x04\x1a\x02\x0b\x0b", 6)); });  // Submit
  closes(
      [](FakeManager& m) { m.SendRaw(std::string("\x12\x05\x22\x03\x08\xff\xff", 7)); });  // Taken
  closes([](FakeManager& m) { m.SendRaw(std::string("\x0a\x00", 2)); });  // a second hello
  closes([](FakeManager& m) {
    xylem::v1::Taken taken;
    taken.set_up_to(1);  // nothing was sent
    m.Send(Up::kTaken, taken);
  });
  EXPECT_EQ(server_->managers().size(), 0u);
}

TEST_F(LinkServerTest, WantsHelloFirst) {
  FakeManager& manager = Connect();
  manager.Send(Up::kPull, xylem::v1::Pull());
  EXPECT_TRUE(Eventually([&] { return manager.closed(); }));
  EXPECT_EQ(server_->stats().protocol_errors, 1u);
  FakeManager& nameless = Connect();
  nameless.Hello("", 1, 0);
  EXPECT_TRUE(Eventually([&] { return nameless.closed(); }));
  FakeManager& beyond = Connect();
  beyond.Hello("connmgr-1", 1, 256);
  EXPECT_TRUE(Eventually([&] { return beyond.closed(); }));
  EXPECT_EQ(log_.size(), 0u);
}

TEST_F(LinkServerTest, SendsWhatIsQueuedBeforeItShutsDown) {
  FakeManager& a = Attach("connmgr-1", 41, 0);
  FakeManager& b = Attach("connmgr-2", 42, 0);
  loops_.RunOn(1, [&] {
    for (uint64_t i = 1; i <= 1000; ++i) recorders_[1]->link()->SendAccepted(1, 2, i);
  });
  server_->Shutdown();
  ASSERT_TRUE(Eventually([&] { return a.closed() && b.closed(); }));
  EXPECT_EQ(b.count(), 1000u);
  const auto lines = log_.lines();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[2], "down connmgr-1 on 0");
  EXPECT_EQ(lines[3], "down connmgr-2 on 1");
  EXPECT_THAT(Deliver(0, "<iq/>", {To("connmgr-1", 41, 1)}), ElementsAre(Outcome::kNoLink));
}

TEST_F(LinkServerTest, AsksForTakenWhicheverLoopDelivered) {
  FakeManager& manager = Connect();
  manager.features = {"late-answers"};
  manager.Attach("connmgr-1", 41, 0);
  for (int i = 0; i < kLoops; ++i) loops_.RunOn(i, [] {});
  const auto asked = [&] {
    int n = 0;
    for (const auto& down : manager.downs()) n += down.control().has_answer_now() ? 1 : 0;
    return n;
  };
  for (int loop = 0; loop < kLoops; ++loop) {
    loops_.RunOn(loop, [&] {
      server_->links(loop).Deliver({.bytes = "<iq/>", .splice_offset = 3}, {To("connmgr-1", 41, 1)},
                                   {});
      server_->links(loop).AskTaken();
    });
    ASSERT_TRUE(Eventually([&] { return asked() == loop + 1; }));
  }
}

TEST_F(LinkServerTest, FindsItsAddressTaken) {
  EXPECT_EQ(StartServer("127.0.0.1:" + std::to_string(server_->port())), nullptr);
}

// The registry keeps reading it.
struct FixedServer final : LinkServer {
  ManagerLinks& links(int) override { std::abort(); }
  int port() const override { return 0; }
  void SetGeneration(uint64_t) override {}
  void SetDraining(bool) override {}
  void SetDomains(std::vector<std::string>) override {}
  void DrainManager(const std::string&, bool) override {}
  std::vector<ManagerInfo> managers() const override { return {{"a", 1, 3}, {"b", 2, 4}}; }
  void Shutdown() override {}
  Stats stats() const override { return {.frames_in = 5, .frames_out = 10, .items_out = 125}; }
};

TEST(LinkMetrics, ExportBatchSizes) {
  static const FixedServer server;
  AddLinkMetrics(&server);
  const std::string text = runtime::Metrics::Get().Text();
  EXPECT_THAT(text, HasSubstr("xylem_business_link_frames_total{direction=\"in\"} 5"));
  EXPECT_THAT(text, HasSubstr("xylem_business_link_items_total{direction=\"out\"} 125"));
  EXPECT_THAT(text, HasSubstr("xylem_business_link_batch_items 12.5"));
  EXPECT_THAT(text, HasSubstr("xylem_business_link_streams 7"));
}

TEST_F(LinkServerTest, TellsWhichDomainsAreServed) {
  FakeManager& here = Attach("connmgr-1", 41, 0);
  server_->SetDomains({"example.org", "localhost"});  // nothing new
  server_->SetDomains({"example.org", "localhost", "mantua.example"});
  ASSERT_TRUE(Eventually([&] { return here.count() == 1; }));
  EXPECT_THAT(here.downs()[0].control().domains().domains(),
              ElementsAre("example.org", "localhost", "mantua.example"));
  FakeManager& later = Attach("connmgr-2", 42, 0);
  EXPECT_THAT(later.hello().domains(), ElementsAre("example.org", "localhost", "mantua.example"));
}

}  // namespace
}  // namespace business
