// Whole logins against the Authenticator: a manager's link that records, all else real.
#include "business/auth/authenticator.h"

#include <condition_variable>
#include <deque>
#include <mutex>

#include "lib/cluster/ticket_sealer.h"
#include "lib/runtime/metrics.h"
#include "lib/xmpp/element.h"
#include "lib/xmpp/namespaces.h"
#include "lib/xmpp/sasl/server_exchange.h"
#include "proto/connmgr_business.pb.h"
#include "proto/ticket.pb.h"
#include "tests/business/auth/auth_fixture.h"

namespace business {
namespace {

using xmpp::sasl::ChannelBindings;
using xmpp::sasl::Hash;
using xmpp::sasl::Offer;
using xmpp::sasl::ScramClient;
using xylem::v1::Negotiated;

const ChannelBindings kBindings{.tls_exporter = std::string("\x01\x00exporter", 10),
                                .tls_server_end_point = "certificate hash",
                                .tls_unique = "first finished"};

// What the authenticator sends to a manager, as it comes.
class FakeLink : public ManagerLink {
 public:
  const std::string& manager() const override { return manager_; }
  uint64_t incarnation() const override { return 77; }
  bool alive() const override { return alive_; }
  void SendNegotiated(Negotiated answer) override {
    std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
    came_.notify_all();
  }
  void SendAccepted(uint64_t, cluster::Epoch, uint64_t) override { ADD_FAILURE(); }
  void SendTicket(uint64_t, cluster::Epoch, std::string) override { ADD_FAILURE(); }
  void SendEnded(uint64_t, cluster::Epoch) override { ADD_FAILURE(); }
  void SendClose(uint64_t, cluster::Epoch, xmpp::StreamError) override { ADD_FAILURE(); }
  void SendFenced(uint64_t, cluster::Epoch) override { ADD_FAILURE(); }
  void SendGap(uint64_t, cluster::Epoch, uint64_t) override { ADD_FAILURE(); }

  void Break() { alive_ = false; }
  Negotiated Next() {
    std::unique_lock lock(mutex_);
    if (!came_.wait_for(lock, std::chrono::minutes(1), [this] { return !answers_.empty(); })) {
      ADD_FAILURE() << "no answer in a minute";
      abort();
    }
    Negotiated answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }
  size_t waiting() {
    std::lock_guard lock(mutex_);
    return answers_.size();
  }

 private:
  const std::string manager_ = "connmgr-1";
  std::atomic<bool> alive_{true};
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<Negotiated> answers_;
};

std::string Condition(const Negotiated& answer) {
  const auto element = xmpp::Element::Parse(answer.reply());
  if (!element || !element->Is("failure", xmpp::ns::kSasl)) return "no failure";
  return element->FirstChild()->name();
}

std::string Data(const Negotiated& answer, std::string_view name) {
  const auto element = xmpp::Element::Parse(answer.reply());
  if (!element || !element->Is(name, xmpp::ns::kSasl)) return "another element";
  return xmpp::sasl::DecodeBase64(element->Text()).value_or("bad base64");
}

std::string AuthXml(std::string_view mechanism, std::string_view text) {
  return std::string("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='")
      .append(mechanism)
      .append("'>")
      .append(text)
      .append("</auth>");
}
std::string ResponseXml(std::string_view text) {
  return std::string("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>")
      .append(text)
      .append("</response>");
}
constexpr const char* kAbort = "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";

std::string Plain(const std::string& user, const std::string& password,
                  const std::string& authzid = "") {
  return authzid + '\0' + user + '\0' + password;
}

class AuthenticatorTest : public AuthTest {
 protected:
  void SetUp() override {
    AuthTest::SetUp();
    options_.domains = {"example.org", "example.net"};
    options_.fake_salt_secret = "a secret of the tests";
    options_.scram_iterations = kIterations;
    Restart();
    ASSERT_EQ(Add("juliet@example.org", "r0m30"), AccountAdmin::Outcome::kDone);
  }
  void TearDown() override {
    OnLoop([this] { authenticator_.reset(); });
    AuthTest::TearDown();
  }
  // With options_ as they are now.
  void Restart() {
    OnLoop([this] {
      authenticator_ =
          Authenticator::Create(&loop(), options_, cache_.get(), workers_.get(), &sealer_);
    });
  }

