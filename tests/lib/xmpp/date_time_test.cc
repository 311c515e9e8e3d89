#include "lib/xmpp/date_time.h"

#include <gtest/gtest.h>

namespace xmpp {
namespace {

TEST(DateTimeTest, WritesWhatItReads) {
  for (const char* text : {"1970-01-01T00:00:00Z", "2006-12-19T17:58:35Z", "2024-02-29T23:59:59.001Z",
                           "1469-07-21T00:32:29Z", "9999-12-31T23:59:59.999Z"}) {
    const auto ms = ParseDateTime(text);
    ASSERT_TRUE(ms) << text;
    EXPECT_EQ(DateTimeText(*ms), text);
  }
}

TEST(DateTimeTest, OffsetsAndFractionsOfAnyLength) {
  EXPECT_EQ(ParseDateTime("1970-01-01T01:00:00+01:00"), 0);
  EXPECT_EQ(ParseDateTime("1969-12-31T18:30:00-05:30"), 0);
  EXPECT_EQ(ParseDateTime("1970-01-01T00:00:00.5Z"), 500);
  EXPECT_EQ(ParseDateTime("1970-01-01T00:00:00.123999Z"), 123);
  EXPECT_EQ(ParseDateTime("1970-01-01T00:00:60Z"), 60'000);
}

TEST(DateTimeTest, RefusesWhatIsNone) {
  for (const char* text :
       {"", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01 00:00:00Z", "1970-13-01T00:00:00Z",
        "2023-02-29T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00Z ", "-970-01-01T00:00:00Z", "1970-1-01T00:00:00Z",
        "0000-01-01T00:00:00Z", "1970-01-01T00:00:00+1:00", "1970-01-00T00:00:00Z"}) {
    EXPECT_EQ(ParseDateTime(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace xmpp
