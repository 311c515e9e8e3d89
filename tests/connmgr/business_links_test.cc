// Sessions on their links: numbers, windows, homes and ends.
#include "connmgr/business_links.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/connmgr/links_fixture.h"

namespace connmgr {
namespace {

using Window = BusinessLinks::Window;
using xylem::v1::Down;
using xylem::v1::Negotiated;
using xylem::v1::Up;

TEST_F(LinksTest, AManagerSaysWhoItIs) {
  FakeBusiness business({});
  StartLinks({business.address()});
  ASSERT_TRUE(Live(1));
  const auto hellos = business.hellos();
  ASSERT_EQ(hellos.size(), 1u);
  EXPECT_EQ(hellos[0].instance(), "connmgr-1");
  EXPECT_EQ(hellos[0].incarnation(), 77u);
  EXPECT_EQ(hellos[0].protocol_min(), 1u);
  EXPECT_EQ(hellos[0].protocol_max(), 1u);
}

TEST_F(LinksTest, ASessionBindsAndItsStanzasAreAccepted) {
  FakeBusiness business({});
  StartLinks({business.address()});
  ASSERT_TRUE(Live(1));
  TestStream* stream = NewSession("juliet@localhost");
  EXPECT_EQ(On([&] { return links->sessions(); }), 1u);
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(Submit(stream, std::to_string(i)), Window::kOpen);
  ASSERT_TRUE(EventuallyOn([&] { return links->UnacceptedTotal() == 0; }));
  const auto submits = business.Said(Up::kSubmit);
  ASSERT_EQ(submits.size(), 3u);
  for (uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(submits[i].submit().connection(), stream->number);
    EXPECT_EQ(submits[i].submit().epoch(), FakeBusiness::EpochOf(stream->number));
    EXPECT_EQ(submits[i].submit().in_seq(), i + 1);
    EXPECT_EQ(submits[i].submit().attempt(), 0u);
    EXPECT_EQ(submits[i].submit().envelope().body(), std::to_string(i + 1));
  }
  EXPECT_EQ(business.Count(Up::kAnnounce), 0u);
}

TEST_F(LinksTest, AfterAuthenticationTheTicketGoesWithEveryQuestion) {
  FakeBusiness business({});
  StartLinks({business.address()});
  ASSERT_TRUE(Live(1));
  TestStream* stream = NewSession("juliet@localhost");
  const auto opened = business.Said(Up::kOpened);
  ASSERT_EQ(opened.size(), 2u);
  EXPECT_EQ(opened[0].opened().connection(), stream->number);
  EXPECT_EQ(opened[0].opened().ticket(), "");
  EXPECT_EQ(opened[1].opened().ticket(), "identity of juliet@localhost");
  const auto negotiated = business.Said(Up::kNegotiate);
  ASSERT_EQ(negotiated.size(), 2u);
  EXPECT_EQ(negotiated[1].negotiate().ticket(), "identity of juliet@localhost");
  EXPECT_EQ(negotiated[1].negotiate().manager_incarnation(), 77u);
  EXPECT_EQ(negotiated[1].negotiate().element(), "<iq/>");
}

TEST_F(LinksTest, AfterAuthenticationTheAccountChoosesTheServer) {
  FakeBusiness first({.instance = "business-1"}), second({.instance = "business-2"});
  StartLinks({first.address(), second.address()});
  ASSERT_TRUE(Live(2));
  for (int i = 0; i < 4; ++i) {
    NewSession(AccountAt(1, i));
    NewSession(AccountAt(2, i));
  }
  const auto binds = [](FakeBusiness& business) {
    std::set<std::string> tickets;
    for (const Up& item : business.Said(Up::kNegotiate)) {
      if (item.negotiate().name() == "iq") tickets.insert(item.negotiate().ticket());
    }
    return tickets;
  };
  std::set<std::string> at_first, at_second;
  for (int i = 0; i < 4; ++i) {
    at_first.insert("identity of " + AccountAt(1, i));
    at_second.insert("identity of " + AccountAt(2, i));
  }
  EXPECT_EQ(binds(first), at_first);
  EXPECT_EQ(binds(second), at_second);
  // Where a stream authenticated elsewhere than it bound, that server is told to forget it.
  std::set<uint64_t> moved, opened_twice;
  for (FakeBusiness* business : {&first, &second}) {
    for (const Up& item : business->Said(Up::kMoved)) {
      EXPECT_EQ(item.moved().epoch(), 0u);
      moved.insert(item.moved().connection());
    }
  }
  const auto opened = [](FakeBusiness& business) {
    std::set<uint64_t> numbers;
    for (const Up& item : business.Said(Up::kOpened)) numbers.insert(item.opened().connection());
    return numbers;
  };
  for (uint64_t number : opened(first)) {
    if (opened(second).contains(number)) opened_twice.insert(number);
  }
  EXPECT_EQ(moved, opened_twice);
}

TEST_F(LinksTest, AFullWindowOpensAgain) {
  FakeBusiness business({.accept = false});
  StartLinks({business.address()}, {.window_stanzas = 3, .window_bytes = 100000});
  ASSERT_TRUE(Live(1));
  TestStream* stream = NewSession("juliet@localhost");
  EXPECT_EQ(Submit(stream, "1"), Window::kOpen);
  EXPECT_EQ(Submit(stream, "2"), Window::kOpen);
  EXPECT_EQ(Submit(stream, "3"), Window::kFull);
  EXPECT_EQ(Unaccepted(stream), 3u);
  EXPECT_EQ(On([&] { return stream->opened; }), 0);
  Down accepted;
  accepted.mutable_accepted()->set_connection(stream->number);
  accepted.mutable_accepted()->set_epoch(FakeBusiness::EpochOf(stream->number));
  accepted.mutable_accepted()->set_up_to(2);
  business.Send(accepted);
  ASSERT_TRUE(EventuallyOn([&] { return stream->opened == 1; }));
  EXPECT_EQ(Unaccepted(stream), 1u);
  EXPECT_EQ(Submit(stream, "4"), Window::kOpen);
}

TEST_F(LinksTest, ALargeStanzaFillsTheWindowAlone) {
  FakeBusiness business({.accept = false});
  StartLinks({business.address()}, {.window_stanzas = 64, .window_bytes = 1000});
  ASSERT_TRUE(Live(1));
  TestStream* stream = NewSession("juliet@localhost");
  EXPECT_EQ(Submit(stream, std::string(500, 'x')), Window::kOpen);
  EXPECT_EQ(Submit(stream, std::string(50000, 'x')), Window::kFull);
}

// R1, R5: what the dead server may or may not have handled goes to the next, behind an
// announcement.
TEST_F(LinksTest, ALostHomeHandsOverToTheOtherServer) {
  FakeBusiness first({.instance = "business-1", .accept = false});
  FakeBusiness second({.instance = "business-2"});
  StartLinks({first.address(), second.address()});
  ASSERT_TRUE(Live(2));
  TestStream* stream = NewSession(AccountAt(1));
  Submit(stream, "1");
  Submit(stream, "2");
  ASSERT_TRUE(Eventually([&] { return first.Count(Up::kSubmit) == 2; }));
  Down accepted;
  accepted.mutable_accepted()->set_connection(stream->number);
  accepted.mutable_accepted()->set_epoch(FakeBusiness::EpochOf(stream->number));
  accepted.mutable_accepted()->set_up_to(1);
  first.Send(accepted);
  ASSERT_TRUE(EventuallyOn([&] { return links->Unaccepted(stream->number) == 1; }));

  first.Kill();
  ASSERT_TRUE(EventuallyOn([&] { return links->UnacceptedTotal() == 0; }));
  Submit(stream, "3");
  ASSERT_TRUE(Eventually([&] { return second.Count(Up::kSubmit) == 2; }));

  std::vector<Up> said;
  for (const Up& item : second.Said()) {
    if (item.has_announce() || item.has_submit()) said.push_back(item);
  }
  ASSERT_EQ(said.size(), 3u);
  ASSERT_TRUE(said[0].has_announce());
  EXPECT_EQ(said[0].announce().connection(), stream->number);
  EXPECT_EQ(said[0].announce().epoch(), FakeBusiness::EpochOf(stream->number));
  EXPECT_EQ(said[0].announce().turn(), 1u);
  EXPECT_EQ(said[0].announce().ticket(), FakeBusiness::TicketOf(stream->number));
  EXPECT_EQ(said[0].announce().accepted(), 1u);
  EXPECT_EQ(said[0].announce().redis_generation(), 1u);
  EXPECT_EQ(said[1].submit().in_seq(), 2u);
  EXPECT_EQ(said[1].submit().attempt(), 1u);
  EXPECT_EQ(said[1].submit().turn(), 1u);
  EXPECT_EQ(said[1].submit().envelope().body(), "2");
  EXPECT_EQ(said[2].submit().in_seq(), 3u);
  EXPECT_EQ(said[2].submit().attempt(), 0u);
  EXPECT_EQ(said[2].submit().turn(), 1u);
  EXPECT_EQ(On([&] { return stream->lost; }), 0);
  EXPECT_EQ(stats().links_lost, 1u);
  EXPECT_EQ(stats().resubmitted, 1u);
  EXPECT_EQ(stats().rehomed, 1u);
}

// I1 on this side: whatever dies and comes back, every stanza is accepted, and no server sees one
// whose predecessor it does not know.
TEST_F(LinksTest, EveryStanzaIsAcceptedThroughKillsAndReturns) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::vector<std::unique_ptr<FakeBusiness>> servers;
  uint64_t incarnation = 0;
  std::vector<std::string> violations;
  const auto start = [&](int i, int port) {
    return std::make_unique<FakeBusiness>(
        FakeBusiness::Options{.instance = "business-" + std::to_string(i + 1),
                              .incarnation = ++incarnation,
                              .port = port});
  };
  for (int i = 0; i < 2; ++i) servers.push_back(start(i, 0));
  const std::vector<int> ports = {servers[0]->port(), servers[1]->port()};
  StartLinks({servers[0]->address(), servers[1]->address()}, {.window_stanzas = 8});
  ASSERT_TRUE(Live(2));
  for (int i = 0; i < 20; ++i) {
    NewSession(AccountAt(1, i));
    NewSession(AccountAt(2, i));
  }
  const auto end = [&](std::unique_ptr<FakeBusiness>& server) {
    server->Kill();
    for (auto& text : server->violations()) violations.push_back(text);
    server = nullptr;
  };
  const auto submit_some = [&] {
    On([&] {
      xmpp::Stanza stanza;
      stanza.bytes = "<message/>";
      for (auto& stream : streams) {
        for (unsigned n = random() % 4; n > 0 && !stream->full; --n) {
          stream->full = links->Submit(stream->number, stanza) == Window::kFull;
          ++stream->submitted;
        }
      }
    });
  };
  for (int round = 0; round < 30; ++round) {
    for (unsigned n = random() % 20; n > 0; --n) submit_some();
    const size_t i = random() % 2;
    if (servers[i] != nullptr) {
      end(servers[i]);
    } else {
      servers[i] = start(static_cast<int>(i), ports[i]);
    }
    for (unsigned n = random() % 20; n > 0; --n) submit_some();
    if (random() % 2 == 0) continue;
    const int alive = (servers[0] != nullptr) + (servers[1] != nullptr);
    ASSERT_TRUE(Live(alive));
  }
  for (size_t i = 0; i < 2; ++i) {
    if (servers[i] == nullptr) servers[i] = start(static_cast<int>(i), ports[i]);
  }
  ASSERT_TRUE(EventuallyOn([&] { return links->UnacceptedTotal() == 0; }));
  for (auto& server : servers) end(server);
  EXPECT_EQ(violations, std::vector<std::string>());
  EXPECT_EQ(On([&] { return links->sessions(); }), 40u);
  EXPECT_GT(On([&] { return streams[0]->submitted; }), 8u);
  EXPECT_GT(stats().rehomed, 40u);
}

TEST_F(LinksTest, WithoutAnyServerStanzasWaitForOneThatComesBack) {
  auto business = std::make_unique<FakeBusiness>(FakeBusiness::Options{});
  const int port = business->port();
  StartLinks({business->address()});
  ASSERT_TRUE(Live(1));
  TestStream* stream = NewSession("juliet@localhost");
  business->Kill();
  ASSERT_TRUE(Live(0));
  Submit(stream, "1");
  Submit(stream, "2");
  EXPECT_EQ(Unaccepted(stream), 2u);
  business = std::make_unique<FakeBusiness>(FakeBusiness::Options{.incarnation = 2, .port = port});
  ASSERT_TRUE(EventuallyOn([&] { return links->UnacceptedTotal() == 0; }));
  const auto submits = business->Said(Up::kSubmit);
  ASSERT_EQ(submits.size(), 2u);
  EXPECT_EQ(submits[0].submit().attempt(), 0u);
  EXPECT_EQ(submits[0].submit().turn(), 1u);
  EXPECT_EQ(business->Count(Up::kAnnounce), 1u);
  EXPECT_EQ(stats().resubmitted, 0u);
}

TEST_F(LinksTest, AStreamThatOpensWithoutAnyServerIsAnsweredByTheFirst) {
  int port;
  {
    FakeBusiness gone({});
    port = gone.port();
  }
  StartLinks({"127.0.0.1:" + std::to_string(port)});
  TestStream* stream = NewStream();
  EXPECT_EQ(On([&] { return links->live(); }), 0);
  FakeBusiness business({.port = port});
  ASSERT_TRUE(EventuallyOn([&] { return stream->answers.size() == 1; }));
  EXPECT_EQ(business.Count(Up::kOpened), 1u);
  EXPECT_EQ(On([&] { return stream->lost; }), 0);
}

TEST_F(LinksTest, ANegotiationWhoseServerDiesIsToldAndBeginsAnewElsewhere) {
  FakeBusiness first({.instance = "business-1", .bind = false});
  FakeBusiness second({.instance = "business-2", .bind = false});
  StartLinks({first.address(), second.address()});
  ASSERT_TRUE(Live(2));
  TestStream* stream = NewStream();
  ASSERT_TRUE(EventuallyOn([&] { return stream->answers.size() == 1; }));
  On([&] { links->Negotiate(stream->number, "juliet@localhost", "urn:sasl", "auth"); });
  ASSERT_TRUE(
      Eventually([&] { return first.Count(Up::kNegotiate) + second.Count(Up::kNegotiate) == 1; }));
  const bool at_first = first.Count(Up::kNegotiate) == 1;
  FakeBusiness& begun = at_first ? first : second;
  FakeBusiness& other = at_first ? second : first;
  begun.Kill();
  ASSERT_TRUE(EventuallyOn([&] { return stream->lost == 1; }));
  // The client tries again: the other server has to hear of the stream first, and its answer to
  // that is not for the client.
  other.Change([](FakeBusiness::Options& options) { options.bind = true; });
  On([&] { links->Negotiate(stream->number, "juliet@localhost", "urn:sasl", "auth"); });
  ASSERT_TRUE(EventuallyOn([&] { return stream->answers.size() == 2; }));
  EXPECT_EQ(On([&] { return stream->answers.back().outcome(); }), Negotiated::AUTHENTICATED);
  const auto said = other.Said();
  ASSERT_EQ(said.size(), 2u);
  EXPECT_EQ(said[0].opened().domain(), "localhost");
  EXPECT_EQ(said[1].negotiate().name(), "auth");
}

TEST_F(LinksTest, AGapIsFilledFromTheExpectedNumber) {
  FakeBusiness business({.accept = false});
  StartLinks({business.address()});
  ASSERT_TRUE(Live(1));
  TestStream* stream = NewSession("juliet@localhost");
  for (int i = 1; i <= 4; ++i) Submit(stream, std::to_string(i));
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kSubmit) == 4; }));
  Down gap;
  gap.mutable_control()->mutable_gap()->set_connection(stream->number);
  gap.mutable_control()->mutable_gap()->set_epoch(FakeBusiness::EpochOf(stream->number));
  gap.mutable_control()->mutable_gap()->set_expected(3);
  business.Send(gap);
  business.Send(gap);  // of the stanza behind it: says nothing new
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kSubmit) >= 6; }));
  Submit(stream, "5");
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kSubmit) == 7; }));
  const auto submits = business.Said(Up::kSubmit);
  EXPECT_EQ(submits[4].submit().in_seq(), 3u);
  EXPECT_EQ(submits[4].submit().attempt(), 1u);
  EXPECT_EQ(submits[5].submit().in_seq(), 4u);
  EXPECT_EQ(submits[6].submit().in_seq(), 5u);
  EXPECT_EQ(business.Count(Up::kAnnounce), 0u);
}

