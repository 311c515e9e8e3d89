#include <gtest/gtest.h>

#include <string>

#include "lib/xmpp/sasl/base64.h"

namespace xmpp::sasl {
namespace {

TEST(Base64, WritesAndReadsTheExamplesOfRfc4648) {
  const std::pair<const char*, const char*> examples[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [raw, text] : examples) {
    EXPECT_EQ(EncodeBase64(raw), text);
    EXPECT_EQ(DecodeBase64(text), raw);
  }
}

TEST(Base64, CarriesEveryByte) {
  std::string raw;
  for (int i = 0; i < 256; ++i) raw.push_back(static_cast<char>(i));
  for (size_t length = 0; length <= raw.size(); ++length) {
    EXPECT_EQ(DecodeBase64(EncodeBase64(raw.substr(0, length))), raw.substr(0, length));
  }
}

TEST(Base64, ReadsASingleEqualsSignAsNothing) { EXPECT_EQ(DecodeBase64("="), ""); }

// tests/attacks, row 23.
TEST(Base64, RefusesWhatIsNotCanonical) {
  for (const char* text :
       {"Zg", "Zg=", "Zg===", "==", "===", "====", "Z===", "Zm9v====", "Zm9v=", "Zh==", "Zm9=",
        "Zm8=Zg==", "Zm 9v", " Zm9v", "Zm9v\n", "Zm9-", "Zm9_", "Zm9,", "Zm\xC3\xBC="}) {
    EXPECT_FALSE(DecodeBase64(text)) << text;
  }
  EXPECT_FALSE(DecodeBase64(std::string("Zm9\0", 4)));
}

}  // namespace
}  // namespace xmpp::sasl
