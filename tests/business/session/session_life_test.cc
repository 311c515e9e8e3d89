// Sessions that are announced, end, and move: what the service does with them.
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

// ---- announcements ----

TEST_F(SessionServiceTest, CarriesOnBehindWhatAnAnnouncedSessionHadAccepted) {
  Server home(redis_->address()), next(redis_->address());
  auto link = home.Link();
  const Negotiated bound = home.Bind(link, 1, kRomeo, "a");
  auto again = next.Link();
  next.Run([&] {
    next.Announce(again, bound, bound.ticket(), 40, 1);
    next.Submit(again, bound, 41, 1);
    EXPECT_EQ(next.table->Find(again.get(), 1)->state, Session::State::kAnnouncing);
  });
  EXPECT_TRUE(
      next.Until([&] { return !again->accepted.empty() && again->accepted.back().number == 41; }));
  next.Run([&] {
    EXPECT_EQ(again->accepted[0], (Told{1, bound.epoch(), 40, {}}));
    ASSERT_EQ(again->tickets.size(), 1u);
    EXPECT_TRUE(OpenTicket(next.sealer, *again, 1, again->tickets[0].ticket));
    const SessionPtr session = next.table->Find(again.get(), 1);
    EXPECT_EQ(session->full().ToString(), "romeo@example.org/a");
    EXPECT_EQ(session->state, Session::State::kLive);
    EXPECT_EQ(session->turn, 1u);
    EXPECT_TRUE(again->gaps.empty());
  });
  EXPECT_EQ(next.Rows(kRomeo).size(), 1u);
}

TEST_F(SessionServiceTest, BringsARowBackThatRedisLost) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated bound = s.Bind(link, 1, kRomeo, "a");
  redis_->Do({"FLUSHALL"});
  s.Run([&] {
    s.generation->Set(2);
    s.Announce(link, bound, bound.ticket(), 0, 0, 2);
  });
  EXPECT_TRUE(s.Until([&] { return link->accepted.size() == 1; }));
  const auto rows = s.Rows(kRomeo);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].owner.epoch, bound.epoch()) << "it keeps its epoch";
  EXPECT_EQ(rows[0].announced_generation, 2u);
  EXPECT_NE(rows[0].since_ms, 0u);
  EXPECT_NE(redis_->Do({"SMEMBERS", "x:{m:connmgr-1.000000000000004d}:accounts"}).find(kRomeo),
            std::string::npos);
}

TEST_F(SessionServiceTest, KnowsByTheTicketThatRedisWasLostBeforeItCame) {
  Server old(redis_->address()), s(redis_->address());
  auto link = old.Link();
  const Negotiated bound = old.Bind(link, 1, kRomeo, "a");
  redis_->Do({"FLUSHALL"});
  s.Run([&] {
    s.generation = std::make_unique<GenerationWatch>(s.shard.loop);
    s.shard.generation = s.generation.get();
    s.generation->Set(2);  // the first it hears
    EXPECT_TRUE(s.generation->settled());
    s.Announce(link, bound, bound.ticket(), 0, 1, 2);
  });
  EXPECT_TRUE(s.Until([&] { return link->accepted.size() == 1; }));
  EXPECT_FALSE(s.Get([&] { return s.generation->settled(); }));
  // Under the new generation its ticket is new, too.
  s.Run([&] {
    const auto opened = OpenTicket(s.sealer, *link, 1, link->tickets.back().ticket);
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->record.announced_generation, 2u);
  });
}

TEST_F(SessionServiceTest, WaitsForTheGenerationThatTheManagerKnows) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated bound = s.Bind(link, 1, kRomeo, "a");
  s.Run([&] { s.Announce(link, bound, bound.ticket(), 0, 0, 2); });
  s.Bind(link, 2, kRomeo, "b");
  EXPECT_TRUE(s.Get([&] { return link->accepted.empty(); }));
  s.Run([&] { s.generation->Set(2); });
  EXPECT_TRUE(s.Until([&] { return link->accepted.size() == 1; }));
  for (const auto& row : s.Rows(kRomeo)) {
    EXPECT_EQ(row.announced_generation, row.resource == "a" ? 2u : 1u);
  }
}