TEST_F(LinksTest, AServerThatDoesNotKnowTheSessionIsToldOnce) {
  FakeBusiness business({.accept = false});
  StartLinks({business.address()});
  ASSERT_TRUE(Live(1));
  TestStream* stream = NewSession("juliet@localhost");
  for (int i = 1; i <= 3; ++i) Submit(stream, std::to_string(i));
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kSubmit) == 3; }));
  Down gap;
  gap.mutable_control()->mutable_gap()->set_connection(stream->number);
  gap.mutable_control()->mutable_gap()->set_epoch(FakeBusiness::EpochOf(stream->number));
  for (int i = 0; i < 3; ++i) business.Send(gap);  // one for each stanza
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kSubmit) >= 6; }));
  Submit(stream, "4");
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kSubmit) >= 7; }));
  EXPECT_EQ(business.Count(Up::kSubmit), 7u);
  ASSERT_EQ(business.Count(Up::kAnnounce), 1u);
  EXPECT_EQ(business.Said(Up::kAnnounce)[0].announce().ticket(),
            FakeBusiness::TicketOf(stream->number));

  // Once that is answered, the same word is news again.
  Down accepted;
  accepted.mutable_accepted()->set_connection(stream->number);
  accepted.mutable_accepted()->set_epoch(FakeBusiness::EpochOf(stream->number));
  accepted.mutable_accepted()->set_up_to(1);
  business.Send(accepted);
  business.Send(gap);
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kSubmit) == 10; }));
  EXPECT_EQ(business.Count(Up::kAnnounce), 2u);
  EXPECT_EQ(business.Said(Up::kSubmit)[7].submit().in_seq(), 2u);
}

