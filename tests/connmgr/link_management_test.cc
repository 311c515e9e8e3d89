// Stream management over a link: numbered deliveries, pulls, counts, resumption.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "connmgr/business_links.h"
#include "tests/connmgr/links_fixture.h"

namespace connmgr {
namespace {

using xylem::v1::Down;
using xylem::v1::Negotiated;
using xylem::v1::Up;
using Texts = std::vector<std::string>;

constexpr char kEnabled[] = "<enabled xmlns='urn:xmpp:sm:3' id='x' resume='true'/>";
constexpr char kRequest[] = "<r xmlns='urn:xmpp:sm:3'/>";

class LinkManagementTest : public LinksTest {
 protected:
  void SetUp() override {
    StartLinks({business.address()});
    ASSERT_TRUE(Live(1));
  }

  // `out_seq` 0: without a number.
  void Push(TestStream* stream, uint64_t out_seq, const std::string& body,
            uint64_t generation = 1) {
    Down item;
    item.mutable_deliver()->set_number(++number);
    item.mutable_deliver()->set_body(body);
    // Elements that are no stanzas have no place for an address.
    item.mutable_deliver()->set_splice_offset(body == kEnabled || body.empty() ? 0 : 4);
    xylem::v1::Target* target = item.mutable_deliver()->add_targets();
    target->set_connection(stream->number);
    target->set_epoch(FakeBusiness::EpochOf(stream->number));
    target->set_out_seq(out_seq);
    if (out_seq != 0) target->set_generation(generation);
    business.Send(item);
  }
  // The number of refused targets so far, once all that was pushed is answered.
  size_t Refused() {
    EXPECT_TRUE(Eventually([&] {
      const auto taken = business.Said(Up::kTaken);
      return !taken.empty() && taken.back().taken().up_to() == number;
    }));
    size_t refused = 0;
    for (const Up& item : business.Said(Up::kTaken)) {
      refused += static_cast<size_t>(item.taken().refused_size());
    }
    return refused;
  }
  void SubmitEnable(TestStream* stream) {
    xmpp::Stanza stanza;
    stanza.kind = xmpp::StanzaKind::kNonza;
    stanza.bytes = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";
    On([&] { links->Submit(stream->number, stanza); });
  }
  TestStream* NewManaged(const std::string& account = "juliet@localhost") {
    TestStream* stream = NewSession(account);
    SubmitEnable(stream);
    Push(stream, 0, kEnabled);
    EXPECT_TRUE(EventuallyOn([&] { return links->IsManaged(stream->number); }));
    On([&] { stream->written.clear(); });
    return stream;
  }
  Texts Written(TestStream* stream) {
    return On([&] {
      Texts texts;
      for (const auto& one : stream->written) texts.push_back(one.body);
      return texts;
    });
  }
  testing::AssertionResult Wrote(TestStream* stream, const Texts& texts) {
    auto wrote = Eventually([&] { return Written(stream) == texts; });
    if (!wrote) wrote << " " << testing::PrintToString(Written(stream));
    return wrote;
  }
  std::vector<xylem::v1::Pull> Pulls() {
    std::vector<xylem::v1::Pull> pulls;
    for (const Up& item : business.Said(Up::kPull)) pulls.push_back(item.pull());
    return pulls;
  }