TEST_F(SessionServiceTest, KeepsTheHigherAcceptedOfASessionThatIsHereAlready) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated bound = s.Bind(link, 1, kRomeo, "a");
  s.Run([&] {
    for (uint64_t in_seq = 1; in_seq <= 3; ++in_seq) s.Submit(link, bound, in_seq);
  });
  EXPECT_TRUE(
      s.Until([&] { return !link->accepted.empty() && link->accepted.back().number == 3; }));
  s.Run([&] {
    link->accepted.clear();
    s.Announce(link, bound, bound.ticket(), 1, 0);
    s.Submit(link, bound, 2);
    s.Submit(link, bound, 3);
    s.Submit(link, bound, 4);
  });
  EXPECT_TRUE(
      s.Until([&] { return !link->accepted.empty() && link->accepted.back().number == 4; }));
  s.Run([&] {
    for (const Told& told : link->accepted) EXPECT_GE(told.number, 3u);
    EXPECT_EQ(s.router->stanzas.size(), 4u) << "nothing twice";
    EXPECT_TRUE(link->gaps.empty());
  });
}

TEST_F(SessionServiceTest, FencesAnAnnouncedSessionThatWasReplaced) {
  Server s(redis_->address()), next(redis_->address());
  auto link = s.Link();
  const Negotiated old = s.Bind(link, 1, kRomeo, "a");
  s.Bind(link, 2, kRomeo, "a");
  auto again = next.Link();
  next.Run([&] {
    next.Announce(again, old, old.ticket(), 0, 1);
    next.Submit(again, old, 1, 1);
  });
  EXPECT_TRUE(next.Until([&] { return again->fenced.size() == 1; }));
  next.Run([&] {
    EXPECT_EQ(again->fenced[0], (Told{1, old.epoch(), 0, {}}));
    EXPECT_EQ(next.table->size(), 0u);
    EXPECT_TRUE(again->accepted.empty());
  });
  const auto rows = next.Rows(kRomeo);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].owner.connection, 2u);
}

TEST_F(SessionServiceTest, FencesAnAnnouncementWithAForeignTicket) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated bound = s.Bind(link, 1, kRomeo, "a");
  s.Run([&] {
    Negotiated other = bound;
    other.set_connection(2);
    s.Announce(link, other, bound.ticket(), 0, 1);
    s.Announce(link, other, s.Identity(*link, 2, kRomeo), 0, 1);
    other = bound;
    other.set_epoch(bound.epoch() + 1);
    s.Announce(link, other, bound.ticket(), 0, 1);
    EXPECT_EQ(link->fenced.size(), 3u);
    EXPECT_EQ(s.table->size(), 1u);
  });
}

TEST_F(SessionServiceTest, AnnouncesAgainWhenRedisAnswersAgain) {
  Server home(redis_->address()), s(redis_->address());
  auto link = home.Link();
  const Negotiated bound = home.Bind(link, 1, kRomeo, "a");
  redis_->Kill();
  s.Run([&] { s.Announce(link, bound, bound.ticket(), 7, 1); });
  redis_->RestartEmpty();
  EXPECT_TRUE(s.Until([&] { return link->accepted.size() == 1; }));
  EXPECT_EQ(s.Rows(kRomeo).size(), 1u);
}