// R3: another owner stands in the record.
TEST_F(LinksTest, AFencedSessionIsClosedAndNothingOfItIsSaidAnyMore) {
  FakeBusiness business({.accept = false});
  StartLinks({business.address()});
  ASSERT_TRUE(Live(1));
  TestStream* stream = NewSession("juliet@localhost");
  Submit(stream, "1");
  Down fenced;
  fenced.mutable_control()->mutable_fenced()->set_connection(stream->number);
  fenced.mutable_control()->mutable_fenced()->set_epoch(1);  // not this session's
  business.Send(fenced);
  fenced.mutable_control()->mutable_fenced()->set_epoch(FakeBusiness::EpochOf(stream->number));
  business.Send(fenced);
  ASSERT_TRUE(EventuallyOn([&] { return stream->orders.size() == 1; }));
  EXPECT_EQ(stream->orders[0], std::pair(xmpp::StreamCondition::kConflict, true));
  EXPECT_EQ(On([&] { return links->sessions(); }), 0u);
  EXPECT_EQ(On([&] { return links->UnacceptedTotal(); }), 0u);
  EXPECT_EQ(Submit(stream, "too late"), Window::kOpen);
  On([&] { links->Forget(stream->number, "conflict", false); });
  EXPECT_EQ(On([&] { return links->closing(); }), 0u);
  // What is said next comes behind what was not said.
  TestStream* next = NewSession("romeo@localhost");
  Submit(next, "2");
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kSubmit) == 2; }));
  EXPECT_EQ(business.Count(Up::kClosed), 0u);
}

