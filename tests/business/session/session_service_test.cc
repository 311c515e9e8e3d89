#include "business/session/session_service.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/build_speed.h"
#include "tests/business/session/session_service_fixture.h"

namespace business {
namespace {

using xylem::v1::Negotiated;

// ---- streams before their session ----

TEST_F(SessionServiceTest, LetsTheAuthenticatorSpeakToAStreamWithoutTicket) {
  Server s(redis_->address());
  auto link = s.Link();
  s.Run([&] {
    xylem::v1::Opened opened;
    opened.set_connection(1);
    s.service->OnOpened(link, opened);
    xylem::v1::Negotiate auth;
    auth.set_connection(1);
    auth.set_namespace_("urn:ietf:params:xml:ns:xmpp-sasl");
    auth.set_name("auth");
    s.service->OnNegotiate(link, auth);
    s.Closed(link, 1, 0, "");
    s.service->OnLinkDown(link);
    EXPECT_EQ(s.login.said, "opened sasl closed down ");
    EXPECT_TRUE(link->answers.empty());
  });
}

TEST_F(SessionServiceTest, OffersBindAndWhatFeaturesSayToAnAuthenticatedStream) {
  SessionService::Options options;
  options.stream_features = [] { return "<x xmlns='urn:x'/>"; };
  Server s(redis_->address(), options);
  auto link = s.Link();
  s.Run([&] {
    xylem::v1::Opened opened;
    opened.set_connection(4);
    opened.set_domain("example.org");
    opened.set_ticket(s.Identity(*link, 4, kRomeo));
    s.service->OnOpened(link, opened);
    ASSERT_EQ(link->answers.size(), 1u);
    EXPECT_EQ(link->answers[0].outcome(), Negotiated::FEATURES);
    EXPECT_EQ(link->answers[0].features(),
              "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
              "<x xmlns='urn:x'/>");
  });
}

TEST_F(SessionServiceTest, ClosesAStreamWhoseTicketIsNotItsOwn) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated bound = s.Bind(link, 1, kRomeo, "a");
  s.Run([&] {
    link->answers.clear();
    xylem::v1::Opened opened;
    opened.set_connection(4);
    opened.set_ticket(s.Identity(*link, 5, kRomeo));  // of another connection
    s.service->OnOpened(link, opened);
    opened.set_connection(1);
    opened.set_ticket(bound.ticket());  // of a session
    s.service->OnOpened(link, opened);
    xylem::v1::Negotiate bind;
    bind.set_connection(4);
    bind.set_namespace_("urn:ietf:params:xml:ns:xmpp-bind");
    s.service->OnNegotiate(link, bind);  // none
    ASSERT_EQ(link->answers.size(), 3u);
    for (const Negotiated& answer : link->answers) {
      EXPECT_EQ(answer.outcome(), Negotiated::CLOSE);
      EXPECT_EQ(answer.error().condition(), "not-authorized");
    }
  });
}

TEST_F(SessionServiceTest, ClosesAStreamToAnotherDomainThanItsAccounts) {
  Server s(redis_->address());
  auto link = s.Link();
  s.Run([&] {
    xylem::v1::Opened opened;
    opened.set_connection(4);
    opened.set_domain("example.net");
    opened.set_ticket(s.Identity(*link, 4, kRomeo));
    s.service->OnOpened(link, opened);
    EXPECT_EQ(link->answers.back().error().condition(), "host-unknown");
  });
}

// ---- bind ----

TEST_F(SessionServiceTest, BindsTheResourceThatWasAskedFor) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated bound = s.Bind(link, 1, kRomeo, "balcony");
  EXPECT_EQ(bound.outcome(), Negotiated::BOUND);
  EXPECT_EQ(bound.connection(), 1u);
  EXPECT_EQ(bound.jid(), "romeo@example.org/balcony");
  EXPECT_EQ(bound.account(), kRomeo);
  EXPECT_EQ(bound.reply(),
            "<iq type='result' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            "<jid>romeo@example.org/balcony</jid></bind></iq>");
  EXPECT_EQ(bound.session().size(), 16u);
  const auto rows = s.Rows(kRomeo);
  ASSERT_EQ(rows.size(), 1u);
  const cluster::Owner owner{"connmgr-1", 77, 1, bound.epoch()};
  EXPECT_EQ(rows[0].owner, owner);
  EXPECT_EQ(rows[0].session, bound.session());
  EXPECT_EQ(rows[0].peer_address, "192.0.2.1:5000");
  EXPECT_EQ(bound.epoch() >> cluster::kEpochCounterBits, 1u) << "the generation";
  s.Run([&] {
    const SessionPtr session = s.table->Find(link.get(), 1);
    ASSERT_TRUE(session);
    EXPECT_EQ(session->mechanism, "SCRAM-SHA-256");
    EXPECT_TRUE(OpenTicket(s.sealer, *link, 1, bound.ticket()));
  });
}

TEST_F(SessionServiceTest, MakesAResourceUpThatAnotherServerWouldMakeToo) {
  Server one(redis_->address()), two(redis_->address());
  auto link = one.Link();
  const Negotiated first = one.Bind(link, 1, kRomeo, "");
  const Negotiated other = one.Bind(link, 2, kRomeo, "");
  EXPECT_NE(first.jid(), other.jid());
  // The answer to the first was lost with its server: the manager asks the next one.
  const Negotiated again = two.Bind(link, 1, kRomeo, "");
  EXPECT_EQ(again.jid(), first.jid());
  EXPECT_GT(again.epoch(), first.epoch());
  EXPECT_EQ(two.Rows(kRomeo).size(), 2u);
  EXPECT_TRUE(two.Get([&] { return two.links.conflicts.empty(); }))
      << "the stream must not be closed by its own first bind";
}

TEST_F(SessionServiceTest, AnswersABadResourceAndLetsTheStreamTryAgain) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated refused = s.Bind(link, 1, kRomeo, std::string(1024, 'a'));
  EXPECT_EQ(refused.outcome(), Negotiated::CONTINUE);
  EXPECT_NE(refused.reply().find("<bad-request"), std::string::npos);
  EXPECT_EQ(s.Bind(link, 1, kRomeo, "good").outcome(), Negotiated::BOUND);
}