TEST_F(SessionServiceTest, AnnouncesFiveThousandSessionsWithinThreeSeconds) {
  constexpr uint64_t kSessions = 5000;
  Server s(redis_->address());
  auto link = s.Link();
  std::vector<xylem::v1::Announce> announcements;
  for (uint64_t i = 1; i <= kSessions; ++i) {
    xylem::v1::SealedTicket ticket;
    ticket.set_version(1);
    ticket.set_account("user" + std::to_string(i) + "@example.org");
    ticket.set_manager("connmgr-1");
    ticket.set_manager_incarnation(77);
    ticket.set_connection(i);
    ticket.set_epoch((uint64_t{1} << cluster::kEpochCounterBits) | 1);
    ticket.set_session("0123456789abcdef");
    ticket.set_resource("r");
    ticket.set_redis_generation(1);
    xylem::v1::Announce announce;
    announce.set_connection(i);
    announce.set_epoch(ticket.epoch());
    announce.set_ticket(s.sealer.Seal(ticket.SerializeAsString()));
    announcements.push_back(std::move(announce));
  }
  const auto begin = std::chrono::steady_clock::now();
  s.Run([&] {
    for (const auto& announce : announcements) s.service->OnAnnounce(link, announce);
  });
  EXPECT_TRUE(s.Until([&] { return link->accepted.size() == kSessions; }));
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_LT(took, std::chrono::seconds(3) * xylem_test::kSlowness);
  RecordProperty(
      "milliseconds",
      static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
  EXPECT_EQ(s.Rows("user5000@example.org").size(), 1u);
}

// ---- ends ----

TEST_F(SessionServiceTest, EndsAClosedSessionOnce) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated bound = s.Bind(link, 1, kRomeo, "a");
  s.Run([&] {
    s.table->Find(link.get(), 1)->directed = {"room@conference.example.org/r"};
    s.Closed(link, 1, bound.epoch(), bound.ticket());
    s.Closed(link, 1, bound.epoch(), bound.ticket());
  });
  EXPECT_TRUE(s.Until([&] { return link->ended.size() == 1; }));
  s.Run([&] {
    EXPECT_EQ(link->ended[0], (Told{1, bound.epoch(), 0, {}}));
    ASSERT_EQ(s.events.ends.size(), 1u);
    EXPECT_EQ(s.events.ends[0].row.session, bound.session());
    EXPECT_EQ(s.events.ends[0].directed, std::vector<std::string>{"room@conference.example.org/r"});
    EXPECT_EQ(s.table->size(), 0u);
  });
  EXPECT_TRUE(s.Rows(kRomeo).empty());
}

TEST_F(SessionServiceTest, EndsAClosedSessionBehindItsLastStanza) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated bound = s.Bind(link, 1, kRomeo, "a");
  s.Run([&] {
    s.router->hold = true;
    s.Submit(link, bound, 1);
    s.Closed(link, 1, bound.epoch(), bound.ticket(), 2);
    s.Submit(link, bound, 2);  // sent again behind Closed
  });
  EXPECT_TRUE(
      s.Until([&] { return s.router->under_way.back()->state() == Submission::State::kIssued; }));
  EXPECT_EQ(s.Rows(kRomeo).size(), 1u) << "not while its stanzas are under way";
  s.Run([&] { s.router->FinishAll(); });
  EXPECT_TRUE(s.Until([&] { return link->ended.size() == 1; }));
  EXPECT_EQ(s.Get([&] { return link->accepted.back().number; }), 2u);
  EXPECT_TRUE(s.Rows(kRomeo).empty());
}

TEST_F(SessionServiceTest, EndsASessionThatItKnowsByItsTicketOnly) {
  Server home(redis_->address()), s(redis_->address());
  auto link = home.Link();
  const Negotiated bound = home.Bind(link, 1, kRomeo, "a");
  s.Run([&] { s.Closed(link, 1, bound.epoch(), bound.ticket()); });
  EXPECT_TRUE(s.Until([&] { return link->ended.size() == 1; }));
  s.Run([&] {
    EXPECT_EQ(link->ended[0], (Told{1, bound.epoch(), 0, {}}));
    ASSERT_EQ(s.events.ends.size(), 1u);
    EXPECT_EQ(s.events.ends[0].row.session, bound.session());
  });
  EXPECT_TRUE(s.Rows(kRomeo).empty());
}

TEST_F(SessionServiceTest, ConfirmsTheEndOfWhatItCannotKnow) {
  Server s(redis_->address());
  auto link = s.Link();
  s.Run([&] {
    s.Closed(link, 1, 12, "forged");
    EXPECT_EQ(link->ended, (std::vector<Told>{{1, 12, 0, {}}}));
    EXPECT_TRUE(s.events.ends.empty());
  });
}