TEST_F(LinksTest, AnOrderToCloseReachesItsSessionOnly) {
  FakeBusiness business({});
  StartLinks({business.address()});
  ASSERT_TRUE(Live(1));
  TestStream* stream = NewSession("juliet@localhost");
  TestStream* other = NewSession("romeo@localhost");
  Down close;
  close.mutable_control()->mutable_close()->set_connection(stream->number);
  close.mutable_control()->mutable_close()->set_epoch(FakeBusiness::EpochOf(stream->number));
  close.mutable_control()->mutable_close()->mutable_error()->set_condition("policy-violation");
  business.Send(close);
  ASSERT_TRUE(EventuallyOn([&] { return stream->orders.size() == 1; }));
  EXPECT_EQ(stream->orders[0], std::pair(xmpp::StreamCondition::kPolicyViolation, false));
  EXPECT_TRUE(other->orders.empty());
}

TEST_F(LinksTest, ANewGenerationIsAnsweredByEverySessionWithinTwoSeconds) {
  constexpr size_t kSessions = 5000;
  FakeBusiness business({});
  StartLinks({business.address()});
  ASSERT_TRUE(Live(1));
  std::vector<TestStream*> all;
  On([&] {
    for (size_t i = 0; i < kSessions; ++i) {
      streams.push_back(std::make_unique<TestStream>());
      TestStream* stream = streams.back().get();
      all.push_back(stream);
      stream->number = links->Register(stream);
      links->Open(stream->number, {});
      links->Negotiate(stream->number, "<iq/>", "urn:bind", "iq");
    }
  });
  ASSERT_TRUE(EventuallyOn([&] { return links->sessions() == kSessions; }));
  // Tickets are big, so that they cannot go all at once.
  const std::string padding(2000, 't');
  for (TestStream* stream : all) {
    Down ticket;
    ticket.mutable_ticket()->set_connection(stream->number);
    ticket.mutable_ticket()->set_epoch(FakeBusiness::EpochOf(stream->number));
    ticket.mutable_ticket()->set_ticket(FakeBusiness::TicketOf(stream->number) + padding);
    business.Send(ticket);
  }
  business.Change([](FakeBusiness::Options& options) { options.accept = false; });
  Submit(all[0], "1");
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kSubmit) == 1; }));
  business.Change([](FakeBusiness::Options& options) { options.accept = true; });

  const auto begin = std::chrono::steady_clock::now();
  Down generation;
  generation.mutable_control()->mutable_generation()->set_generation(2);
  business.Send(generation);
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kAnnounce) == kSessions; }));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
  std::set<uint64_t> announced;
  for (const Up& item : business.Said(Up::kAnnounce)) {
    announced.insert(item.announce().connection());
    EXPECT_EQ(item.announce().redis_generation(), 2u);
    EXPECT_EQ(item.announce().turn(), 0u);
    EXPECT_EQ(item.announce().ticket(),
              FakeBusiness::TicketOf(item.announce().connection()) + padding);
  }
  EXPECT_EQ(announced.size(), kSessions);
  ASSERT_TRUE(EventuallyOn([&] { return links->UnacceptedTotal() == 0; }));
  const auto submits = business.Said(Up::kSubmit);
  ASSERT_EQ(submits.size(), 2u);
  EXPECT_EQ(submits[1].submit().attempt(), 1u);

  // Said again, it is not new.
  business.Send(generation);
  Submit(all[1], "2");
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kSubmit) == 3; }));
  EXPECT_EQ(business.Count(Up::kAnnounce), kSessions);
}