TEST_F(SessionServiceTest, ReplacesTheOlderSessionOfAResource) {
  Server s(redis_->address());
  auto link = s.Link(), elsewhere = s.Link("connmgr-2", 88);
  const Negotiated old = s.Bind(elsewhere, 9, kRomeo, "same");
  const uint64_t replaced = s.metrics.replaced.value();
  const Negotiated fresh = s.Bind(link, 1, kRomeo, "same");
  EXPECT_EQ(fresh.outcome(), Negotiated::BOUND);
  EXPECT_GT(fresh.epoch(), old.epoch());
  EXPECT_EQ(s.metrics.replaced.value(), replaced + 1);
  s.Run([&] {
    const cluster::Owner owner{"connmgr-2", 88, 9, old.epoch()};
    EXPECT_EQ(s.links.conflicts, std::vector<cluster::Owner>{owner});
    ASSERT_EQ(s.events.ends.size(), 1u);
    EXPECT_EQ(s.events.ends[0].account, kRomeo);
    EXPECT_EQ(s.events.ends[0].row.owner, owner);
    // Its manager closes the socket and says so: nothing more to tell.
    s.Closed(elsewhere, 9, old.epoch(), old.ticket());
  });
  EXPECT_TRUE(s.Until([&] { return elsewhere->ended.size() == 1; }));
  EXPECT_EQ(s.Get([&] { return s.events.ends.size(); }), 1u);
  EXPECT_EQ(s.Rows(kRomeo).size(), 1u);
}

