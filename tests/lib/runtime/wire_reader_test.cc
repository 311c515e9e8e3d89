#include "lib/runtime/wire_reader.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "lib/runtime/rpc_batch.h"
#include "proto/connmgr_business.pb.h"

namespace runtime {
namespace {

TEST(WireReader, ReadsWhatProtobufWrote) {
  xylem::v1::Submit submit;
  submit.set_connection(0x0123456789abcdefu);
  submit.set_epoch(7);
  submit.set_in_seq(UINT64_MAX);
  submit.set_turn(300);
  submit.mutable_envelope()->set_body(std::string(1000, 'b'));
  const std::string bytes = submit.SerializeAsString();
  WireReader reader(bytes);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.field(), 1);
  EXPECT_EQ(reader.number(), 0x0123456789abcdefu);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.field(), 2);
  EXPECT_EQ(reader.number(), 7u);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.field(), 3);
  EXPECT_EQ(reader.number(), UINT64_MAX);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.field(), 4);
  EXPECT_EQ(reader.number(), 300u);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.field(), 6);
  EXPECT_EQ(reader.number(), 0u);
  EXPECT_EQ(reader.bytes(), submit.envelope().SerializeAsString());
  EXPECT_FALSE(reader.Next());
  EXPECT_FALSE(reader.malformed());
}

TEST(WireReader, ReadsWhatTheWriterWrote) {
  std::string bytes;
  WireWriter writer(&bytes);
  writer.Fixed64(1, 1);
  writer.Uint(2000, 5);
  writer.BytesAlways(3, "");
  WireReader reader(bytes);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.number(), 1u);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.field(), 2000);
  EXPECT_EQ(reader.number(), 5u);
  ASSERT_TRUE(reader.Next());
  EXPECT_EQ(reader.field(), 3);
  EXPECT_EQ(reader.bytes(), "");
  EXPECT_FALSE(reader.Next());
}

TEST(WireReader, EveryCutMessageIsMalformedOrShorter) {
  std::string bytes;
  WireWriter writer(&bytes);
  writer.Fixed64(1, UINT64_MAX);
  writer.Uint(2, UINT64_MAX);
  writer.Bytes(3, "body");
  for (size_t size = 0; size < bytes.size(); ++size) {
    WireReader reader(std::string_view(bytes).substr(0, size));
    int fields = 0;
    while (reader.Next()) ++fields;
    const bool between_fields = size == 0 || size == 9 || size == 20;
    EXPECT_EQ(reader.malformed(), !between_fields) << size;
    EXPECT_EQ(fields, size < 9 ? 0 : size < 20 ? 1 : 2) << size;
  }
}

TEST(WireReader, GroupsAndEndlessNumbersAreMalformed) {
  for (const std::string& bytes : {std::string("\x0b"), std::string("\x0c"), std::string("\x0f"),
                                   "\x08" + std::string(11, '\xff')}) {
    WireReader reader(bytes);
    EXPECT_FALSE(reader.Next());
    EXPECT_TRUE(reader.malformed());
  }
}

}  // namespace
}  // namespace runtime