TEST_F(LinksTest, TheNewestGenerationIsSaidInHello) {
  auto business = std::make_unique<FakeBusiness>(FakeBusiness::Options{.generation = 5});
  const int port = business->port();
  StartLinks({business->address()});
  ASSERT_TRUE(Live(1));
  business->Kill();
  ASSERT_TRUE(Live(0));
  business = std::make_unique<FakeBusiness>(
      FakeBusiness::Options{.incarnation = 2, .generation = 4, .port = port});
  ASSERT_TRUE(Live(1));
  EXPECT_EQ(business->hellos().back().redis_generation(), 5u);
}

TEST_F(LinksTest, AnEndIsSaidUntilItIsConfirmed) {
  FakeBusiness first({.instance = "business-1", .accept = false, .end = false});
  FakeBusiness second({.instance = "business-2", .end = false});
  StartLinks({first.address(), second.address()});
  ASSERT_TRUE(Live(2));
  TestStream* stream = NewSession(AccountAt(1));
  Submit(stream, "1");
  Submit(stream, "2");
  On([&] { links->Forget(stream->number, "socket", true); });
  EXPECT_EQ(On([&] { return links->sessions(); }), 0u);
  EXPECT_EQ(On([&] { return links->closing(); }), 1u);
  ASSERT_TRUE(Eventually([&] { return first.Count(Up::kClosed) == 1; }));
  const auto closed = first.Said(Up::kClosed)[0].closed();
  EXPECT_EQ(closed.epoch(), FakeBusiness::EpochOf(stream->number));
  EXPECT_EQ(closed.ticket(), FakeBusiness::TicketOf(stream->number));
  EXPECT_EQ(closed.reason(), "socket");
  EXPECT_FALSE(closed.resumable()) << "it has no stream management";
  EXPECT_EQ(closed.last_in_seq(), 2u);
  EXPECT_EQ(closed.accepted(), 0u);

  // Its server dies: the next one gets what was not accepted, and then the end.
  first.Kill();
  ASSERT_TRUE(Eventually([&] { return second.Count(Up::kClosed) == 1; }));
  std::vector<Up::ItemCase> order;
  for (const Up& item : second.Said()) {
    if (item.has_announce() || item.has_submit() || item.has_closed()) {
      order.push_back(item.item_case());
    }
  }
  EXPECT_EQ(order, (std::vector{Up::kAnnounce, Up::kSubmit, Up::kSubmit, Up::kClosed}));
  EXPECT_EQ(second.Said(Up::kClosed)[0].closed().turn(), 1u);
  EXPECT_EQ(On([&] { return links->closing(); }), 1u);
  // Nobody answers: it is said again after a while.
  ASSERT_TRUE(Eventually([&] { return second.Count(Up::kClosed) == 2; }));
  EXPECT_EQ(second.Said(Up::kClosed)[1].closed().accepted(), 2u);
  Down ended;
  ended.mutable_ended()->set_connection(stream->number);
  ended.mutable_ended()->set_epoch(FakeBusiness::EpochOf(stream->number));
  second.Send(ended);
  ASSERT_TRUE(EventuallyOn([&] { return links->closing() == 0; }));
}