TEST_F(SessionServiceTest, RefusesABoundResourceWherePolicySaysSo) {
  Server s(redis_->address(), {.max_resources = 50, .replace = false, .stream_features = nullptr});
  auto link = s.Link();
  s.Bind(link, 1, kRomeo, "same");
  const Negotiated refused = s.Bind(link, 2, kRomeo, "same");
  EXPECT_EQ(refused.outcome(), Negotiated::CONTINUE);
  EXPECT_EQ(refused.reply(),
            "<iq type='error' id='b1'><error type='cancel'>"
            "<conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
  // But nobody is in conflict with the bind that was lost with another server.
  Server other(redis_->address(),
               {.max_resources = 50, .replace = false, .stream_features = nullptr});
  EXPECT_EQ(other.Bind(link, 1, kRomeo, "same").outcome(), Negotiated::BOUND);
  EXPECT_EQ(s.Rows(kRomeo).size(), 1u);
}

TEST_F(SessionServiceTest, RefusesMoreResourcesThanAnAccountMayHave) {
  Server s(redis_->address(), {.max_resources = 2, .replace = true, .stream_features = nullptr});
  auto link = s.Link();
  s.Bind(link, 1, kRomeo, "a");
  s.Bind(link, 2, kRomeo, "b");
  const Negotiated refused = s.Bind(link, 3, kRomeo, "c");
  EXPECT_EQ(refused.outcome(), Negotiated::CONTINUE);
  EXPECT_EQ(refused.reply(),
            "<iq type='error' id='b1'><error type='wait'>"
            "<resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
  EXPECT_EQ(s.Bind(link, 3, kRomeo, "a").outcome(), Negotiated::BOUND)
      << "a replacement is no more";
}

TEST_F(SessionServiceTest, SurvivesAConnectionThatBindsTwice) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated first = s.Bind(link, 1, kRomeo, "a");
  const Negotiated second = s.Bind(link, 1, kRomeo, "a");
  EXPECT_EQ(second.outcome(), Negotiated::BOUND);
  EXPECT_EQ(s.Get([&] { return s.table->size(); }), 1u);
  s.Run([&] { s.Submit(link, second, 1); });
  EXPECT_TRUE(s.Until([&] { return link->accepted.size() == 1; }));
}

TEST_F(SessionServiceTest, LeavesNoRowWhenTheLinkGoesDownDuringABind) {
  Server s(redis_->address());
  auto link = s.Link();
  const uint64_t binds = s.metrics.binds.value();
  s.Run([&] {
    s.AskBind(link, 1, kRomeo, "a");
    link->up = false;
    s.service->OnLinkDown(link);
  });
  EXPECT_TRUE(s.Until([&] { return s.events.ends.size() == 1; })) << "bound, and ended again";
  EXPECT_EQ(s.metrics.binds.value(), binds + 1);
  EXPECT_TRUE(s.Rows(kRomeo).empty());
  EXPECT_EQ(s.Get([&] { return s.table->size(); }), 0u);
  EXPECT_TRUE(s.Get([&] { return link->answers.empty(); }));
}

TEST_F(SessionServiceTest, LeavesNoRowWhenTheConnectionClosesDuringABind) {
  Server s(redis_->address());
  auto link = s.Link();
  s.Run([&] {
    s.AskBind(link, 1, kRomeo, "a");
    s.Closed(link, 1, 0, "");
  });
  EXPECT_TRUE(s.Until([&] { return s.events.ends.size() == 1; }));
  EXPECT_TRUE(s.Rows(kRomeo).empty());
  EXPECT_EQ(s.Get([&] { return s.table->size(); }), 0u);
}

TEST_F(SessionServiceTest, EndsASessionWhoseBoundCrossedTheClosedOfItsConnection) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated bound = s.Bind(link, 1, kRomeo, "a");
  s.Run([&] { s.Closed(link, 1, 0, ""); });
  EXPECT_TRUE(s.Until([&] { return link->ended.size() == 1; }));
  EXPECT_EQ(s.Get([&] { return link->ended[0].epoch; }), bound.epoch());
  EXPECT_TRUE(s.Rows(kRomeo).empty());
}

TEST_F(SessionServiceTest, AnswersWaitWhileRedisIsStoppedAndLeavesNoRowBehind) {
  Server s(redis_->address());
  auto link = s.Link();
  s.Bind(link, 9, "juliet@example.org", "warm");
  redis_->Pause();
  s.Run([&] { s.AskBind(link, 1, kRomeo, "a"); });
  // What lies in Redis' socket is done when it wakes: only then it is known what became of it.
  EXPECT_TRUE(s.Until([&] { return link->answers.size() == 2; }));
  redis_->Resume();
  const Negotiated answer = s.Get([&] { return link->answers.back(); });
  EXPECT_EQ(answer.outcome(), Negotiated::CONTINUE);
  EXPECT_NE(answer.reply().find("<resource-constraint"), std::string::npos);
  EXPECT_TRUE(runtime::Eventually([&] { return s.redis.IsUp(); }));
  // The first attempt was carried out by a Redis that slept; it is found and undone.
  EXPECT_TRUE(s.Until([&] { return s.events.ends.size() == 1; }));
  EXPECT_TRUE(s.Rows(kRomeo).empty());
}

TEST_F(SessionServiceTest, BindsOnceWhenItsFirstOutcomeWasUnknown) {
  Server s(redis_->address());
  auto link = s.Link();
  s.Bind(link, 9, "juliet@example.org", "warm");
  const uint64_t timeouts = s.redis.client()->stats().timeouts;
  redis_->Pause();
  s.Run([&] { s.AskBind(link, 1, kRomeo, "a"); });
  EXPECT_TRUE(runtime::Eventually([&] { return s.redis.client()->stats().timeouts > timeouts; }));
  redis_->Resume();
  EXPECT_TRUE(s.Until([&] { return link->answers.size() == 2; }));
  const Negotiated answer = s.Get([&] { return link->answers.back(); });
  EXPECT_EQ(answer.outcome(), Negotiated::BOUND);
  const auto rows = s.Rows(kRomeo);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].owner.epoch, answer.epoch());
  EXPECT_TRUE(s.Get([&] { return s.links.conflicts.empty() && s.events.ends.empty(); }))
      << "it did not replace itself";
}

// ---- submissions ----