  FakeBusiness business{{}};
  uint64_t number = 0;
};

TEST_F(LinkManagementTest, CountsWhatIsAcceptedBehindEnable) {
  TestStream* stream = NewSession("juliet@localhost");
  Submit(stream, "before");
  EXPECT_TRUE(On([&] { return links->MayEnable(stream->number); }));
  SubmitEnable(stream);
  EXPECT_FALSE(On([&] { return links->MayEnable(stream->number); })) << "it is on its way";
  EXPECT_FALSE(On([&] { return links->IsManaged(stream->number); }));
  Push(stream, 0, kEnabled);
  ASSERT_TRUE(Wrote(stream, {kEnabled}));
  business.Change([](FakeBusiness::Options& options) { options.accept = false; });
  Submit(stream, "1");
  Submit(stream, "2");
  // Asked for: at once what is accepted is told only if somebody asks twice.
  On([&] { links->AnswerRequest(stream->number); });
  EXPECT_EQ(Written(stream), (Texts{kEnabled}));
  On([&] { links->AnswerRequest(stream->number); });
  ASSERT_TRUE(Wrote(stream, {kEnabled, "<a xmlns='urn:xmpp:sm:3' h='0'/>"}));
  Down accepted;
  accepted.mutable_accepted()->set_connection(stream->number);
  accepted.mutable_accepted()->set_epoch(FakeBusiness::EpochOf(stream->number));
  accepted.mutable_accepted()->set_up_to(4);
  business.Send(accepted);
  ASSERT_TRUE(Wrote(stream, {kEnabled, "<a xmlns='urn:xmpp:sm:3' h='0'/>",
                             "<a xmlns='urn:xmpp:sm:3' h='2'/>"}));
  EXPECT_EQ(On([&] { return links->HandledCount(stream->number); }), 2u);
}

TEST_F(LinkManagementTest, WritesInTheOrderOfNumbersWhoeverCameFirst) {
  TestStream* stream = NewManaged();
  Push(stream, 2, "<iq>2</iq>");
  Push(stream, 3, "<iq>3</iq>");
  Push(stream, 1, "<iq>1</iq>");
  Push(stream, 2, "<iq>2</iq>");
  Push(stream, 4, "<iq>4</iq>");
  ASSERT_TRUE(Wrote(stream, {"<iq>1</iq>", "<iq>2</iq>", "<iq>3</iq>", "<iq>4</iq>"}));
  EXPECT_EQ(Refused(), 0u);
  EXPECT_TRUE(Pulls().empty());
}

TEST_F(LinkManagementTest, PullsWhatIsMissing) {
  TestStream* stream = NewManaged();
  Push(stream, 3, "<iq>3</iq>");
  ASSERT_TRUE(Eventually([&] { return Pulls().size() == 1; }));
  EXPECT_EQ(Pulls()[0].from_out_seq(), 1u);
  EXPECT_EQ(Pulls()[0].epoch(), FakeBusiness::EpochOf(stream->number));
  EXPECT_GT(Pulls()[0].room_stanzas(), 1u);
  Push(stream, 1, "<iq>1</iq>");
  Push(stream, 2, "<iq>2</iq>");
  Push(stream, 3, "");
  ASSERT_TRUE(Wrote(stream, {"<iq>1</iq>", "<iq>2</iq>", "<iq>3</iq>"}));
  // A word that there is more.
  Push(stream, 4, "");
  ASSERT_TRUE(Eventually([&] { return Pulls().size() == 2; }));
  EXPECT_EQ(Pulls()[1].from_out_seq(), 4u);
}

TEST_F(LinkManagementTest, PullsWhatWasPushedBeforeItWasEnabled) {
  TestStream* stream = NewSession("juliet@localhost");
  SubmitEnable(stream);
  Push(stream, 1, "<iq>early</iq>");
  Push(stream, 0, "<iq>plain</iq>");
  Push(stream, 0, kEnabled);
  ASSERT_TRUE(Wrote(stream, {"<iq>plain</iq>", kEnabled}));
  ASSERT_TRUE(Eventually([&] { return Pulls().size() == 1; }));
  EXPECT_EQ(Pulls()[0].from_out_seq(), 1u);
  EXPECT_EQ(Refused(), 0u);
}

TEST_F(LinkManagementTest, TakesNoStanzaWithoutANumber) {
  TestStream* stream = NewManaged();
  Push(stream, 0, "<iq>looked up before</iq>");
  EXPECT_EQ(Refused(), 1u);
  EXPECT_TRUE(Written(stream).empty());
  TestStream* plain = NewSession("romeo@localhost");
  Push(plain, 1, "<iq>numbered</iq>");
  EXPECT_EQ(Refused(), 2u);
}

TEST_F(LinkManagementTest, DropsNumbersFromBeforeALossOfRedis) {
  TestStream* stream = NewManaged();
  Down news;
  news.mutable_control()->mutable_generation()->set_generation(2);
  business.Send(news);
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kAnnounce) == 1; }));
  Push(stream, 1, "<iq>old</iq>", 1);
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kAnnounce) == 2; })) << "it asks anew";
  Push(stream, 1, "<iq>new</iq>", 2);
  ASSERT_TRUE(Wrote(stream, {"<iq>new</iq>"}));
}

