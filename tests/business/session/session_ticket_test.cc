#include "business/session/session_ticket.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "tests/business/session/session_fixture.h"

namespace business {
namespace {

class SessionTicketTest : public testing::Test {
 protected:
  SessionTicketTest() {
    shard_.sealer = &sealer_;
    cluster::SessionRecord record;
    record.owner = {"connmgr-1", 77, 5, 0x10000000002};
    record.session = "0123456789abcdef";
    record.resource = "balcony";
    record.flags = cluster::kSessionCarbons;
    record.available = true;
    record.priority = -3;
    record.presence_number = 9;
    record.announced_generation = 4;
    record.since_ms = 1700000000000;
    record.peer_address = "192.0.2.1:5000";
    record.presence = "<presence><show>away</show></presence>";
    session_ = std::make_shared<Session>(&shard_, link_,
                                         xmpp::FullJid::FromNormalized("romeo@example.org/balcony"),
                                         record, "SCRAM-SHA-256-PLUS");
    session_->directed = {"a@conference.example.org/r", "b@example.org"};
  }
  std::optional<OpenedTicket> Open(const std::string& sealed) {
    return OpenTicket(sealer_, *link_, 5, sealed);
  }

  cluster::TicketSealer sealer_{std::vector<std::string>{kSecret}};
  Shard shard_;
  std::shared_ptr<RecordingLink> link_ = std::make_shared<RecordingLink>("connmgr-1", 77);
  SessionPtr session_;
};

TEST_F(SessionTicketTest, GivesBackTheSession) {
  const auto opened = Open(SealSession(*session_));
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->account.ToString(), "romeo@example.org");
  EXPECT_EQ(opened->mechanism, "SCRAM-SHA-256-PLUS");
  EXPECT_EQ(opened->record.owner, session_->record.owner);
  EXPECT_EQ(opened->record.resource, "balcony");
  EXPECT_EQ(opened->record.Write(), session_->record.Write());
  EXPECT_EQ(opened->directed, session_->directed);
}

TEST_F(SessionTicketTest, IsWorthNothingToAnotherManagerRunOrConnection) {
  const std::string sealed = SealSession(*session_);
  EXPECT_FALSE(OpenTicket(sealer_, RecordingLink("connmgr-2", 77), 5, sealed));
  EXPECT_FALSE(OpenTicket(sealer_, RecordingLink("connmgr-1", 78), 5, sealed));
  EXPECT_FALSE(OpenTicket(sealer_, *link_, 6, sealed));
  EXPECT_TRUE(Open(sealed));
}

TEST_F(SessionTicketTest, IsRefusedWhenAnyByteWasChanged) {
  const std::string sealed = SealSession(*session_);
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string altered = sealed;
    altered[i] = static_cast<char>(altered[i] ^ 1);
    EXPECT_FALSE(Open(altered)) << "byte " << i;
  }
  EXPECT_FALSE(Open(sealed.substr(0, sealed.size() - 1)));
  EXPECT_FALSE(Open(""));
  const cluster::TicketSealer other({std::string(32, 'x')});
  EXPECT_FALSE(OpenTicket(other, *link_, 5, sealed));
}

TEST_F(SessionTicketTest, LeavesOutThePresenceAndTheOldestTargetsToStayWithinItsBound) {
  session_->record.presence = std::string(3000, 'p');
  session_->directed.clear();
  for (int i = 0; i < 200; ++i) {
    session_->directed.push_back("room" + std::to_string(i) + "@conference.example.org/romeo");
  }
  const std::string sealed = SealSession(*session_);
  EXPECT_LE(sealed.size(), kMaxTicketBytes);
  const auto opened = Open(sealed);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->record.presence, "");
  EXPECT_TRUE(opened->record.available);
  ASSERT_GT(opened->directed.size(), 20u);
  EXPECT_EQ(opened->directed.back(), session_->directed.back());
  EXPECT_EQ(opened->directed.front(), session_->directed[200 - opened->directed.size()]);
}

TEST_F(SessionTicketTest, StaysWithinItsBoundWhateverThePresenceMeasures) {
  session_->directed.clear();
  for (size_t bytes = 1500; bytes < 2100; ++bytes) {
    session_->record.presence = std::string(bytes, 'p');
    ASSERT_LE(SealSession(*session_).size(), kMaxTicketBytes) << bytes;
  }
}

}  // namespace
}  // namespace business