  xylem::v1::Opened Stream(uint64_t connection, bool tls = true) {
    xylem::v1::Opened opened;
    opened.set_connection(connection);
    opened.set_domain("example.org");
    opened.set_peer_address("192.0.2.1:5000");
    if (tls) {
      opened.set_tls_version("TLSv1.3");
      opened.set_tls_exporter(kBindings.tls_exporter);
      opened.set_tls_server_end_point(kBindings.tls_server_end_point);
      opened.set_tls_unique(kBindings.tls_unique);
    }
    return opened;
  }
  Negotiated Open(const xylem::v1::Opened& opened) {
    OnLoop([&] { authenticator_->OnOpened(link_, opened); });
    return link_->Next();
  }
  void Tell(uint64_t connection, const std::string& element) {
    xylem::v1::Negotiate negotiate;
    negotiate.set_connection(connection);
    negotiate.set_element(element);
    OnLoop([&] { authenticator_->OnSasl(link_, negotiate); });
  }
  Negotiated Ask(uint64_t connection, const std::string& element) {
    Tell(connection, element);
    return link_->Next();
  }
  Negotiated Auth(uint64_t connection, std::string_view mechanism, std::string_view data) {
    return Ask(connection, AuthXml(mechanism, xmpp::sasl::EncodeBase64(data)));
  }
  Negotiated Respond(uint64_t connection, std::string_view data) {
    return Ask(connection, ResponseXml(xmpp::sasl::EncodeBase64(data)));
  }
  // On an open stream; the verdict.
  Negotiated Scram(uint64_t connection, std::string_view mechanism, ScramClient& client) {
    const Negotiated challenge = Auth(connection, mechanism, client.First());
    if (challenge.outcome() != Negotiated::CONTINUE) return challenge;
    const auto answer = client.Final(Data(challenge, "challenge"));
    EXPECT_TRUE(answer);
    return Respond(connection, answer.value_or(""));
  }
  Negotiated ScramSha256(uint64_t connection, const std::string& user,
                         const std::string& password) {
    ScramClient client(Hash::kSha256, user, password);
    return Scram(connection, "SCRAM-SHA-256", client);
  }

