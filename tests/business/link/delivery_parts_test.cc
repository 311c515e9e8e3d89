#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "business/link/deliver_writer.h"
#include "business/link/issued_deliveries.h"
#include "business/link/pending_deliveries.h"
#include "business/link/route_table.h"
#include "business/link/taken_reader.h"
#include "proto/connmgr_business.pb.h"

namespace business {
namespace {

using testing::ElementsAre;
using Outcome = DeliverOutcome;

TEST(DeliverWriter, WritesWhatProtobufReads) {
  const DeliverBody body{.bytes = "<message from='a@b'/>",
                         .splice_offset = 8,
                         .kind = 1,
                         .stanza_class = 5,
                         .flags = uint64_t{1} << 40};
  const std::vector<DeliverTarget> targets{{.owner = {"m", 1, uint64_t{1} << 56, uint64_t{1} << 40},
                                            .out_seq = 300,
                                            .to = std::string(200, 't'),
                                            .effect = std::string("\0\1\2", 3)},
                                           {}};
  std::string bytes;
  WriteDeliverHead(1234567, body, targets, &bytes);
  bytes += body.bytes;
  xylem::v1::Deliver deliver;
  ASSERT_TRUE(deliver.ParseFromString(bytes));
  EXPECT_EQ(deliver.number(), 1234567u);
  EXPECT_EQ(deliver.body(), body.bytes);
  EXPECT_EQ(deliver.splice_offset(), 8u);
  EXPECT_EQ(deliver.class_(), xylem::v1::CLASS_V);
  EXPECT_EQ(deliver.flags(), uint64_t{1} << 40);
  EXPECT_EQ(deliver.kind(), 1u);
  ASSERT_EQ(deliver.targets_size(), 2);
  EXPECT_EQ(deliver.targets(0).connection(), uint64_t{1} << 56);
  EXPECT_EQ(deliver.targets(0).epoch(), uint64_t{1} << 40);
  EXPECT_EQ(deliver.targets(0).out_seq(), 300u);
  EXPECT_EQ(deliver.targets(0).to(), std::string(200, 't'));
  EXPECT_EQ(deliver.targets(0).effect(), targets[0].effect);
  EXPECT_EQ(deliver.targets(1).ByteSizeLong(), 0u);
  EXPECT_EQ(deliver.ByteSizeLong(), bytes.size());
}

TEST(TakenReader, ReadsWhatProtobufWrites) {
  xylem::v1::Taken taken;
  taken.set_up_to(300);
  auto* refused = taken.add_refused();
  refused->set_number(299);
  refused->set_target(7);
  refused->set_reason(xylem::v1::Taken::Refused::OVERFLOWED);
  taken.add_refused();
  std::string bytes = taken.SerializeAsString() + std::string("\x7a\x01x", 3);  // a later field
  Taken read;
  ASSERT_TRUE(ReadTaken(bytes, &read));
  EXPECT_EQ(read.up_to, 300u);
  ASSERT_EQ(read.refused.size(), 2u);
  EXPECT_EQ(read.refused[0].number, 299u);
  EXPECT_EQ(read.refused[0].target, 7u);
  EXPECT_EQ(read.refused[0].outcome, Outcome::kOverflowed);
  EXPECT_EQ(read.refused[1].outcome, Outcome::kUnknown);
  ASSERT_TRUE(ReadTaken("", &read));
  EXPECT_EQ(read.up_to, 0u);
  EXPECT_TRUE(read.refused.empty());
  for (size_t n = 1; n < bytes.size(); ++n) {
    ReadTaken(std::string_view(bytes).substr(0, n), &read);  // no crash, no endless loop
  }
  EXPECT_FALSE(ReadTaken("\x12\x05\x08", &read));
  EXPECT_FALSE(ReadTaken("\x0c", &read));
}

TEST(PendingDeliveries, ExpireInOrderAndIgnoreALateAnswer) {
  PendingDeliveries pending;
  EXPECT_EQ(pending.Add({.delivery = 10}, 1, 100), 1u);
  EXPECT_EQ(pending.Add({.delivery = 11}, 2, 200), 2u);
  PartResult result;
  EXPECT_FALSE(pending.PopExpired(99, &result));
  ASSERT_TRUE(pending.PopExpired(150, &result));
  EXPECT_EQ(result.ref.delivery, 10u);
  EXPECT_EQ(result.outcome, Outcome::kUnknown);
  EXPECT_FALSE(pending.PopExpired(150, &result));
  Taken late{.up_to = 2, .refused = {{1, 0, Outcome::kNotHere}, {2, 1, Outcome::kBehind}}};
  ASSERT_TRUE(pending.OnTaken(late));
  ASSERT_TRUE(pending.PopUpTo(2, &result));
  EXPECT_EQ(result.ref.delivery, 11u);
  EXPECT_EQ(result.outcome, Outcome::kTaken);
  ASSERT_EQ(result.exceptions.size(), 1u);
  EXPECT_EQ(result.exceptions[0].target, 1u);
  EXPECT_EQ(result.exceptions[0].outcome, Outcome::kBehind);
  EXPECT_FALSE(pending.PopUpTo(2, &result));
}

TEST(PendingDeliveries, RefuseAnAnswerToWhatWasNeverSent) {
  PendingDeliveries pending;
  pending.Add({}, 2, 100);
  EXPECT_FALSE(pending.OnTaken({.up_to = 2}));
  EXPECT_FALSE(pending.OnTaken({.up_to = 1, .refused = {{1, 2, Outcome::kNotHere}}}));
  EXPECT_FALSE(pending.OnTaken({.up_to = 0, .refused = {{1, 0, Outcome::kNotHere}}}));
  EXPECT_TRUE(pending.OnTaken({.up_to = 1, .refused = {{1, 1, Outcome::kNotHere}}}));
  EXPECT_EQ(pending.size(), 1u);
}

TEST(IssuedDeliveries, CloseAWayUntilTheFailureIsKnown) {
  Route route{.stream = 1};
  IssuedDeliveries issued(0);
  std::vector<int> told;
  const auto open = [&](int n) {
    const uint32_t id = issued.Open(1, [&, n](const auto&) { told.push_back(n); });
    const DeliveryRef ref = issued.AddPart(id, &route, {});
    EXPECT_FALSE(issued.Seal(id));
    return ref;
  };
  const DeliveryRef first = open(1), second = open(2), third = open(3);
  EXPECT_TRUE(route.usable());
  issued.OnResult({first, Outcome::kTaken, {}});
  EXPECT_TRUE(route.usable());
  issued.OnResult({second, Outcome::kNoLink, {}});
  EXPECT_FALSE(route.usable());  // the third is under way, issued without knowing
  EXPECT_GT(route.version, third.version);
  issued.OnResult({third, Outcome::kNoLink, {}});
  EXPECT_TRUE(route.usable());
  EXPECT_TRUE(route.idle());
  EXPECT_THAT(told, ElementsAre(1, 2, 3));
  EXPECT_EQ(issued.size(), 0u);
}

TEST(IssuedDeliveries, CloseAWayWhileDoneIsOwed) {
  Route route{.stream = 1};
  IssuedDeliveries issued(0);
  const uint32_t id = issued.Open(1, {});
  issued.OnResult({issued.AddPart(id, &route, {}), Outcome::kNoLink, {}});
  EXPECT_TRUE(issued.Seal(id));
  EXPECT_FALSE(route.usable());  // another delivery of this turn would overtake
  issued.Finish(id);
  EXPECT_TRUE(route.usable());
}

TEST(IssuedDeliveries, AreNotHeldUpByAnothersManager) {
  Route fails{.stream = 1}, slow{.stream = 2};
  IssuedDeliveries issued(0);
  std::vector<Outcome> told;
  const uint32_t id = issued.Open(3, [&](const auto& outcomes) { told = outcomes; });
  const DeliveryRef a = issued.AddPart(id, &fails, {0, 2});
  const DeliveryRef b = issued.AddPart(id, &slow, {1});
  EXPECT_FALSE(issued.Seal(id));
  issued.OnResult({a, Outcome::kUnknown, {}});
  EXPECT_TRUE(fails.usable());
  issued.OnResult({b, Outcome::kTaken, {{0, Outcome::kBehind}}});
  EXPECT_THAT(told, ElementsAre(Outcome::kUnknown, Outcome::kBehind, Outcome::kUnknown));
}

TEST(RouteTable, ForgetsAManagerOnlyWhenNothingIsUnderWay) {
  RouteTable table;
  table.Set({"m", 7, 1}, 100, 0, nullptr);
  EXPECT_EQ(table.Find("m", 7, 0)->stream, 0u);
  Route* route = table.Find("m", 7, uint64_t{1} << 56);
  ASSERT_NE(route, nullptr);
  EXPECT_EQ(table.Find("m", 7, uint64_t{2} << 56), nullptr);
  EXPECT_EQ(table.Find("m", 8, 0), nullptr);
  EXPECT_TRUE(table.IsLinked("m", 7));
  EXPECT_FALSE(table.IsLinked("n", 7));
  route->outstanding = 1;
  table.Set({"m", 7, 1}, 101, 1, nullptr);
  table.Clear({"m", 7, 1}, 100);  // the old one, told late
  EXPECT_TRUE(table.IsLinked("m", 7));
  EXPECT_FALSE(route->usable());
  table.Clear({"m", 7, 1}, 101);
  EXPECT_FALSE(table.IsLinked("m", 7));
  table.Sweep();
  ASSERT_EQ(table.Find("m", 7, uint64_t{1} << 56), route);
  route->stale = 0;
  table.Sweep();
  EXPECT_EQ(table.Find("m", 7, uint64_t{1} << 56), nullptr);
}

}  // namespace
}  // namespace business