TEST_F(LinksTest, AStreamThatLeavesBeforeItsSessionIsClosedWithoutEpoch) {
  FakeBusiness business({});
  StartLinks({business.address()});
  ASSERT_TRUE(Live(1));
  TestStream* stream = NewStream();
  ASSERT_TRUE(EventuallyOn([&] { return stream->answers.size() == 1; }));
  On([&] { links->Forget(stream->number, "stream_end", false); });
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kClosed) == 1; }));
  EXPECT_EQ(business.Said(Up::kClosed)[0].closed().epoch(), 0u);
  EXPECT_EQ(On([&] { return links->closing(); }), 0u);
}

TEST_F(LinksTest, ASessionThatWasBoundForNobodyIsEnded) {
  FakeBusiness business({.bind = false, .end = false});
  StartLinks({business.address()});
  ASSERT_TRUE(Live(1));
  TestStream* stream = NewStream();
  On([&] { links->Negotiate(stream->number, "<iq/>", "urn:bind", "iq"); });
  On([&] { links->Forget(stream->number, "socket", false); });
  Down bound;
  Negotiated& answer = *bound.mutable_negotiated();
  answer.set_connection(stream->number);
  answer.set_outcome(Negotiated::BOUND);
  answer.set_epoch(FakeBusiness::EpochOf(stream->number));
  answer.set_ticket("sealed");
  business.Send(bound);
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kClosed) == 2; }));
  EXPECT_EQ(business.Said(Up::kClosed)[1].closed().epoch(), FakeBusiness::EpochOf(stream->number));
  EXPECT_EQ(business.Said(Up::kClosed)[1].closed().ticket(), "sealed");
  EXPECT_EQ(On([&] { return links->closing(); }), 1u);
}