  const cluster::TicketSealer sealer_{{std::string(32, 'k')}};
  Authenticator::Options options_;
  std::shared_ptr<FakeLink> link_ = std::make_shared<FakeLink>();
  std::unique_ptr<Authenticator> authenticator_;
};

// ---- offers ----

Offer ReadOffer(const Negotiated& answer) {
  Offer offer;
  const auto features = xmpp::Element::Parse("<features>" + answer.features() + "</features>");
  if (!features) return offer;
  if (const auto* list = features->Find("mechanisms", xmpp::ns::kSasl)) {
    for (const auto* name : list->Elements()) offer.mechanisms.push_back(name->Text());
  }
  if (const auto* list = features->Find("sasl-channel-binding", xmpp::ns::kSaslChannelBinding)) {
    for (const auto* type : list->Elements()) {
      offer.channel_bindings.emplace_back(type->Attr("type"));
    }
  }
  return offer;
}

TEST_F(AuthenticatorTest, ServesTheDomainsOfTheMoment) {
  auto stream = Stream(1);
  stream.set_domain("mantua.example");
  EXPECT_EQ(Open(stream).outcome(), Negotiated::CLOSE);
  OnLoop([this] { authenticator_->SetDomains({"example.org", "mantua.example"}); });
  EXPECT_EQ(Open(stream).outcome(), Negotiated::FEATURES);
  stream.set_domain("example.net");
  const auto answer = Open(stream);
  EXPECT_EQ(answer.outcome(), Negotiated::CLOSE);
  EXPECT_EQ(answer.error().condition(), "host-unknown");
}

TEST_F(AuthenticatorTest, OffersMechanismsAndBindingsWithTls) {
  const Negotiated answer = Open(Stream(1));
  EXPECT_EQ(answer.outcome(), Negotiated::FEATURES);
  EXPECT_EQ(answer.connection(), 1u);
  const Offer offer = ReadOffer(answer);
  EXPECT_EQ(offer.mechanisms.size(), 7u);
  EXPECT_EQ(offer.mechanisms.front(), "SCRAM-SHA-512-PLUS");
  EXPECT_EQ(offer.mechanisms.back(), "PLAIN");
  EXPECT_EQ(offer.channel_bindings,
            (std::vector<std::string>{"tls-exporter", "tls-server-end-point"}));
}

TEST_F(AuthenticatorTest, OffersNeitherPlainNorBindingsWithoutTls) {
  const Offer offer = ReadOffer(Open(Stream(1, false)));
  EXPECT_EQ(offer.mechanisms,
            (std::vector<std::string>{"SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"}));
  EXPECT_TRUE(offer.channel_bindings.empty());
}

TEST_F(AuthenticatorTest, ClosesAStreamToADomainOfSomebodyElse) {
  auto opened = Stream(1);
  opened.set_domain("elsewhere.org");
  const Negotiated answer = Open(opened);
  EXPECT_EQ(answer.outcome(), Negotiated::CLOSE);
  EXPECT_EQ(answer.error().condition(), "host-unknown");
}

TEST_F(AuthenticatorTest, RefusesMoreStreamsThanItsBound) {
  options_.max_streams = 2;
  Restart();
  EXPECT_EQ(Open(Stream(1)).outcome(), Negotiated::FEATURES);
  EXPECT_EQ(Open(Stream(2)).outcome(), Negotiated::FEATURES);
  EXPECT_EQ(Open(Stream(2)).outcome(), Negotiated::FEATURES);  // the same again, behind STARTTLS
  const Negotiated answer = Open(Stream(3));
  EXPECT_EQ(answer.outcome(), Negotiated::CLOSE);
  EXPECT_EQ(answer.error().condition(), "resource-constraint");
  OnLoop([this] { authenticator_->OnConnectionClosed(link_, 1); });
  EXPECT_EQ(Open(Stream(3)).outcome(), Negotiated::FEATURES);
  // Who has logged in is not counted any more.
  EXPECT_EQ(ScramSha256(2, "juliet", "r0m30").outcome(), Negotiated::AUTHENTICATED);
  EXPECT_EQ(Open(Stream(4)).outcome(), Negotiated::FEATURES);
}

// ---- logging in ----

TEST_F(AuthenticatorTest, LogsInByEachScramMechanism) {
  const std::pair<const char*, Hash> mechanisms[] = {{"SCRAM-SHA-1", Hash::kSha1},
                                                     {"SCRAM-SHA-256", Hash::kSha256},
                                                     {"SCRAM-SHA-512", Hash::kSha512}};
  uint64_t connection = 0;
  for (const auto& [mechanism, hash] : mechanisms) {
    ScramClient client(hash, "juliet", "r0m30");
    client.SetOffer(ReadOffer(Open(Stream(++connection))));  // XEP-0474
    const Negotiated answer = Scram(connection, mechanism, client);
    ASSERT_EQ(answer.outcome(), Negotiated::AUTHENTICATED) << mechanism << answer.reply();
    EXPECT_EQ(answer.account(), "juliet@example.org");
    EXPECT_TRUE(client.Verify(Data(answer, "success"))) << mechanism;
  }
}

TEST_F(AuthenticatorTest, LogsInByEachPlusMechanismAndBinding) {
  const std::pair<const char*, Hash> mechanisms[] = {{"SCRAM-SHA-1-PLUS", Hash::kSha1},
                                                     {"SCRAM-SHA-256-PLUS", Hash::kSha256},
                                                     {"SCRAM-SHA-512-PLUS", Hash::kSha512}};
  const std::pair<const char*, std::string> bindings[] = {
      {"tls-exporter", kBindings.tls_exporter},
      {"tls-server-end-point", kBindings.tls_server_end_point},
      {"tls-unique", kBindings.tls_unique}};
  uint64_t connection = 0;
  for (const auto& [mechanism, hash] : mechanisms) {
    for (const auto& [type, data] : bindings) {
      ScramClient client(hash, "juliet", "r0m30");
      client.Bind(type, data);
      client.SetOffer(ReadOffer(Open(Stream(++connection))));
      const Negotiated answer = Scram(connection, mechanism, client);
      ASSERT_EQ(answer.outcome(), Negotiated::AUTHENTICATED) << mechanism << type;
      EXPECT_TRUE(client.Verify(Data(answer, "success"))) << mechanism << type;
    }
  }
}

TEST_F(AuthenticatorTest, LogsInByPlainWithAndWithoutInitialResponse) {
  Open(Stream(1));
  const Negotiated at_once = Auth(1, "PLAIN", Plain("Juliet", "r0m30"));
  EXPECT_EQ(at_once.outcome(), Negotiated::AUTHENTICATED);
  EXPECT_EQ(at_once.account(), "juliet@example.org");
  EXPECT_EQ(Data(at_once, "success"), "");
  Open(Stream(2));
  const Negotiated asked = Ask(2, AuthXml("PLAIN", ""));
  EXPECT_EQ(asked.outcome(), Negotiated::CONTINUE);
  EXPECT_EQ(Data(asked, "challenge"), "");
  EXPECT_EQ(Respond(2, Plain("juliet", "r0m30")).outcome(), Negotiated::AUTHENTICATED);
}

TEST_F(AuthenticatorTest, SealsWhoTheStreamIsIntoItsTicket) {
  Open(Stream(42));
  const Negotiated answer = ScramSha256(42, "juliet", "r0m30");
  const auto plain = sealer_.Open(answer.ticket());
  ASSERT_TRUE(plain);
  xylem::v1::SealedTicket ticket;
  ASSERT_TRUE(ticket.ParseFromString(*plain));
  EXPECT_EQ(ticket.version(), 1u);
  EXPECT_EQ(ticket.account(), "juliet@example.org");
  EXPECT_EQ(ticket.mechanism(), "SCRAM-SHA-256");
  EXPECT_EQ(ticket.manager(), "connmgr-1");
  EXPECT_EQ(ticket.manager_incarnation(), 77u);
  EXPECT_EQ(ticket.connection(), 42u);
  EXPECT_EQ(ticket.peer_address(), "192.0.2.1:5000");
}

// ---- refusals ----

TEST_F(AuthenticatorTest, RefusesAnotherChannel) {
  Open(Stream(1));
  ScramClient client(Hash::kSha256, "juliet", "r0m30");
  client.Bind("tls-exporter", "another channel");
  EXPECT_EQ(Condition(Scram(1, "SCRAM-SHA-256-PLUS", client)), "not-authorized");
  ScramClient downgraded(Hash::kSha256, "juliet", "r0m30");
  downgraded.SetCanBind();  // it was shown a list without -PLUS
  EXPECT_EQ(Condition(Scram(1, "SCRAM-SHA-256", downgraded)), "not-authorized");
}

// tests/attacks, row 26.
TEST_F(AuthenticatorTest, AnswersAnUnknownUserAsItAnswersAWrongPassword) {
  Open(Stream(1));
  for (const char* user : {"juliet", "nobody"}) {
    ScramClient client(Hash::kSha256, user, "wrong");
    const Negotiated challenge = Auth(1, "SCRAM-SHA-256", client.First());
    ASSERT_EQ(challenge.outcome(), Negotiated::CONTINUE) << user;
    const auto answer = client.Final(Data(challenge, "challenge"));
    const Negotiated verdict = Respond(1, *answer);
    EXPECT_EQ(verdict.outcome(), Negotiated::FAILED) << user;
    EXPECT_EQ(Condition(verdict), "not-authorized") << user;
    EXPECT_EQ(Condition(Auth(1, "PLAIN", Plain(user, "wrong"))), "not-authorized") << user;
  }
  EXPECT_EQ(ScramSha256(1, "juliet", "r0m30").outcome(), Negotiated::AUTHENTICATED);
}

TEST_F(AuthenticatorTest, GivesAnUnknownUserTheSameSaltEachTimeAndAnotherAtAnotherDomain) {
  Open(Stream(1));
  auto elsewhere = Stream(2);
  elsewhere.set_domain("example.net");
  Open(elsewhere);
  const auto salt = [&](uint64_t connection, const std::string& user) {
    ScramClient client(Hash::kSha256, user, "x");
    const std::string first = Data(Auth(connection, "SCRAM-SHA-256", client.First()), "challenge");
    EXPECT_EQ(Condition(Ask(connection, kAbort)), "aborted");
    const size_t begin = first.find(",s=");
    return first.substr(begin, first.find(',', begin + 1) - begin);
  };
  EXPECT_EQ(salt(1, "nobody"), salt(1, "nobody"));
  EXPECT_NE(salt(1, "nobody"), salt(1, "somebody"));
  EXPECT_NE(salt(1, "nobody"), salt(2, "nobody"));
  EXPECT_EQ(salt(1, "nobody").size(), salt(1, "juliet").size());
}

TEST_F(AuthenticatorTest, HashesThePasswordOfAnUnknownUserToo) {
  runtime::Histogram& hashed = runtime::Metrics::Get().GetHistogram("xylem_auth_password_seconds",
                                                                    "", runtime::LatencyBounds());
  Open(Stream(1));
  const uint64_t before = hashed.Read().count;
  EXPECT_EQ(Condition(Auth(1, "PLAIN", Plain("nobody", "r0m30"))), "not-authorized");
  EXPECT_EQ(hashed.Read().count, before + 1);
}

// tests/attacks, row 23.
TEST_F(AuthenticatorTest, NamesWhatIsWrongWithAnElement) {
  Open(Stream(1));
  EXPECT_EQ(Condition(Ask(1, AuthXml("CRAM-MD5", ""))), "invalid-mechanism");
  EXPECT_EQ(Condition(Ask(1, AuthXml("", "AGEAYg=="))), "invalid-mechanism");
  EXPECT_EQ(Condition(Ask(1, AuthXml("plain", "AGEAYg=="))), "invalid-mechanism");
  EXPECT_EQ(Condition(Ask(1, AuthXml("PLAIN", "not base64"))), "incorrect-encoding");
  EXPECT_EQ(Condition(Ask(1, AuthXml("PLAIN", "AGEAYg"))), "incorrect-encoding");
  EXPECT_EQ(Condition(Auth(1, "PLAIN", "no separators")), "malformed-request");
  EXPECT_EQ(Condition(Ask(1, AuthXml("PLAIN", "="))), "malformed-request");
  EXPECT_EQ(Condition(Auth(1, "SCRAM-SHA-256", "n,,garbage")), "malformed-request");
  EXPECT_EQ(Condition(Ask(1, AuthXml("PLAIN", "<x/>"))), "malformed-request");
  EXPECT_EQ(Condition(Ask(1, "<auth xmlns='urn:xmpp:sasl:2'/>")), "malformed-request");
  EXPECT_EQ(Condition(Ask(1, ResponseXml("AGEAYg=="))), "malformed-request");
  EXPECT_EQ(Condition(Ask(1, kAbort)), "aborted");
  ScramClient client(Hash::kSha256, "juliet", "r0m30");
  EXPECT_EQ(Auth(1, "SCRAM-SHA-256", client.First()).outcome(), Negotiated::CONTINUE);
  EXPECT_EQ(Condition(Ask(1, ResponseXml("not base64"))), "incorrect-encoding");
  EXPECT_EQ(ScramSha256(1, "juliet", "r0m30").outcome(), Negotiated::AUTHENTICATED);
}

TEST_F(AuthenticatorTest, EndsTheExchangeAtASecondAuth) {
  Open(Stream(1));
  ScramClient client(Hash::kSha256, "juliet", "r0m30");
  const Negotiated challenge = Auth(1, "SCRAM-SHA-256", client.First());
  EXPECT_EQ(Condition(Auth(1, "PLAIN", Plain("juliet", "r0m30"))), "malformed-request");
  const auto answer = client.Final(Data(challenge, "challenge"));
  EXPECT_EQ(Condition(Respond(1, *answer)), "malformed-request");
}

// tests/attacks, row 22.
TEST_F(AuthenticatorTest, WantsTlsForPlain) {
  Open(Stream(1, false));
  EXPECT_EQ(Condition(Auth(1, "PLAIN", Plain("juliet", "r0m30"))), "encryption-required");
  EXPECT_EQ(Condition(Auth(1, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,n=juliet,r=x")),
            "invalid-mechanism");
  options_.mechanisms = {"SCRAM-SHA-256"};
  Restart();
  Open(Stream(1, false));
  EXPECT_EQ(Condition(Auth(1, "PLAIN", Plain("juliet", "r0m30"))), "invalid-mechanism");
}

// tests/attacks, row 24.
TEST_F(AuthenticatorTest, LetsNobodyActAsAnother) {
  Open(Stream(1));
  EXPECT_EQ(Condition(Auth(1, "PLAIN", Plain("juliet", "r0m30", "romeo@example.org"))),
            "invalid-authzid");
  ScramClient client(Hash::kSha256, "juliet", "r0m30");
  client.SetAuthzid("juliet@example.net");
  EXPECT_EQ(Condition(Scram(1, "SCRAM-SHA-256", client)), "invalid-authzid");
  const Negotiated own = Auth(1, "PLAIN", Plain("juliet", "r0m30", "JULIET@example.org"));
  EXPECT_EQ(own.outcome(), Negotiated::AUTHENTICATED);
  EXPECT_EQ(own.account(), "juliet@example.org");
}

TEST_F(AuthenticatorTest, TellsALockedAccountOnlyToWhoKnowsItsPassword) {
  SetLocked("juliet@example.org", true);
  Open(Stream(1));
  EXPECT_EQ(Condition(ScramSha256(1, "juliet", "wrong")), "not-authorized");
  EXPECT_EQ(Condition(ScramSha256(1, "juliet", "r0m30")), "account-disabled");
  EXPECT_EQ(Condition(Auth(1, "PLAIN", Plain("juliet", "wrong"))), "not-authorized");
  EXPECT_EQ(Condition(Auth(1, "PLAIN", Plain("juliet", "r0m30"))), "account-disabled");
  SetLocked("juliet@example.org", false);
  EXPECT_EQ(ScramSha256(1, "juliet", "r0m30").outcome(), Negotiated::AUTHENTICATED);
}

TEST_F(AuthenticatorTest, LetsNobodyInBehindAChangeThatCameWhileTheClientThought) {
  const auto log_in_around = [&](std::function<void()> change) {
    Open(Stream(1));
    ScramClient client(Hash::kSha256, "juliet", "r0m30");
    const Negotiated challenge = Auth(1, "SCRAM-SHA-256", client.First());
    change();
    return Respond(1, *client.Final(Data(challenge, "challenge")));
  };
  EXPECT_EQ(Condition(log_in_around([&] { SetLocked("juliet@example.org", true); })),
            "account-disabled");
  // A change that is not of the password or the lock disturbs nobody.
  EXPECT_EQ(log_in_around([&] { SetLocked("juliet@example.org", false); }).outcome(),
            Negotiated::AUTHENTICATED);
  EXPECT_EQ(Condition(log_in_around([&] { SetPassword("juliet@example.org", "new"); })),
            "not-authorized");
  SetPassword("juliet@example.org", "r0m30");
  EXPECT_EQ(Condition(log_in_around([&] { Delete("juliet@example.org"); })), "not-authorized");
}

// R13.
TEST_F(AuthenticatorTest, SeesAChangedPasswordAndANewAccountAtOnce) {
  Open(Stream(1));
  EXPECT_EQ(ScramSha256(1, "juliet", "r0m30").outcome(), Negotiated::AUTHENTICATED);
  SetPassword("juliet@example.org", "new");
  Open(Stream(2));
  EXPECT_EQ(Condition(ScramSha256(2, "juliet", "r0m30")), "not-authorized");
  EXPECT_EQ(Condition(ScramSha256(2, "romeo", "secret")), "not-authorized");
  EXPECT_EQ(ScramSha256(2, "juliet", "new").outcome(), Negotiated::AUTHENTICATED);
  Add("romeo@example.org", "secret");
  Open(Stream(3));
  EXPECT_EQ(ScramSha256(3, "romeo", "secret").outcome(), Negotiated::AUTHENTICATED);
}

// ---- trouble ----

TEST_F(AuthenticatorTest, AsksForAnotherTryWhileTheStoreIsAway) {
  accounts_->broken = true;
  Open(Stream(1));
  EXPECT_EQ(Condition(ScramSha256(1, "juliet", "r0m30")), "temporary-auth-failure");
  EXPECT_EQ(Condition(Auth(1, "PLAIN", Plain("juliet", "r0m30"))), "temporary-auth-failure");
  accounts_->broken = false;
  EXPECT_EQ(ScramSha256(1, "juliet", "r0m30").outcome(), Negotiated::AUTHENTICATED);
}

TEST_F(AuthenticatorTest, LogsInFromTheStoreWhileRedisIsAway) {
  redis_server_.Kill();
  Open(Stream(1));
  EXPECT_EQ(ScramSha256(1, "juliet", "r0m30").outcome(), Negotiated::AUTHENTICATED);
}

TEST_F(AuthenticatorTest, ForgetsAnExchangeAfterItsTime) {
  // Long enough that a busy machine has the challenge ready before.
  options_.exchange_time = std::chrono::milliseconds(1500);
  Restart();
  runtime::Counter& timed_out =
      runtime::Metrics::Get().GetCounter("xylem_auth_timed_out_total", "");
  const uint64_t before = timed_out.value();
  Open(Stream(1));
  ScramClient client(Hash::kSha256, "juliet", "r0m30");
  const Negotiated challenge = Auth(1, "SCRAM-SHA-256", client.First());
  const auto answer = client.Final(Data(challenge, "challenge"));
  ASSERT_TRUE(answer);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (timed_out.value() == before && std::chrono::steady_clock::now() < deadline) {
    OnLoop([] {});
  }
  EXPECT_EQ(link_->waiting(), 0u);  // nobody had asked anything
  EXPECT_EQ(Condition(Respond(1, *answer)), "temporary-auth-failure");
  options_.exchange_time = std::chrono::seconds(30);
  Restart();
  Open(Stream(1));
  EXPECT_EQ(ScramSha256(1, "juliet", "r0m30").outcome(), Negotiated::AUTHENTICATED);
}

TEST_F(AuthenticatorTest, AsksForAnotherTryOnAStreamThatWasOpenedElsewhere) {
  const Negotiated answer = Auth(9, "PLAIN", Plain("juliet", "r0m30"));
  EXPECT_EQ(answer.outcome(), Negotiated::FAILED);
  EXPECT_EQ(answer.connection(), 9u);
  EXPECT_EQ(Condition(answer), "temporary-auth-failure");
}

TEST_F(AuthenticatorTest, SaysNothingToALinkOrConnectionThatWentWhileItWaited) {
  xylem::v1::Negotiate negotiate;
  negotiate.set_element(AuthXml("PLAIN", xmpp::sasl::EncodeBase64(Plain("juliet", "r0m30"))));
  const auto gone = std::make_shared<FakeLink>();
  const auto begin = [&](uint64_t connection) {
    negotiate.set_connection(connection);
    authenticator_->OnOpened(gone, Stream(connection));
    authenticator_->OnSasl(gone, negotiate);
  };
  OnLoop([&] {
    begin(1);
    authenticator_->OnConnectionClosed(gone, 1);
    begin(2);
    begin(3);
    gone->Break();
    authenticator_->OnLinkDown(gone);
  });
  // Whoever is asked after them is answered after them: one worker, one store, one Redis.
  Open(Stream(1));
  EXPECT_EQ(Auth(1, "PLAIN", Plain("juliet", "r0m30")).outcome(), Negotiated::AUTHENTICATED);
  ASSERT_EQ(gone->waiting(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(gone->Next().outcome(), Negotiated::FEATURES);
}

TEST_F(AuthenticatorTest, MayGoAwayWhileAnExchangeWaits) {
  OnLoop([&] {
    authenticator_->OnOpened(link_, Stream(1));
    xylem::v1::Negotiate negotiate;
    negotiate.set_connection(1);
    negotiate.set_element(AuthXml("PLAIN", xmpp::sasl::EncodeBase64(Plain("juliet", "r0m30"))));
    authenticator_->OnSasl(link_, negotiate);
    authenticator_.reset();
  });
  Restart();
  EXPECT_EQ(link_->Next().outcome(), Negotiated::FEATURES);
  Open(Stream(1));
  EXPECT_EQ(Auth(1, "PLAIN", Plain("juliet", "r0m30")).outcome(), Negotiated::AUTHENTICATED);
  EXPECT_EQ(link_->waiting(), 0u);
}

// ---- guessing ----

// tests/attacks, row 27.
TEST_F(AuthenticatorTest, HoldsBackItsVerdictsForAnAddressThatGuesses) {
  constexpr auto kDelay = std::chrono::milliseconds(300);
  options_.failures_per_address = 2;
  options_.failure_delay = kDelay;
  Restart();
  Open(Stream(1));
  const auto time = [&](uint64_t connection, const char* password, Negotiated::Outcome expected) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(Auth(connection, "PLAIN", Plain("juliet", password)).outcome(), expected);
    return std::chrono::steady_clock::now() - begin;
  };
  runtime::Counter& delayed = runtime::Metrics::Get().GetCounter("xylem_auth_delayed_total", "");
  const uint64_t before = delayed.value();
  time(1, "guess", Negotiated::FAILED);
  time(1, "guess", Negotiated::FAILED);
  EXPECT_EQ(delayed.value(), before);
  EXPECT_GE(time(1, "guess", Negotiated::FAILED), kDelay);
  EXPECT_EQ(delayed.value(), before + 1);
  auto neighbour = Stream(2);
  neighbour.set_peer_address("192.0.2.2:5000");
  Open(neighbour);
  time(2, "r0m30", Negotiated::AUTHENTICATED);
  EXPECT_EQ(delayed.value(), before + 1);
  // From another port of the guesser, with the right password: not locked out, but late.
  auto other_port = Stream(3);
  other_port.set_peer_address("192.0.2.1:6000");
  Open(other_port);
  EXPECT_GE(time(3, "r0m30", Negotiated::AUTHENTICATED), kDelay);
  EXPECT_EQ(delayed.value(), before + 2);
}

TEST_F(AuthenticatorTest, CountsAttemptsUnderNamesThatNoPeerCanMakeUp) {
  const auto count = [](const char* mechanism, const char* result) {
    return runtime::Metrics::Get()
        .GetCounter("xylem_auth_attempts_total", "", {{"mechanism", mechanism}, {"result", result}})
        .value();
  };
  const uint64_t other = count("other", "invalid-mechanism");
  const uint64_t success = count("SCRAM-SHA-256", "success");
  Open(Stream(1));
  Ask(1, AuthXml("MADE-UP-1", ""));
  Ask(1, AuthXml("MADE-UP-2", ""));
  ScramSha256(1, "juliet", "r0m30");
  EXPECT_EQ(count("other", "invalid-mechanism"), other + 2);
  EXPECT_EQ(count("SCRAM-SHA-256", "success"), success + 1);
  EXPECT_EQ(runtime::Metrics::Get().Text().find("MADE-UP"), std::string::npos);
}

}  // namespace
}  // namespace business
