#include <gtest/gtest.h>

#include <string>

#include "lib/xmpp/sasl/base64.h"
#include "lib/xmpp/sasl/scram_keys.h"

namespace xmpp::sasl {
namespace {

struct Example {
  Hash hash;
  const char* salt;
  const char* auth_message;
  const char* proof;
  const char* signature;
};

// The password is "pencil", 4096 rounds.
const Example kExamples[] = {
    // RFC 5802 §5
    {Hash::kSha1, "QSXCR+Q6sek8bf92",
     "n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
     "s=QSXCR+Q6sek8bf92,i=4096,c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
     "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "rmF9pqV8S7suAoZWja4dJRkFsKQ="},
    // RFC 7677 §3
    {Hash::kSha256, "W22ZaJ0SNY7soEsUEjb6gQ==",
     "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
     "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,"
     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
     "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
     "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
};

TEST(ScramKeys, AgreeWithTheRfcsExamples) {
  for (const Example& example : kExamples) {
    const ScramKeys keys =
        DeriveKeys(example.hash, "pencil", *DecodeBase64(example.salt), kMinIterations);
    const std::string client_key = Xor(*DecodeBase64(example.proof),
                                       Hmac(example.hash, keys.stored_key, example.auth_message));
    EXPECT_EQ(Digest(example.hash, client_key), keys.stored_key);
    EXPECT_EQ(EncodeBase64(Hmac(example.hash, keys.server_key, example.auth_message)),
              example.signature);
  }
}

TEST(ScramKeys, OfNobodyLookLikeSomebodys) {
  for (const Hash hash : {Hash::kSha1, Hash::kSha256, Hash::kSha512}) {
    const ScramKeys real = DeriveKeys(hash, "pencil", RandomBytes(kSaltBytes), 4096);
    const ScramKeys fake = FakeKeys(hash, "secret", "nobody", 4096);
    EXPECT_EQ(fake.hash, real.hash);
    EXPECT_EQ(fake.iterations, real.iterations);
    EXPECT_EQ(fake.salt.size(), real.salt.size());
    EXPECT_EQ(fake.stored_key.size(), real.stored_key.size());
    EXPECT_EQ(fake.server_key.size(), real.server_key.size());
  }
}

TEST(ScramKeys, OfNobodyAreAlwaysTheSame) {
  const ScramKeys fake = FakeKeys(Hash::kSha256, "secret", "nobody", 4096);
  EXPECT_EQ(fake.salt, FakeKeys(Hash::kSha256, "secret", "nobody", 4096).salt);
  EXPECT_NE(fake.salt, FakeKeys(Hash::kSha256, "secret", "nobodyelse", 4096).salt);
  EXPECT_NE(fake.salt, FakeKeys(Hash::kSha256, "other", "nobody", 4096).salt);
  EXPECT_NE(fake.salt, FakeKeys(Hash::kSha512, "secret", "nobody", 4096).salt);
}

TEST(ScramKeys, CompareOnlyWholeSecrets) {
  EXPECT_TRUE(SameSecret("abc", "abc"));
  EXPECT_TRUE(SameSecret("", ""));
  EXPECT_FALSE(SameSecret("abc", "abd"));
  EXPECT_FALSE(SameSecret("abc", "ab"));
}

}  // namespace
}  // namespace xmpp::sasl