TEST_F(SessionServiceTest, HandsASubmittedStanzaToTheRouterAndTellsItAccepted) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated bound = s.Bind(link, 1, kRomeo, "a");
  s.Run([&] {
    s.Submit(link, bound, 1);
    s.Submit(link, bound, 2);
  });
  EXPECT_TRUE(s.Until([&] { return !link->accepted.empty(); }));
  s.Run([&] {
    ASSERT_EQ(link->accepted.size(), 1u) << "once a turn";
    EXPECT_EQ(link->accepted[0], (Told{1, bound.epoch(), 2, {}}));
    ASSERT_EQ(s.router->stanzas.size(), 2u);
    const xmpp::Stanza& stanza = s.router->stanzas[0];
    EXPECT_EQ(stanza.kind, xmpp::StanzaKind::kMessage);
    EXPECT_EQ(stanza.type, xmpp::StanzaType::kChat);
    EXPECT_EQ(stanza.verdict, xmpp::Verdict::kOk);
    EXPECT_EQ(stanza.id, "m1");
    EXPECT_EQ(stanza.to, "juliet@example.org");
    EXPECT_EQ(stanza.lang, "en");
    EXPECT_EQ(stanza.flags, xmpp::kHasBody);
    EXPECT_EQ(stanza.bytes, "<message type='chat'><body>x</body></message>");
  });
}

TEST_F(SessionServiceTest, AsksForTheAnnouncementOfASessionItDoesNotKnow) {
  Server s(redis_->address());
  auto link = s.Link();
  s.Run([&] {
    Negotiated unknown;
    unknown.set_connection(3);
    unknown.set_epoch(12);
    s.Submit(link, unknown, 1);
    EXPECT_EQ(link->gaps, (std::vector<Told>{{3, 12, 0, {}}}));
  });
}

TEST_F(SessionServiceTest, RefusesAGapOnceAndGoesOnBehindIt) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated bound = s.Bind(link, 1, kRomeo, "a");
  s.Run([&] {
    s.Submit(link, bound, 2);
    s.Submit(link, bound, 3);
    EXPECT_EQ(link->gaps, (std::vector<Told>{{1, bound.epoch(), 1, {}}}));
    for (uint64_t in_seq = 1; in_seq <= 3; ++in_seq) s.Submit(link, bound, in_seq);
  });
  EXPECT_TRUE(
      s.Until([&] { return !link->accepted.empty() && link->accepted.back().number == 3; }));
  EXPECT_EQ(s.Get([&] { return s.router->stanzas.size(); }), 3u);
}

TEST_F(SessionServiceTest, TellsAgainWhatIsAcceptedWhenItIsRepeated) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated bound = s.Bind(link, 1, kRomeo, "a");
  s.Run([&] { s.Submit(link, bound, 1); });
  EXPECT_TRUE(s.Until([&] { return link->accepted.size() == 1; }));
  s.Run([&] { s.Submit(link, bound, 1); });
  EXPECT_TRUE(s.Until([&] { return link->accepted.size() == 2; }));
  EXPECT_EQ(s.Get([&] { return link->accepted.back().number; }), 1u);
  EXPECT_EQ(s.Get([&] { return s.router->stanzas.size(); }), 1u) << "handled once";
}

TEST_F(SessionServiceTest, DoesNotTellARepetitionAcceptedThatIsStillUnderWay) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated bound = s.Bind(link, 1, kRomeo, "a");
  s.Run([&] {
    s.router->hold = true;
    s.Submit(link, bound, 1);
    s.Submit(link, bound, 1);
  });
  EXPECT_TRUE(
      s.Until([&] { return s.router->under_way[0]->state() == Submission::State::kIssued; }));
  EXPECT_TRUE(s.Get([&] { return link->accepted.empty(); }));
  s.Run([&] { s.router->FinishAll(); });
  EXPECT_TRUE(s.Until([&] { return link->accepted.size() == 1; }));
}

TEST_F(SessionServiceTest, FencesAnOlderEpochAndDropsAnOlderTurn) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated bound = s.Bind(link, 1, kRomeo, "a");
  Negotiated older = bound;
  older.set_epoch(bound.epoch() - 1);
  s.Run([&] {
    s.Submit(link, older, 1);
    EXPECT_EQ(link->fenced, (std::vector<Told>{{1, older.epoch(), 0, {}}}));
    s.Announce(link, bound, bound.ticket(), 0, 3);
    s.Submit(link, bound, 1, 2);
    EXPECT_TRUE(s.router->stanzas.empty());
    s.Submit(link, bound, 1, 3);
    EXPECT_EQ(s.router->stanzas.size(), 1u);
    EXPECT_TRUE(link->gaps.empty());
    s.Submit(link, bound, 2, 4);  // it was elsewhere since
    EXPECT_EQ(link->gaps, (std::vector<Told>{{1, bound.epoch(), 0, {}}}));
  });
}

}  // namespace
}  // namespace business