TEST_F(LinksTest, SessionsLeaveADrainingServerWhenTheyAreQuiet) {
  FakeBusiness first({.instance = "business-1"}), second({.instance = "business-2"});
  StartLinks({first.address(), second.address()});
  ASSERT_TRUE(Live(2));
  TestStream* quiet = NewSession(AccountAt(1, 0));
  TestStream* busy = NewSession(AccountAt(1, 1));
  TestStream* elsewhere = NewSession(AccountAt(2));
  first.Change([](FakeBusiness::Options& options) { options.accept = false; });
  Submit(busy, "1");
  Down draining;
  draining.mutable_control()->mutable_draining();
  first.Send(draining);
  ASSERT_TRUE(Eventually([&] { return second.Count(Up::kAnnounce) == 1; }));
  EXPECT_EQ(On([&] { return links->live(); }), 1);
  EXPECT_EQ(On([&] { return links->up(); }), 2);
  EXPECT_EQ(second.Said(Up::kAnnounce)[0].announce().connection(), quiet->number);
  EXPECT_EQ(second.Said(Up::kAnnounce)[0].announce().turn(), 1u);

  Down accepted;
  accepted.mutable_accepted()->set_connection(busy->number);
  accepted.mutable_accepted()->set_epoch(FakeBusiness::EpochOf(busy->number));
  accepted.mutable_accepted()->set_up_to(1);
  first.Send(accepted);
  ASSERT_TRUE(Eventually([&] { return second.Count(Up::kAnnounce) == 2; }));
  EXPECT_EQ(second.Said(Up::kAnnounce)[1].announce().connection(), busy->number);
  EXPECT_EQ(second.Said(Up::kAnnounce)[1].announce().accepted(), 1u);
  ASSERT_TRUE(Eventually([&] { return second.Count(Up::kSubmit) == 0; }));
  std::set<uint64_t> moved;
  ASSERT_TRUE(Eventually([&] {
    moved.clear();
    for (const Up& item : first.Said(Up::kMoved)) {
      if (item.moved().epoch() != 0) moved.insert(item.moved().connection());
    }
    return moved.size() == 2;
  }));
  EXPECT_EQ(moved, (std::set{quiet->number, busy->number}));

  // New sessions do not go there; when it takes them again, those who belong there come back.
  NewSession(AccountAt(1, 2));
  EXPECT_EQ(first.Count(Up::kAnnounce), 0u);
  first.Change([](FakeBusiness::Options& options) { options.accept = true; });
  draining.mutable_control()->mutable_draining()->set_undrain(true);
  first.Send(draining);
  ASSERT_TRUE(Eventually([&] { return first.Count(Up::kAnnounce) == 3; }));
  for (const Up& item : first.Said(Up::kAnnounce)) {
    EXPECT_NE(item.announce().connection(), elsewhere->number);
  }
  EXPECT_EQ(On([&] { return links->sessions(); }), 4u);
}