TEST_F(SessionServiceTest, TellsOfASessionWhoseRowRedisLost) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated bound = s.Bind(link, 1, kRomeo, "a");
  redis_->Do({"FLUSHALL"});
  s.Run([&] { s.Closed(link, 1, bound.epoch(), bound.ticket()); });
  EXPECT_TRUE(s.Until([&] { return link->ended.size() == 1; }));
  s.Run([&] {
    ASSERT_EQ(s.events.ends.size(), 1u) << "or its contacts see it for ever";
    EXPECT_EQ(s.events.ends[0].row.session, bound.session());
  });
}

TEST_F(SessionServiceTest, EndsASessionThatClosesWhileItIsAnnounced) {
  Server home(redis_->address()), s(redis_->address());
  auto link = home.Link();
  const Negotiated bound = home.Bind(link, 1, kRomeo, "a");
  redis_->Do({"FLUSHALL"});
  s.Run([&] {
    s.Announce(link, bound, bound.ticket(), 4, 1);
    s.Submit(link, bound, 5, 1);
    s.Closed(link, 1, bound.epoch(), bound.ticket(), 5);
  });
  EXPECT_TRUE(s.Until([&] { return link->ended.size() == 1; }));
  s.Run([&] {
    EXPECT_EQ(link->accepted.back().number, 5u);
    EXPECT_EQ(s.events.ends.size(), 1u);
    EXPECT_EQ(s.table->size(), 0u);
  });
  EXPECT_TRUE(s.Rows(kRomeo).empty()) << "the announcement must not outlive the end";
}

TEST_F(SessionServiceTest, EndsASessionOnceRedisAnswersAgain) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated bound = s.Bind(link, 1, kRomeo, "a");
  const uint64_t timeouts = s.redis.client()->stats().timeouts;
  redis_->Pause();
  s.Run([&] { s.Closed(link, 1, bound.epoch(), bound.ticket()); });
  EXPECT_TRUE(runtime::Eventually([&] { return s.redis.client()->stats().timeouts > timeouts; }));
  redis_->Resume();
  EXPECT_TRUE(s.Until([&] { return link->ended.size() == 1; }));
  EXPECT_EQ(s.Get([&] { return s.events.ends.size(); }), 1u) << "the repetition gave the row again";
  EXPECT_TRUE(s.Rows(kRomeo).empty());
}

// ---- homes ----

TEST_F(SessionServiceTest, ForgetsASessionThatMovedWithoutEndingIt) {
  Server s(redis_->address());
  auto link = s.Link();
  const Negotiated bound = s.Bind(link, 1, kRomeo, "a");
  s.Run([&] {
    xylem::v1::Moved moved;
    moved.set_connection(1);
    moved.set_epoch(bound.epoch());
    s.service->OnMoved(link, moved);
    EXPECT_EQ(s.table->size(), 0u);
    s.Submit(link, bound, 1);
    EXPECT_EQ(link->gaps, (std::vector<Told>{{1, bound.epoch(), 0, {}}}));
  });
  EXPECT_EQ(s.Rows(kRomeo).size(), 1u);
}

TEST_F(SessionServiceTest, ForgetsTheSessionsOfALinkThatIsDownWithoutEndingThem) {
  Server s(redis_->address());
  auto link = s.Link(), other = s.Link("connmgr-2", 88);
  const Negotiated bound = s.Bind(link, 1, kRomeo, "a");
  s.Bind(other, 1, kRomeo, "b");
  s.Run([&] {
    s.router->hold = true;
    s.Submit(link, bound, 1);
    link->up = false;
    s.service->OnLinkDown(link);
    EXPECT_EQ(s.table->size(), 1u);
    EXPECT_TRUE(s.router->under_way[0]->session().gone());
    s.router->FinishAll();  // has no effect any more
  });
  EXPECT_EQ(s.Rows(kRomeo).size(), 2u);
  EXPECT_TRUE(s.Get([&] { return link->accepted.empty() && s.events.ends.empty(); }));
}

}  // namespace
}  // namespace business
