#include "lib/cluster/session_record.h"

#include <gtest/gtest.h>

namespace cluster {
namespace {

SessionRecord Sample() {
  SessionRecord r;
  r.owner = {.manager = "connmgr-1",
             .incarnation = 0xfedcba9876543210,
             .connection = 42,
             .epoch = (uint64_t{3} << kEpochCounterBits) | 9};
  r.session = std::string("\0\x01session\xff bytes", 16);
  r.resource = "Balcony";
  r.flags = kSessionCarbons | kSessionInterested;
  r.available = true;
  r.priority = -128;
  r.presence_number = 77;
  r.announced_generation = 3;
  r.since_ms = 1700000000123;
  r.peer_address = "[2001:db8::1]:5222";
  r.presence = "<presence><priority>-128</priority></presence>";
  return r;
}

void ExpectSame(const SessionRecord& a, const SessionRecord& b) {
  EXPECT_EQ(a.owner, b.owner);
  EXPECT_EQ(a.session, b.session);
  EXPECT_EQ(a.resource, b.resource);
  EXPECT_EQ(a.flags, b.flags);
  EXPECT_EQ(a.available, b.available);
  EXPECT_EQ(a.priority, b.priority);
  EXPECT_EQ(a.presence_number, b.presence_number);
  EXPECT_EQ(a.announced_generation, b.announced_generation);
  EXPECT_EQ(a.since_ms, b.since_ms);
  EXPECT_EQ(a.peer_address, b.peer_address);
  EXPECT_EQ(a.presence, b.presence);
}

void ExpectRoundTrip(const SessionRecord& r) {
  std::optional<SessionRecord> back = SessionRecord::Parse(r.resource, r.Write());
  ASSERT_TRUE(back.has_value()) << r.Write();
  ExpectSame(*back, r);
}

TEST(SessionRecord, ReadsBackWhatItWrote) {
  ExpectRoundTrip(Sample());
  SessionRecord r = Sample();
  r.presence = std::string("line\nline \0 %41 -", 17);
  r.available = false;
  ExpectRoundTrip(r);
}

TEST(SessionRecord, ReadsBackEmptyAndAwkwardWords) {
  for (const char* word : {"", "-", "--", "a b", "%", "%20", "\t\n\x7f", "ü-1"}) {
    SessionRecord r = Sample();
    r.owner.manager = word;
    r.peer_address = word;
    ExpectRoundTrip(r);
  }
}

TEST(SessionRecord, KeepsItsFrontForScripts) {
  SessionRecord r = Sample();
  EXPECT_EQ(OwnerText(r.owner), "1 0000030000000009 connmgr-1 fedcba9876543210 000000000000002a ");
  SessionRecordText parts = WriteParts(r);
  EXPECT_EQ(r.Write(), parts.owner + parts.session + " " + parts.generation + " " +
                           parts.presence_number + " " + parts.rest);
  EXPECT_EQ(parts.session.size(), 32u);
  EXPECT_EQ(parts.generation, "0000000000000003");
}

TEST(SessionRecord, SkipsWhatALaterVersionAddsToTheLine) {
  SessionRecord r = Sample();
  std::string text = r.Write();
  text.insert(text.find('\n'), " later words");
  std::optional<SessionRecord> back = SessionRecord::Parse(r.resource, text);
  ASSERT_TRUE(back.has_value());
  ExpectSame(*back, r);
}

TEST(SessionRecord, RefusesDamagedRows) {
  const std::string good = Sample().Write();
  const size_t line_end = good.find('\n');
  EXPECT_FALSE(SessionRecord::Parse("r", "").has_value());
  EXPECT_FALSE(SessionRecord::Parse("r", "2" + good.substr(1)).has_value());
  EXPECT_FALSE(SessionRecord::Parse("r", good.substr(0, line_end)).has_value());
  EXPECT_FALSE(SessionRecord::Parse("r", "1 \n").has_value());
  // Cut off anywhere in its line.
  for (size_t size = 0; size + 1 < line_end; ++size) {
    std::optional<SessionRecord> cut = SessionRecord::Parse("r", good.substr(0, size) + "\n");
    // The last word, the peer's address, has no fixed length.
    EXPECT_TRUE(!cut.has_value() || size > good.find("[2001")) << size;
  }
  // Any word replaced by one that does not fit it.
  for (size_t at = 2; at < line_end;) {
    size_t end = std::min(good.find(' ', at), line_end);
    std::string bad = good;
    bad.replace(at, end - at, "%zz");
    EXPECT_FALSE(SessionRecord::Parse("r", bad).has_value()) << bad;
    at = end + 1;
  }
}

TEST(Epoch, IsSixteenHexDigitsSoThatTextOrderIsNumberOrder) {
  EXPECT_EQ(EpochText(0), "0000000000000000");
  EXPECT_LT(EpochText(0xff), EpochText(0x100));
  EXPECT_EQ(ParseEpoch("fedcba9876543210"), 0xfedcba9876543210);
  for (const char* text :
       {"", "1", "000000000000000g", "00000000000000001", "0x00000000000001", "000000000000000 "}) {
    EXPECT_FALSE(ParseEpoch(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace cluster
