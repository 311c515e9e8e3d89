#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>

#include "lib/xmpp/sasl/server_exchange.h"

namespace xmpp::sasl {
namespace {

using Kind = Step::Kind;

const ChannelBindings kBindings{.tls_exporter = std::string("\x01\x00,x", 4),
                                .tls_server_end_point = "certificate hash"};

// Derivation is slow on purpose; each hash pays for it once.
const ScramKeys& JulietsKeys(Hash hash) {
  static std::map<Hash, ScramKeys> keys;
  const auto found = keys.find(hash);
  if (found != keys.end()) return found->second;
  return keys.emplace(hash, DeriveKeys(hash, "r0m30", "0123456789abcdef", 4096)).first->second;
}

// One exchange at example.org, all mechanisms and both bindings offered.
class Server {
 public:
  explicit Server(std::string_view mechanism, Offer offer = MakeOffer(true, kBindings, {}))
      : exchange_(ServerExchange::Start(mechanism, offer, kBindings, "example.org")) {}

  Step First(std::string_view message) {
    Step step = exchange_->Respond(message);
    if (step.kind == Kind::kNeedKeys) {
      step = step.username == "juliet"
                 ? exchange_->SetKeys(JulietsKeys(step.hash), true)
                 : exchange_->SetKeys(FakeKeys(step.hash, "secret", step.username, 4096), false);
    }
    return step;
  }
  Step Final(std::string_view message) { return exchange_->Respond(message); }