TEST_F(LinksTest, AServerOfAnotherVersionIsNotUsed) {
  FakeBusiness other({.instance = "business-1", .protocol = 2});
  FakeBusiness good({.instance = "business-2"});
  StartLinks({other.address(), good.address()});
  ASSERT_TRUE(Live(1));
  ASSERT_TRUE(Eventually([&] { return other.hellos().size() >= 2; }));  // it may be upgraded
  NewSession(AccountAt(1));
  EXPECT_EQ(other.Said().size(), 0u);
  EXPECT_EQ(On([&] { return links->live(); }), 1);
}

TEST_F(LinksTest, TwoWaysToOneServerAreOneLink) {
  FakeBusiness business({.incarnation = 9}), again({.incarnation = 9});
  StartLinks({business.address(), again.address()});
  ASSERT_TRUE(
      Eventually([&] { return business.hellos().size() == 1 && again.hellos().size() == 1; }));
  // The newer stays, as it does for the server; the other is not dialled again meanwhile.
  ASSERT_TRUE(Eventually([&] { return business.open_streams() + again.open_streams() == 1; }));
  EXPECT_TRUE(Live(1));
  EXPECT_EQ(stats().links_lost, 1u);
  NewSession(AccountAt(1));
  EXPECT_EQ(business.hellos().size() + again.hellos().size(), 2u);
  FakeBusiness& used = business.open_streams() == 1 ? business : again;
  FakeBusiness& spare = &used == &business ? again : business;
  used.Kill();
  ASSERT_TRUE(Eventually([&] { return spare.hellos().size() == 2; }));
  EXPECT_TRUE(Live(1));
}

TEST_F(LinksTest, ANameIsResolved) {
  FakeBusiness business({});
  StartLinks({"localhost:" + std::to_string(business.port())});
  EXPECT_TRUE(Live(1));
}

TEST_F(LinksTest, ALinkThatTalksNonsenseIsGivenUpAndMadeAnew) {
  FakeBusiness business({});
  StartLinks({business.address()});
  ASSERT_TRUE(Live(1));
  TestStream* stream = NewSession("juliet@localhost");
  business.SendRaw("\xff\xff\xff");
  ASSERT_TRUE(Eventually([&] { return business.hellos().size() == 2; }));
  ASSERT_TRUE(Live(1));
  EXPECT_EQ(stats().links_lost, 1u);
  Submit(stream, "1");
  EXPECT_TRUE(EventuallyOn([&] { return links->UnacceptedTotal() == 0; }));
}

TEST_F(LinksTest, AnOperatorsOrderToDrainArrives) {
  FakeBusiness business({});
  StartLinks({business.address()});
  ASSERT_TRUE(Live(1));
  std::vector<bool> orders;
  On([&] { links->OnDrainOrder([&](bool undrain) { orders.push_back(undrain); }); });
  Down order;
  order.mutable_control()->mutable_drain_manager();
  business.Send(order);
  order.mutable_control()->mutable_drain_manager()->set_undrain(true);
  business.Send(order);
  ASSERT_TRUE(EventuallyOn([&] { return orders.size() == 2; }));
  EXPECT_EQ(orders, (std::vector{false, true}));
}

TEST_F(LinksTest, WhatAnyServerServesIsServed) {
  FakeBusiness one({.domains = {"a.test", "b.test"}});
  StartLinks({one.address()});
  ASSERT_TRUE(Live(1));
  using Told = std::vector<std::vector<std::string>>;
  EXPECT_EQ(On([&] { return domains; }), (Told{{"a.test", "b.test"}}));

  // It hears of a change before the other does, which comes later.
  xylem::v1::Down change;
  change.mutable_control()->mutable_domains()->add_domains("a.test");
  change.mutable_control()->mutable_domains()->add_domains("c.test");
  one.Send(change);
  ASSERT_TRUE(EventuallyOn([&] { return domains.size() == 2; }));
  EXPECT_EQ(On([&] { return domains.back(); }), (std::vector<std::string>{"a.test", "c.test"}));

  // Without any link what was known stays.
  one.Kill();
  ASSERT_TRUE(Live(0));
  EXPECT_EQ(On([&] { return domains.size(); }), 2u);
}

}  // namespace
}  // namespace connmgr
