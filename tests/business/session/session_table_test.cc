#include "business/session/session_table.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/business/session/session_fixture.h"

namespace business {
namespace {

class SessionTableTest : public testing::Test {
 protected:
  SessionTableTest() : loops_("table", 1) {
    loops_.RunOn(0, [&] {
      shard_.loop = &loops_.at(0);
      shard_.metrics = &metrics_;
      table_ = std::make_unique<SessionTable>(&shard_);
      shard_.sessions = table_.get();
    });
  }
  ~SessionTableTest() override { loops_.StopAndJoin(); }

  SessionPtr Make(const ManagerLinkPtr& link, uint64_t connection, cluster::Epoch epoch) {
    cluster::SessionRecord record;
    record.owner = {link->manager(), link->incarnation(), connection, epoch};
    record.resource = "a";
    return std::make_shared<Session>(
        &shard_, link, xmpp::FullJid::FromNormalized("romeo@example.org/a"), record, "PLAIN");
  }

  runtime::LoopGroup loops_;
  BusinessMetrics metrics_;
  Shard shard_;
  std::unique_ptr<SessionTable> table_;
  std::shared_ptr<RecordingLink> one_ = std::make_shared<RecordingLink>("connmgr-1", 1);
  std::shared_ptr<RecordingLink> two_ = std::make_shared<RecordingLink>("connmgr-2", 2);
};

TEST_F(SessionTableTest, FindsByLinkAndConnection) {
  loops_.RunOn(0, [&] {
    const SessionPtr first = Make(one_, 1, 10), second = Make(two_, 1, 20);
    table_->Add(first);
    table_->Add(second);
    EXPECT_EQ(table_->Find(one_.get(), 1), first);
    EXPECT_EQ(table_->Find(two_.get(), 1), second);
    EXPECT_EQ(table_->Find(one_.get(), 2), nullptr);
    EXPECT_EQ(table_->size(), 2u);
    table_->Remove(*first);
    EXPECT_EQ(table_->Find(one_.get(), 1), nullptr);
    EXPECT_TRUE(first->gone());
    EXPECT_EQ(table_->size(), 1u);
  });
}

TEST_F(SessionTableTest, ForgetsWhatStoodInThePlace) {
  loops_.RunOn(0, [&] {
    const int64_t gauge = metrics_.sessions.value();
    const SessionPtr old = Make(one_, 1, 10), fresh = Make(one_, 1, 11);
    table_->Add(old);
    table_->Add(fresh);
    EXPECT_TRUE(old->gone());
    EXPECT_EQ(table_->size(), 1u);
    table_->Remove(*old);  // the new one stays
    EXPECT_EQ(table_->Find(one_.get(), 1), fresh);
    EXPECT_EQ(metrics_.sessions.value(), gauge + 1);
    table_->Remove(*fresh);
    table_->Remove(*fresh);
    EXPECT_EQ(metrics_.sessions.value(), gauge);
  });
}

TEST_F(SessionTableTest, ForgetsALinkWithAllItsSessions) {
  loops_.RunOn(0, [&] {
    const SessionPtr first = Make(one_, 1, 10), second = Make(one_, 2, 11),
                     other = Make(two_, 1, 1);
    for (const SessionPtr& session : {first, second, other}) table_->Add(session);
    table_->ForgetLink(one_.get());
    EXPECT_TRUE(first->gone());
    EXPECT_TRUE(second->gone());
    EXPECT_FALSE(other->gone());
    EXPECT_EQ(table_->size(), 1u);
  });
}

TEST_F(SessionTableTest, TellsAcceptedOnceATurnAndNotOfSessionsThatAreGone) {
  SessionPtr told, gone;
  loops_.RunOn(0, [&] {
    told = Make(one_, 1, 10);
    gone = Make(one_, 2, 11);
    table_->Add(told);
    table_->Add(gone);
    told->queue.StartBehind(5);
    table_->AcceptedAdvanced(told);
    table_->AcceptedAdvanced(told);
    table_->AcceptedAdvanced(gone);
    table_->Remove(*gone);
    EXPECT_TRUE(one_->accepted.empty()) << "at the end of the turn";
  });
  loops_.RunOn(0, [&] { EXPECT_EQ(one_->accepted, (std::vector<Told>{{1, 10, 5, {}}})); });
}

TEST_F(SessionTableTest, SaysWhenAnEndingSessionHasNothingMoreUnderWay) {
  int drained = 0;
  SessionPtr session;
  loops_.RunOn(0, [&] {
    table_->OnDrained([&](const SessionPtr& which) { drained += which == session ? 1 : 100; });
    session = Make(one_, 1, 10);
    table_->Add(session);
    session->state = Session::State::kEnding;
    session->last_in_seq = 3;
    session->queue.StartBehind(2);
    table_->AcceptedAdvanced(session);
  });
  loops_.RunOn(0, [&] {
    EXPECT_EQ(drained, 0);
    session->queue.StartBehind(3);
    table_->AcceptedAdvanced(session);
  });
  loops_.RunOn(0, [&] { EXPECT_EQ(drained, 1); });
}

}  // namespace
}  // namespace business