 private:
  std::unique_ptr<ServerExchange> exchange_;
};

// Runs a whole exchange; the server's last step.
Step Play(std::string_view mechanism, ScramClient& client,
          Offer offer = MakeOffer(true, kBindings, {})) {
  Server server(mechanism, std::move(offer));
  const Step first = server.First(client.First());
  if (first.kind != Kind::kChallenge) return first;
  const auto answer = client.Final(first.data);
  if (!answer) return Step::Failure("client refused");
  return server.Final(*answer);
}

TEST(Scram, LogsInWithEachHash) {
  const std::pair<std::string_view, Hash> mechanisms[] = {{"SCRAM-SHA-1", Hash::kSha1},
                                                          {"SCRAM-SHA-256", Hash::kSha256},
                                                          {"SCRAM-SHA-512", Hash::kSha512}};
  for (const auto& [name, hash] : mechanisms) {
    ScramClient client(hash, "juliet", "r0m30");
    const Step end = Play(name, client);
    ASSERT_EQ(end.kind, Kind::kSuccess) << name;
    EXPECT_EQ(end.username, "juliet");
    EXPECT_TRUE(client.Verify(end.data));
    EXPECT_FALSE(client.Verify("v=" + EncodeBase64("something else")));
    EXPECT_FALSE(client.Verify("e=other-error"));
  }
}

TEST(Scram, BindsToTheChannel) {
  const std::pair<std::string_view, std::string> types[] = {
      {kTlsExporter, kBindings.tls_exporter}, {kTlsServerEndPoint, kBindings.tls_server_end_point}};
  for (const auto& [type, data] : types) {
    ScramClient client(Hash::kSha256, "juliet", "r0m30");
    client.Bind(std::string(type), data);
    EXPECT_EQ(Play("SCRAM-SHA-256-PLUS", client).kind, Kind::kSuccess) << type;

    ScramClient other(Hash::kSha256, "juliet", "r0m30");
    other.Bind(std::string(type), "another channel");
    EXPECT_EQ(Play("SCRAM-SHA-256-PLUS", other).condition, "not-authorized") << type;
  }
}

TEST(Scram, RefusesTheWrongPasswordAndTheUnknownUserAlike) {
  for (const std::string name : {"juliet", "nobody"}) {
    Server server("SCRAM-SHA-256");
    ScramClient client(Hash::kSha256, name, "wrong");
    const Step first = server.First(client.First());
    ASSERT_EQ(first.kind, Kind::kChallenge) << name;
    const Step end = server.Final(*client.Final(first.data));
    EXPECT_EQ(end.kind, Kind::kFailure);
    EXPECT_EQ(end.condition, "not-authorized");
    EXPECT_EQ(end.data, "");
  }
}

TEST(Scram, RefusesAnUnknownUserEvenWithTheKeysOfNobody) {
  const auto exchange = ServerExchange::Start("SCRAM-SHA-256", MakeOffer(true, kBindings, {}),
                                              kBindings, "example.org");
  ScramClient client(Hash::kSha256, "juliet", "r0m30");
  ASSERT_EQ(exchange->Respond(client.First()).kind, Kind::kNeedKeys);
  const Step first = exchange->SetKeys(JulietsKeys(Hash::kSha256), false);
  EXPECT_EQ(exchange->Respond(*client.Final(first.data)).condition, "not-authorized");
}

TEST(Scram, NormalisesTheUsername) {
  ScramClient client(Hash::kSha1, "\uFF2Auliet", "r0m30");
  const Step end = Play("SCRAM-SHA-1", client);
  ASSERT_EQ(end.kind, Kind::kSuccess);
  EXPECT_EQ(end.username, "juliet");
}

TEST(Scram, ReadsEscapedNames) {
  const auto exchange = ServerExchange::Start("SCRAM-SHA-1", MakeOffer(false, {}, {}), {}, "e.org");
  const Step step = exchange->Respond("n,,n=a=2Cb=3Dc,r=nonce");
  ASSERT_EQ(step.kind, Kind::kNeedKeys);
  EXPECT_EQ(step.username, "a,b=c");
}

// tests/attacks, row 24.
TEST(Scram, TakesAnAuthzidOnlyOfTheSameAccount) {
  for (const std::string authzid : {"juliet@example.org", "JULIET@Example.ORG", "Juliet"}) {
    ScramClient client(Hash::kSha1, "juliet", "r0m30");
    client.SetAuthzid(authzid);
    EXPECT_EQ(Play("SCRAM-SHA-1", client).kind, Kind::kSuccess) << authzid;
  }
  for (const std::string authzid :
       {"romeo@example.org", "juliet@example.net", "juliet@example.org/balcony", "romeo"}) {
    ScramClient client(Hash::kSha1, "juliet", "r0m30");
    client.SetAuthzid(authzid);
    EXPECT_EQ(Play("SCRAM-SHA-1", client).condition, "invalid-authzid") << authzid;
  }
}

TEST(Scram, RefusesAnAddressAsUsername) {
  EXPECT_EQ(Server("SCRAM-SHA-1").First("n,,n=juliet@example.org,r=x").condition, "not-authorized");
}

// tests/attacks, row 25, RFC 5802 §6.
TEST(Scram, RefusesFlagsThatDoNotFit) {
  EXPECT_EQ(Server("SCRAM-SHA-1").First("y,,n=juliet,r=x").condition, "not-authorized");
  EXPECT_EQ(Server("SCRAM-SHA-1").First("p=tls-exporter,,n=juliet,r=x").condition,
            "not-authorized");
  EXPECT_EQ(Server("SCRAM-SHA-1-PLUS").First("n,,n=juliet,r=x").condition, "not-authorized");
  EXPECT_EQ(Server("SCRAM-SHA-1-PLUS").First("y,,n=juliet,r=x").condition, "not-authorized");
  EXPECT_EQ(Server("SCRAM-SHA-1-PLUS").First("p=tls-unique,,n=juliet,r=x").condition,
            "not-authorized");
}

TEST(Scram, AcceptsAClientThatCouldBindWhereWeCannot) {
  ScramClient client(Hash::kSha1, "juliet", "r0m30");
  client.SetCanBind();
  EXPECT_EQ(Play("SCRAM-SHA-1", client, MakeOffer(true, {}, {})).kind, Kind::kSuccess);
  EXPECT_EQ(Play("SCRAM-SHA-1", client).condition, "not-authorized");
}

TEST(Scram, RefusesMalformedFirstMessages) {
  for (const std::string message : {"",
                                    "n",
                                    "n,",
                                    "n,,",
                                    "n,,n=juliet",
                                    "n,,r=x,n=juliet",
                                    "n,,n=,r=x",
                                    "n,,n=juliet,r=",
                                    "n,,n=juliet,r=x,",
                                    "n,,n=juliet,r=a b",
                                    "n,,n=ju=liet,r=x",
                                    "n,,n=ju=2cliet,r=x",
                                    "n,,n=ju=2,r=x",
                                    "n,,m=ext,n=juliet,r=x",
                                    "n,,n=juliet,r=x,m=ext",
                                    "n,,n=juliet,r=x,1=2",
                                    "n,,n=juliet,r=x,ext",
                                    "n,juliet,n=juliet,r=x",
                                    "n,a=,n=juliet,r=x",
                                    "x,,n=juliet,r=x",
                                    "p=,,n=juliet,r=x",
                                    "p=a b,,n=juliet,r=x",
                                    "n=,,n=juliet,r=x",
                                    ",,n=juliet,r=x",
                                    "n,,n=ju\xFFliet,r=x"}) {
    EXPECT_EQ(Server("SCRAM-SHA-1").First(message).condition, "malformed-request") << message;
  }
  EXPECT_EQ(Server("SCRAM-SHA-1").First(std::string("n,,n=ju\0liet,r=x", 16)).condition,
            "malformed-request");
  EXPECT_EQ(Server("SCRAM-SHA-1").First("n,,n=juliet,r=" + std::string(2000, 'x')).condition,
            "malformed-request");
  EXPECT_EQ(Server("SCRAM-SHA-1").First("n,,n=juliet,r=x,e=" + std::string(20000, 'x')).condition,
            "malformed-request");
}

TEST(Scram, IgnoresOptionalExtensions) {
  Server server("SCRAM-SHA-1");
  EXPECT_EQ(server.First("n,,n=juliet,r=x,e=what=ever,Q=1").kind, Kind::kChallenge);
}

// What the server says when Juliet opens; its nonce is what follows hers.
struct Opened {
  Server server{"SCRAM-SHA-1"};
  ScramClient client{Hash::kSha1, "juliet", "r0m30"};
  std::string first;
  std::string final_message;