TEST_F(LinkManagementTest, TellsWhatTheClientConfirmsAndRefusesWhatWasNotSent) {
  TestStream* stream = NewManaged();
  Push(stream, 1, "<iq>1</iq>");
  Push(stream, 2, "<iq>2</iq>");
  ASSERT_TRUE(Wrote(stream, {"<iq>1</iq>", "<iq>2</iq>"}));
  const auto confirm = [&](uint32_t h) {
    return On([&] { return links->Confirm(stream->number, h); });
  };
  EXPECT_EQ(confirm(1), std::nullopt);
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kClientAck) == 1; }));
  EXPECT_EQ(business.Said(Up::kClientAck)[0].client_ack().up_to_out_seq(), 1u);
  EXPECT_EQ(confirm(1), std::nullopt);
  EXPECT_EQ(confirm(3), 2u);
  EXPECT_EQ(business.Count(Up::kClientAck), 1u);
  // Whoever has it next is told as well.
  Down news;
  news.mutable_control()->mutable_generation()->set_generation(2);
  business.Send(news);
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kAnnounce) == 1; }));
  const auto announce = business.Said(Up::kAnnounce)[0].announce();
  EXPECT_EQ(announce.written_out_seq(), 2u);
  EXPECT_EQ(announce.client_acked(), 1u);
  On([&] { links->Forget(stream->number, "socket", true); });
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kClosed) == 1; }));
  const auto closed = business.Said(Up::kClosed)[0].closed();
  EXPECT_TRUE(closed.resumable());
  EXPECT_EQ(closed.client_acked(), 1u);
}

TEST_F(LinkManagementTest, AsksForCountsAfterManyStanzasAndAfterSomeTime) {
  TestStream* stream = NewManaged();
  Texts texts;
  for (uint64_t i = 1; i <= 10; ++i) {
    Push(stream, i, "<iq/>");
    texts.push_back("<iq/>");
  }
  texts.push_back(kRequest);
  ASSERT_TRUE(Wrote(stream, texts));
  Push(stream, 11, "<iq/>");
  texts.push_back("<iq/>");
  texts.push_back(kRequest);
  ASSERT_TRUE(Wrote(stream, texts));
}

TEST_F(LinkManagementTest, WaitsWithWhatASlowClientCannotTake) {
  TestStream* stream = NewManaged();
  On([&] { stream->room = 10; });
  Push(stream, 1, "<iq>longer than ten</iq>");
  EXPECT_EQ(Refused(), 0u);
  EXPECT_TRUE(Written(stream).empty());
  On([&] { stream->room = SIZE_MAX; });
  ASSERT_TRUE(Wrote(stream, {"<iq>longer than ten</iq>"}));
}

TEST_F(LinkManagementTest, AResumedSessionGoesOnWithItsNumbers) {
  TestStream* stream = NewStream();
  const auto answered = [&](size_t n) {
    return EventuallyOn([&] { return stream->answers.size() == n; });
  };
  ASSERT_TRUE(answered(1));
  On([&] { links->Negotiate(stream->number, "juliet@localhost", "urn:sasl", "auth"); });
  ASSERT_TRUE(answered(2));
  business.Change([](FakeBusiness::Options& options) { options.bind = false; });
  On([&] { links->Negotiate(stream->number, "<resume/>", "urn:xmpp:sm:3", "resume"); });
  Down item;
  Negotiated* bound = item.mutable_negotiated();
  bound->set_connection(stream->number);
  bound->set_outcome(Negotiated::BOUND);
  bound->set_account("juliet@localhost");
  bound->set_epoch(FakeBusiness::EpochOf(stream->number));
  bound->set_ticket(FakeBusiness::TicketOf(stream->number));
  bound->mutable_resumed()->set_accepted(40);
  bound->mutable_resumed()->set_base(3);
  bound->mutable_resumed()->set_confirmed(7);
  bound->mutable_resumed()->set_last(7);
  business.Send(item);
  ASSERT_TRUE(answered(3));
  EXPECT_EQ(On([&] { return links->HandledCount(stream->number); }), 37u);
  // Even if nothing is known to be there: somebody may have resumed it since.
  ASSERT_TRUE(Eventually([&] { return Pulls().size() == 1; }));
  EXPECT_EQ(Pulls()[0].from_out_seq(), 8u);
  Submit(stream, "<message/>");
  ASSERT_TRUE(Eventually([&] { return business.Count(Up::kSubmit) == 1; }));
  EXPECT_EQ(business.Said(Up::kSubmit)[0].submit().in_seq(), 41u);
  Push(stream, 8, "<iq>8</iq>");
  ASSERT_TRUE(Wrote(stream, {"<iq>8</iq>"}));
}

}  // namespace
}  // namespace connmgr
