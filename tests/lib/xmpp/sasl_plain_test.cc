#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "lib/xmpp/sasl/server_exchange.h"

namespace xmpp::sasl {
namespace {

using Kind = Step::Kind;
using std::string_literals::operator""s;

std::unique_ptr<ServerExchange> Plain() {
  return ServerExchange::Start("PLAIN", MakeOffer(true, {}, {}), {}, "example.org");
}

Step Say(const std::string& message) { return Plain()->Respond(message); }

TEST(Plain, IsNotToBeHadWithoutTls) {
  EXPECT_EQ(ServerExchange::Start("PLAIN", MakeOffer(false, {}, {}), {}, "example.org"), nullptr);
}

TEST(Plain, AsksForThePasswordToBeChecked) {
  const auto exchange = Plain();
  const Step step = exchange->Respond("\0Juliet\0r0m30\u00A0myr0m30"s);
  ASSERT_EQ(step.kind, Kind::kCheckPassword);
  EXPECT_EQ(step.username, "juliet");
  EXPECT_EQ(step.password, "r0m30 myr0m30");  // OpaqueString
  const Step end = exchange->SetPasswordResult(true);
  ASSERT_EQ(end.kind, Kind::kSuccess);
  EXPECT_EQ(end.username, "juliet");
  EXPECT_EQ(end.data, "");
}

TEST(Plain, FailsWithAWrongPassword) {
  const auto exchange = Plain();
  ASSERT_EQ(exchange->Respond("\0juliet\0wrong"s).kind, Kind::kCheckPassword);
  EXPECT_EQ(exchange->SetPasswordResult(false).condition, "not-authorized");
}

TEST(Plain, AsksForAMessageThatWasNotGiven) {
  const auto exchange = Plain();
  const Step first = exchange->Respond(std::nullopt);
  EXPECT_EQ(first.kind, Kind::kChallenge);
  EXPECT_EQ(first.data, "");
  EXPECT_EQ(exchange->Respond("\0juliet\0secret"s).kind, Kind::kCheckPassword);
}

// tests/attacks, row 24.
TEST(Plain, TakesAnAuthzidOnlyOfTheSameAccount) {
  for (const auto& authzid : {"juliet"s, "JULIET"s, "juliet@example.org"s, "Juliet@EXAMPLE.org."s,
                              "\uFF4Auliet@example.org"s}) {
    EXPECT_EQ(Say(authzid + "\0juliet\0secret"s).kind, Kind::kCheckPassword) << authzid;
  }
  for (const auto& authzid : {"romeo"s, "romeo@example.org"s, "juliet@example.net"s, "example.org"s,
                              "juliet@example.org/r"s, "@"s, "juliet@"s, "\u0458uliet"s}) {
    EXPECT_EQ(Say(authzid + "\0juliet\0secret"s).condition, "invalid-authzid") << authzid;
  }
}

// tests/attacks, row 23.
TEST(Plain, RefusesMalformedMessages) {
  for (const auto& message :
       {""s, "juliet"s, "\0juliet"s, "\0\0secret"s, "\0juliet\0"s, "\0juliet\0sec\0ret"s, "\0\0\0"s,
        "\0ju\xFFliet\0secret"s, "\0"s + std::string(1024, 'j') + "\0secret"s,
        "\0juliet\0"s + std::string(1024, 's'), std::string(4000, 'a') + "\0juliet\0secret"s}) {
    EXPECT_EQ(Say(message).condition, "malformed-request") << message;
  }
}

TEST(Plain, RefusesNamesThatNoAccountHas) {
  for (const auto& name : {"juliet@example.org"s, "ju liet"s, "\u2163"s}) {
    EXPECT_EQ(Say("\0"s + name + "\0secret"s).condition, "not-authorized") << name;
  }
  EXPECT_EQ(Say("\0juliet\0sec\tret"s).condition, "not-authorized");
}

TEST(Plain, IsOverAfterItsEnd) {
  const auto exchange = Plain();
  exchange->Respond("\0juliet\0secret"s);
  EXPECT_EQ(exchange->Respond("\0juliet\0secret"s).kind, Kind::kFailure);
  EXPECT_EQ(exchange->SetPasswordResult(true).kind, Kind::kFailure);
  const auto early = Plain();
  EXPECT_EQ(early->SetPasswordResult(true).kind, Kind::kFailure);
}

}  // namespace
}  // namespace xmpp::sasl