  Opened() {
    first = server.First(client.First()).data;
    final_message = *client.Final(first);
  }
};

TEST(Scram, RefusesAnotherNonce) {
  Opened play;
  std::string message = play.final_message;
  const size_t nonce = message.find(",r=") + 3;
  message[nonce] = message[nonce] == 'A' ? 'B' : 'A';
  EXPECT_EQ(play.server.Final(message).condition, "not-authorized");

  // Only its own half echoed, with a proof that would otherwise be right.
  Opened shorter;
  const size_t end = shorter.final_message.find(",p=");
  EXPECT_EQ(shorter.server
                .Final(shorter.final_message.substr(0, end - 4) + shorter.final_message.substr(end))
                .condition,
            "not-authorized");
}

TEST(Scram, RefusesMalformedFinalMessages) {
  for (const std::string message :
       {"", "c=biws", "c=biws,r=x", "r=x,c=biws,p=AAAA", "c=biws,r=x,p=", "c=biws,r=x,p=A",
        "c=b iws,r=x,p=AAAA", "c=biws,r=x,m=1,p=AAAA", "c=biws,r=x,p=AAAA,e=1", "c=,r=x,p=AAAA"}) {
    Opened play;
    const std::string condition = play.server.Final(message).condition;
    EXPECT_EQ(condition, message == "c=biws,r=x,p=" ? "not-authorized" : "malformed-request")
        << message;
  }
}

TEST(Scram, RefusesProofsOfAnotherLength) {
  Opened play;
  const size_t proof = play.final_message.find(",p=");
  EXPECT_EQ(play.server.Final(play.final_message.substr(0, proof) + ",p=AAAA").condition,
            "not-authorized");
}

TEST(Scram, RefusesARaisedOrLoweredHeader) {
  Opened play;
  std::string message = play.final_message;
  message.replace(0, 6, "c=eSws");  // "y,,", not the "n,," it began with
  EXPECT_EQ(play.server.Final(message).condition, "not-authorized");
}

TEST(Scram, GivesANewNonceEachTime) {
  Server one("SCRAM-SHA-1"), two("SCRAM-SHA-1");
  const std::string first = one.First("n,,n=juliet,r=x").data;
  EXPECT_NE(first, two.First("n,,n=juliet,r=x").data);
  EXPECT_TRUE(first.starts_with("r=x"));
}

TEST(Scram, IsOverAfterItsEnd) {
  Opened play;
  EXPECT_EQ(play.server.Final(play.final_message).kind, Kind::kSuccess);
  EXPECT_EQ(play.server.Final(play.final_message).kind, Kind::kFailure);
  EXPECT_EQ(play.server.First("n,,n=juliet,r=x").kind, Kind::kFailure);
}

TEST(Scram, AsksForAFirstMessageThatWasNotGiven) {
  const auto exchange = ServerExchange::Start("SCRAM-SHA-1", MakeOffer(false, {}, {}), {}, "e.org");
  EXPECT_EQ(exchange->Respond(std::nullopt).kind, Kind::kChallenge);
  EXPECT_EQ(exchange->Respond("n,,n=juliet,r=x").kind, Kind::kNeedKeys);
  EXPECT_EQ(exchange->Respond("n,,n=juliet,r=x").condition, "malformed-request");
}

TEST(Scram, RefusesKeysThatDoNotFit) {
  const auto set = [](const ScramKeys& keys) {
    const auto exchange =
        ServerExchange::Start("SCRAM-SHA-256", MakeOffer(false, {}, {}), {}, "e.org");
    exchange->Respond("n,,n=juliet,r=x");
    return exchange->SetKeys(keys, true).condition;
  };
  ScramKeys keys = JulietsKeys(Hash::kSha256);
  EXPECT_EQ(set(keys), "");
  EXPECT_EQ(set(JulietsKeys(Hash::kSha1)), "temporary-auth-failure");
  keys.stored_key.pop_back();
  EXPECT_EQ(set(keys), "temporary-auth-failure");
  keys = JulietsKeys(Hash::kSha256);
  keys.iterations = 4095;
  EXPECT_EQ(set(keys), "not-authorized");
}

TEST(Scram, StartsOnlyWhatIsOffered) {
  const Offer offer = MakeOffer(true, {}, {"SCRAM-SHA-256"});
  EXPECT_NE(ServerExchange::Start("SCRAM-SHA-256", offer, {}, "e.org"), nullptr);
  for (const char* name : {"SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "PLAIN", "", "scram-sha-256",
                           "EXTERNAL", "CRAM-MD5"}) {
    EXPECT_EQ(ServerExchange::Start(name, offer, {}, "e.org"), nullptr) << name;
  }
}

// XEP-0474: the server signs its lists, a client that saw other lists goes no further.
TEST(Scram, ShowsAChangedOfferToTheClient) {
  const Offer offer = MakeOffer(true, kBindings, {});
  ScramClient honest(Hash::kSha256, "juliet", "r0m30");
  honest.SetOffer(offer);
  EXPECT_EQ(Play("SCRAM-SHA-256", honest).kind, Kind::kSuccess);

  ScramClient deceived(Hash::kSha256, "juliet", "r0m30");
  deceived.SetOffer({.mechanisms = {"SCRAM-SHA-256"}});
  EXPECT_EQ(Play("SCRAM-SHA-256", deceived).condition, "client refused");
}

// A man in the middle who also mends the hash breaks the proof.
TEST(Scram, FailsWhenTheSignedOfferWasChanged) {
  const Offer shown{.mechanisms = {"SCRAM-SHA-256"}};
  Server server("SCRAM-SHA-256");
  ScramClient client(Hash::kSha256, "juliet", "r0m30");
  client.SetOffer(shown);
  std::string first = server.First(client.First()).data;
  first.replace(first.find(",h="), std::string::npos, ",h=" + OfferHash(Hash::kSha256, shown));
  EXPECT_EQ(server.Final(*client.Final(first)).condition, "not-authorized");
}

TEST(ScramClient, RefusesAServerThatBreaksTheRules) {
  ScramClient client(Hash::kSha1, "juliet", "r0m30");
  const std::string opening = client.First();
  const std::string nonce = opening.substr(opening.find(",r=") + 3);
  EXPECT_TRUE(client.Final("r=" + nonce + "x,s=QSXCR+Q6sek8bf92,i=4096"));
  for (const std::string& message :
       {"r=" + nonce + ",s=QSXCR+Q6sek8bf92,i=4096", std::string("r=other,s=QSXCR+Q6,i=4096"),
        "r=" + nonce + "x,s=QSXCR+Q6sek8bf92,i=4095", "r=" + nonce + "x,s=,i=4096",
        "r=" + nonce + "x,s=QSXCR+Q6sek8bf92,i=99999999",
        "r=" + nonce + "x,s=QSXCR+Q6sek8bf92,i=-1", "r=" + nonce + "x,s=QSXCR+Q6sek8bf92,i=4096x",
        "m=1,r=" + nonce + "x,s=QSXCR+Q6sek8bf92,i=4096", std::string("e=other-error")}) {
    EXPECT_FALSE(client.Final(message)) << message;
  }
}

}  // namespace
}  // namespace xmpp::sasl
