#include "connmgr/c2s_stream.h"

#include <gmock/gmock.h>
#include <malloc.h>

#include <cstdio>

#include "tests/connmgr/loop_fixture.h"

namespace connmgr {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

constexpr char kAuth[] =
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>";
constexpr char kStartTls[] = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

class C2sStreamTest : public LoopFixture {};

TEST_F(C2sStreamTest, LogsInAndSubmits) {
  Start();
  TestClient client(port());
  client.LogIn();
  client.Send("<message to='romeo@example.test'><body>hi</body></message>");
  EXPECT_TRUE(Becomes([&] { return links_->submitted.size() == 1; }));
  OnLoop([&] {
    EXPECT_EQ(links_->submitted[0].to, "romeo@example.test");
    EXPECT_EQ(links_->opened.size(), 2u);
    EXPECT_EQ(links_->opened[0].ticket(), "");
    EXPECT_EQ(links_->opened[1].ticket(), "ticket");
    EXPECT_EQ(links_->opened[0].domain(), "example.test");
    EXPECT_THAT(links_->opened[0].peer_address(), testing::StartsWith("127.0.0.1:"));
  });
  client.Send("</stream:stream>");
  EXPECT_EQ(client.ReadToEnd(), "</stream:stream>");
  EXPECT_TRUE(Becomes([&] { return links_->forgotten.size() == 1; }));
  OnLoop([&] { EXPECT_EQ(links_->forgotten[0], "stream_end"); });
}

TEST_F(C2sStreamTest, GoesOnBehindWhatWasPipelined) {
  Start();
  TestClient client(port());
  client.OpenStream();
  client.Send(kAuth);
  client.OpenStream();
  client.Send(
      "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
      "<presence/><message/>");
  client.ReadTo("<iq type='result' id='b'/>");
  EXPECT_TRUE(Becomes([&] { return links_->submitted.size() == 2; }));
}

TEST_F(C2sStreamTest, WritesDeliveriesWithTheAddressSplicedIn) {
  Start();
  TestClient client(port());
  client.LogIn();
  OnLoop([&] {
    EXPECT_EQ(links_->clients.begin()->second->OnDeliver(
                  "<message from='r@example.test/o'><body>x</body></message>", 8,
                  "juliet@example.test/balcony"),
              TakenOutcome::kTaken);
  });
  EXPECT_EQ(client.ReadTo("</message>"),
            "<message to='juliet@example.test/balcony' from='r@example.test/o'><body>x</body>"
            "</message>");
}

TEST_F(C2sStreamTest, RefusesStanzasBeforeAuthentication) {
  Start();
  TestClient client(port());
  client.OpenStream();
  client.ReadTo("</stream:features>");
  client.Send("<message to='romeo@example.test'/>");
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("<not-authorized xmlns="));
  EXPECT_EQ(Submitted(), 0u);
}

TEST_F(C2sStreamTest, RefusesStanzasBeforeBind) {
  Start();
  TestClient client(port());
  client.OpenStream();
  client.Send(kAuth);
  client.OpenStream();
  client.Send("<message/>");
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("<not-authorized xmlns="));
}

// tests/attacks, row 21: what came before the restart is the beginning of the new stream, and no
// more.
TEST_F(C2sStreamTest, TakesNothingIntoTheRestartedStream) {
  Start();
  TestClient client(port());
  client.OpenStream();
  client.ReadTo("</stream:features>");
  client.Send(std::string(kAuth) + "<message to='romeo@example.test'><body>x</body></message>");
  const std::string words = client.ReadToEnd();
  EXPECT_THAT(words, testing::ContainsRegex("<success[^>]*><\\?xml[^>]*><stream:stream[^>]*>"
                                            "<stream:error><bad-namespace-prefix"));
  EXPECT_EQ(Submitted(), 0u);
}

TEST_F(C2sStreamTest, RefusesTooMuchBeforeAuthentication) {
  Start();
  TestClient client(port());
  client.OpenStream();
  client.ReadTo("</stream:features>");
  client.Send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + std::string(20000, 'a'));
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("<policy-violation xmlns="));
}

TEST_F(C2sStreamTest, RefusesToHoldMuchWhileBusinessIsAsked) {
  Start();
  OnLoop([&] { links_->answers = false; });
  TestClient client(port());
  // In one write: what comes after the server has begun to ask stays in the socket, unread.
  client.OpenStream(kAuth + std::string(20000, ' '));
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("<policy-violation xmlns="));
}

TEST_F(C2sStreamTest, EndsASlowNegotiation) {
  settings_.negotiation = std::chrono::milliseconds(150);
  Start();
  TestClient silent(port()), half(port());
  half.OpenStream();
  half.ReadTo("</stream:features>");
  half.Send("<au");
  EXPECT_THAT(silent.ReadToEnd(), HasSubstr("<connection-timeout xmlns="));
  EXPECT_THAT(half.ReadToEnd(), HasSubstr("<connection-timeout xmlns="));
}

TEST_F(C2sStreamTest, SaysWhenBusinessWasTheSlowOne) {
  settings_.negotiation = std::chrono::milliseconds(150);
  Start();
  OnLoop([&] { links_->answers = false; });
  TestClient client(port());
  client.OpenStream();
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("<remote-connection-failed xmlns="));
}

TEST_F(C2sStreamTest, EndsASlowStanzaAndNotAnIdleSession) {
  settings_.stanza_time = std::chrono::milliseconds(150);
  Start();
  TestClient idle(port()), slow(port());
  idle.LogIn();
  slow.LogIn();
  slow.Send("<message><body>");
  EXPECT_THAT(slow.ReadToEnd(), HasSubstr("<connection-timeout xmlns="));
  idle.Send("<presence/>");
  EXPECT_TRUE(Becomes([&] { return links_->submitted.size() == 1; }));
}

TEST_F(C2sStreamTest, EndsAfterTooManyFailedLogins) {
  settings_.auth_failures = 2;
  Start();
  TestClient client(port());
  client.OpenStream();
  const std::string bad = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>no</auth>";
  client.Send(bad);
  client.ReadTo("</failure>");
  client.Send(bad);
  EXPECT_THAT(client.ReadToEnd(),
              testing::AllOf(HasSubstr("</failure>"), HasSubstr("<policy-violation xmlns=")));
}

TEST_F(C2sStreamTest, FailsTheLoginWhoseServerIsGone) {
  Start();
  TestClient client(port());
  client.OpenStream();
  client.Send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>more</auth>");
  client.ReadTo("<challenge");
  OnLoop([&] { links_->clients.begin()->second->OnNegotiationLost(); });
  EXPECT_THAT(client.ReadTo("</failure>"), HasSubstr("<temporary-auth-failure/>"));
  client.Send(kAuth);
  client.ReadTo("<success");
}

TEST_F(C2sStreamTest, AsksAgainForFeaturesAndBind) {
  Start();
  OnLoop([&] { links_->answers = false; });
  TestClient client(port());
  client.OpenStream();
  ASSERT_TRUE(Becomes([&] { return links_->opened.size() == 1; }));
  OnLoop([&] {
    links_->answers = true;
    links_->clients.begin()->second->OnNegotiationLost();
  });
  EXPECT_THAT(client.ReadTo("</stream:features>"), HasSubstr("<mechanism>PLAIN"));
}

TEST_F(C2sStreamTest, RefusesAnotherAddressAsSender) {
  Start();
  TestClient client(port());
  client.LogIn();
  client.Send("<message from='juliet@example.test'/><message from='romeo@example.test'/>");
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("<invalid-from xmlns="));
  EXPECT_EQ(Submitted(), 1u);
}

TEST_F(C2sStreamTest, ReadsNoMoreOnceTheWindowIsFull) {
  Start();
  OnLoop([&] { links_->window = 2; });
  TestClient client(port());
  client.LogIn();
  client.Send("<message id='1'/><message id='2'/><message id='3'/><message id='4'/>");
  EXPECT_TRUE(Becomes([&] { return links_->submitted.size() == 2; }));
  // Nothing more fits in, however much the client sends.
  size_t sent = 0, more = 0;
  const std::string flood(64 * 1024, ' ');
  const uint64_t before = loop_->counters().bytes_in.value();
  while ((more = client.TrySend(flood)) != 0 && sent < (64u << 20)) sent += more;
  OnLoop([&] {
    EXPECT_EQ(links_->submitted.size(), 2u);
    EXPECT_LE(loop_->counters().bytes_in.value() - before, 256u * 1024);
    links_->AcceptAll();
  });
  EXPECT_TRUE(Becomes([&] { return links_->submitted.size() == 4; }));
}

TEST_F(C2sStreamTest, ClosesAClientThatDoesNotRead) {
  settings_.write_queue = 65536;
  Start();
  TestClient client(port(), /*receive_buffer=*/4096);
  client.LogIn();
  const std::string body = "<message><body>" + std::string(8000, 'x') + "</body></message>";
  bool overflowed = false;
  OnLoop([&] {
    LinkClient* stream = links_->clients.begin()->second;
    for (int i = 0; i < 10000 && !overflowed; ++i) {
      overflowed = stream->OnDeliver(body, 8, "") == TakenOutcome::kOverflowed;
    }
  });
  EXPECT_TRUE(overflowed);
  EXPECT_TRUE(Becomes([&] { return links_->forgotten.size() == 1; }));
  EXPECT_EQ(Closed(CloseReason::kSlowConsumer), 1u);
  EXPECT_EQ(loop_->counters().write_queue_bytes.value(), 0u);
}

TEST_F(C2sStreamTest, PausesASenderThatIsOverItsRate) {
  settings_.stanzas_per_second = 20;  // and a burst of 40
  Start();
  TestClient client(port());
  client.LogIn();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 46; ++i) client.Send("<message/>");
  EXPECT_TRUE(Becomes([&] { return links_->submitted.size() == 46; }));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(200));
  EXPECT_GE(loop_->counters().rate_pauses.value(), 1u);
}

TEST_F(C2sStreamTest, TellsItsLimitOnceAuthenticated) {
  settings_.stanza_bytes = 54321;
  Start();
  TestClient client(port());
  client.OpenStream();
  EXPECT_THAT(client.ReadTo("</stream:features>"), Not(HasSubstr("urn:xmpp:stream-limits:0")));
  client.Send(kAuth);
  client.ReadTo("<success");
  client.OpenStream();
  EXPECT_THAT(client.ReadTo("</stream:features>"),
              HasSubstr("<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>54321</max-bytes>"
                        "</limits>"));
}

TEST_F(C2sStreamTest, OffersOnlyStartTlsWhereItIsRequired) {
  UseCertificate(TlsMode::kRequired);
  Start();
  TestClient client(port());
  client.OpenStream();
  EXPECT_THAT(client.ReadTo("</stream:features>"),
              testing::AllOf(HasSubstr("<required/>"), Not(HasSubstr("mechanism"))));
  client.Send(kAuth);
  EXPECT_THAT(client.ReadTo("</failure>"), HasSubstr("<encryption-required/>"));
  client.Send(kStartTls);
  client.ReadTo("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  ASSERT_TRUE(client.StartTls());
  client.LogIn();
  client.Send("<presence/>");
  EXPECT_TRUE(Becomes([&] { return links_->submitted.size() == 1; }));
  OnLoop([&] {
    EXPECT_EQ(links_->opened[0].tls_version(), "TLSv1.3");
    EXPECT_EQ(links_->opened[0].tls_exporter().size(), 32u);
    EXPECT_NE(links_->opened[0].tls_server_end_point(), "");
  });
}

// tests/attacks, row 20
TEST_F(C2sStreamTest, RefusesBytesPipelinedBehindStartTls) {
  UseCertificate(TlsMode::kRequired);
  Start();
  TestClient client(port());
  client.OpenStream();
  client.ReadTo("</stream:features>");
  client.Send(std::string(kStartTls) + kAuth);
  const std::string answer = client.ReadToEnd();
  EXPECT_THAT(answer, HasSubstr("<policy-violation xmlns="));
  EXPECT_THAT(answer, Not(HasSubstr("<proceed")));
}

TEST_F(C2sStreamTest, KeepsALongWriteOverTlsWhole) {
  UseCertificate(TlsMode::kRequired);
  Start();
  TestClient client(port(), /*receive_buffer=*/4096);
  client.OpenStream();
  client.ReadTo("</stream:features>");
  client.Send(kStartTls);
  client.ReadTo("/>");
  ASSERT_TRUE(client.StartTls());
  client.LogIn();
  // More than sockets hold: the write stops in the middle and goes on later.
  std::string long_text(6000000, 'x');
  for (size_t i = 0; i < long_text.size(); ++i) long_text[i] = static_cast<char>('a' + i % 26);
  const std::string body = "<message><body>" + long_text + "</body></message>";
  OnLoop([&] { links_->clients.begin()->second->OnDeliver(body, 8, ""); });
  EXPECT_EQ(client.ReadTo("</message>"), body);
}

TEST_F(C2sStreamTest, SpeaksDirectTls) {
  UseCertificate(TlsMode::kRequired);
  settings_.listeners[0].direct_tls = true;
  Start();
  TestClient client(port());
  ASSERT_TRUE(client.StartTls("xmpp-client"));
  client.LogIn();
  OnLoop([&] {
    EXPECT_EQ(links_->opened[0].transport(), xylem::v1::DIRECT_TLS);
    EXPECT_EQ(links_->opened[0].alpn(), "xmpp-client");
  });
}

TEST_F(C2sStreamTest, TakesTheClientsAddressFromTheProxyHeader) {
  settings_.listeners[0].proxy = true;
  settings_.listeners[0].proxy_from = {*Network::Parse("127.0.0.0/8")};
  Start();
  TestClient client(port());
  client.Send("PROXY TCP4 192.0.2.7 127.0.0.1 4711 5222\r\n");
  client.LogIn();
  OnLoop([&] { EXPECT_EQ(links_->opened[0].peer_address(), "192.0.2.7:4711"); });
}

// tests/attacks, row 45
TEST_F(C2sStreamTest, ClosesSilentlyWhereTheProxyHeaderIsMissingOrForged) {
  settings_.proxy_time = std::chrono::milliseconds(150);
  settings_.listeners[0].proxy = true;
  settings_.listeners[0].proxy_from = {*Network::Parse("127.0.0.0/8")};
  settings_.listeners.push_back(settings_.listeners[0]);
  settings_.listeners[1].proxy_from = {*Network::Parse("192.0.2.0/24")};
  settings_.listeners.push_back(settings_.listeners[0]);
  settings_.listeners[2].proxy = false;
  Start();
  TestClient none(port(0)), slow(port(0)), stranger(port(1)), direct(port(2)), twice(port(0));
  none.OpenStream();
  EXPECT_EQ(none.ReadToEnd(), "");
  slow.Send("PROXY TCP4 ");
  EXPECT_EQ(slow.ReadToEnd(), "");
  EXPECT_EQ(stranger.ReadToEnd(), "");
  direct.Send("PROXY TCP4 192.0.2.7 127.0.0.1 4711 5222\r\n");
  EXPECT_EQ(direct.ReadToEnd(), "");
  twice.Send(
      "PROXY TCP4 192.0.2.7 127.0.0.1 4711 5222\r\n"
      "PROXY TCP4 192.0.2.8 127.0.0.1 4711 5222\r\n");
  EXPECT_EQ(twice.ReadToEnd(), "");
}

TEST_F(C2sStreamTest, ObeysAnOrderToClose) {
  Start();
  TestClient client(port());
  client.LogIn();
  OnLoop([&] {
    links_->clients.begin()->second->OnCloseOrder({xmpp::StreamCondition::kConflict, "", {}}, true);
  });
  const std::string words = client.ReadToEnd();
  EXPECT_THAT(words, HasSubstr("<conflict xmlns="));
  EXPECT_THAT(words, EndsWith("</stream:stream>"));
  EXPECT_FALSE(client.reset());
  client.Close();
  EXPECT_TRUE(Becomes([&] { return Closed(CloseReason::kOrder) == 1; }));
}

TEST_F(C2sStreamTest, SaysLastWordsToAClientThatStillSends) {
  Start();
  TestClient client(port());
  client.LogIn();
  client.Send("<oops xmlns='urn:x'/>" + std::string(300000, ' '));
  EXPECT_THAT(client.ReadToEnd(), EndsWith("</stream:stream>"));
  EXPECT_FALSE(client.reset());
}

TEST_F(C2sStreamTest, WaitsForTheWindowWhenItIsDrained) {
  settings_.linger = std::chrono::milliseconds(100);
  Start();
  TestClient busy(port()), quiet(port()), early(port());
  quiet.LogIn();
  busy.LogIn();
  early.OpenStream();
  early.ReadTo("</stream:features>");
  busy.Send("<message/><message><bo");
  ASSERT_TRUE(Becomes([&] { return links_->submitted.size() == 1; }));
  OnLoop([&] { loop_->EndStreams(1000, std::chrono::seconds(60)); });
  EXPECT_THAT(quiet.ReadToEnd(), HasSubstr("<system-shutdown xmlns="));
  EXPECT_THAT(early.ReadToEnd(), HasSubstr("<system-shutdown xmlns="));
  EXPECT_TRUE(Becomes([&] { return loop_->streams() == 1; }));
  OnLoop([&] { links_->AcceptAll(); });
  EXPECT_THAT(busy.ReadToEnd(), HasSubstr("<system-shutdown xmlns="));
  EXPECT_TRUE(Becomes([&] { return loop_->streams() == 0 && !loop_->ending(); }));
  EXPECT_EQ(Submitted(), 1u);
}

TEST_F(C2sStreamTest, IsDrainedWithoutItsWindowWhenPatienceIsOver) {
  Start();
  TestClient client(port());
  client.LogIn();
  client.Send("<message/>");
  ASSERT_TRUE(Becomes([&] { return links_->submitted.size() == 1; }));
  OnLoop([&] { loop_->EndStreams(1000, std::chrono::milliseconds(100)); });
  EXPECT_THAT(client.ReadToEnd(), HasSubstr("<system-shutdown xmlns="));
}

TEST_F(C2sStreamTest, IsDrainedAtAPace) {
  Start();
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(std::make_unique<TestClient>(port()));
    clients.back()->LogIn();
  }
  const auto begin = std::chrono::steady_clock::now();
  OnLoop([&] { loop_->EndStreams(20, std::chrono::seconds(60)); });
  for (auto& client : clients) {
    EXPECT_THAT(client->ReadToEnd(), HasSubstr("<system-shutdown xmlns="));
  }
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(500));
}

// --- stream management (XEP-0198)

TEST_F(C2sStreamTest, EnableIsSubmittedInTheSessionsOrder) {
  Start();
  TestClient client(port());
  client.LogIn();
  client.Send("<message><body>x</body></message><enable xmlns='urn:xmpp:sm:3'/><presence/>");
  ASSERT_TRUE(Becomes([&] { return links_->submitted.size() == 3; }));
  OnLoop([&] {
    EXPECT_EQ(links_->submitted[1].kind, xmpp::StanzaKind::kNonza);
    EXPECT_EQ(links_->submitted[1].payload_name, "enable");
    links_->clients.begin()->second->OnEnabled("<enabled xmlns='urn:xmpp:sm:3' id='x' resume='true'/>");
  });
  client.ReadTo("<enabled xmlns='urn:xmpp:sm:3' id='x' resume='true'/>");
}

TEST_F(C2sStreamTest, TellsWhereToResume) {
  settings_.location = "here.example.test:5223";
  Start();
  TestClient client(port());
  client.LogIn();
  OnLoop([&] {
    LinkClient* stream = links_->clients.begin()->second;
    stream->OnEnabled("<enabled xmlns='urn:xmpp:sm:3'/>");
    stream->OnEnabled("<enabled xmlns='urn:xmpp:sm:3' id='x' resume='true'/>");
  });
  client.ReadTo("<enabled xmlns='urn:xmpp:sm:3'/>");
  client.ReadTo(
      "<enabled xmlns='urn:xmpp:sm:3' id='x' resume='true' location='here.example.test:5223'/>");
}

TEST_F(C2sStreamTest, CountsGoBothWays) {
  Start();
  TestClient client(port());
  client.LogIn();
  OnLoop([&] { links_->managed = true; });
  client.Send("<r xmlns='urn:xmpp:sm:3'/>");
  client.ReadTo("<a xmlns='urn:xmpp:sm:3' h='3'/>");
  client.Send("<a xmlns='urn:xmpp:sm:3' h='4'/>");
  ASSERT_TRUE(Becomes([&] { return links_->confirmed == std::vector<uint32_t>{4}; }));
  client.Send("<a xmlns='urn:xmpp:sm:3' h='6'/>");
  EXPECT_EQ(client.ReadToEnd(),
            "<a xmlns='urn:xmpp:sm:3' h='3'/>"
            "<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
            "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='6' send-count='5'/></stream:error>"
            "</stream:stream>");
}

TEST_F(C2sStreamTest, RefusesCountsThatAreNone) {
  Start();
  for (const char* bad : {"<a xmlns='urn:xmpp:sm:3'/>", "<a xmlns='urn:xmpp:sm:3' h='-1'/>",
                          "<a xmlns='urn:xmpp:sm:3' h='4294967296'/>",
                          "<enable xmlns='urn:xmpp:sm:3'/>"}) {
    TestClient client(port());
    client.LogIn();
    OnLoop([&] { links_->managed = true; });
    client.Send(bad);
    EXPECT_THAT(client.ReadToEnd(), HasSubstr("<policy-violation ")) << bad;
    OnLoop([&] { links_->managed = false; });
  }
}

TEST_F(C2sStreamTest, ASocketThatIsLostMayComeBackAndAnEndedStreamMayNot) {
  Start();
  {
    TestClient client(port());
    client.LogIn();
    OnLoop([&] { links_->managed = true; });
  }
  ASSERT_TRUE(Becomes([&] { return links_->resumable == std::vector<bool>{true}; }));
  TestClient client(port());
  client.LogIn();
  client.Send("</stream:stream>");
  EXPECT_EQ(client.ReadToEnd(), "<a xmlns='urn:xmpp:sm:3' h='3'/></stream:stream>");
  ASSERT_TRUE(Becomes([&] { return links_->resumable == std::vector<bool>{true, false}; }));
}

TEST_F(C2sStreamTest, ResumesInsteadOfBinding) {
  Start();
  TestClient client(port());
  client.OpenStream();
  client.Send(kAuth);
  client.OpenStream();
  client.Send("<resume xmlns='urn:xmpp:sm:3' previd='gone' h='0'/>");
  client.ReadTo("<failed xmlns='urn:xmpp:sm:3'/>");
  client.Send("<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/><message/>");
  client.ReadTo("<resumed xmlns='urn:xmpp:sm:3' previd='x' h='3'/>");
  EXPECT_TRUE(Becomes([&] { return links_->submitted.size() == 1; }));
}

TEST_F(C2sStreamTest, HoldsNoBuffersWhileIdle) {
  Start();
  TestClient client(port());
  client.LogIn();
  client.Send("<message><body>x</body></message> ");
  ASSERT_TRUE(Becomes([&] { return links_->submitted.size() == 1; }));
  OnLoop([&] {
    EXPECT_EQ(loop_->counters().write_queue_bytes.value(), 0u);
    EXPECT_FALSE(loop_->stream(0).HoldsMemoryWhileIdle());
    EXPECT_EQ(loop_->stream(0).state(), C2sStream::State::kSession);
  });
  client.Send("<message>");
  EXPECT_TRUE(Becomes([&] { return loop_->stream(0).HoldsMemoryWhileIdle(); }));
}

// The manager's part of an idle user is at most 1.5 KiB (plain), with room
// here for what the test itself holds of each.
TEST_F(C2sStreamTest, CostsLittleWhileIdle) {
  static_assert(sizeof(Connection) <= 104);
  static_assert(sizeof(C2sStream) <= 304);
  constexpr size_t kSessions = 200;
  settings_.accepts_per_second = 0;
  Start();
  std::vector<std::unique_ptr<TestClient>> clients;
  auto log_in = [&] {
    clients.push_back(std::make_unique<TestClient>(port()));
    clients.back()->LogIn();
  };
  for (size_t i = 0; i < 20; ++i) log_in();  // pools are filled
  OnLoop([] {});
  const size_t before = mallinfo2().uordblks;
  for (size_t i = 0; i < kSessions; ++i) log_in();
  OnLoop([&] { links_->opened.clear(); });
  const size_t each = (mallinfo2().uordblks - before) / kSessions;
  RecordProperty("bytes_per_idle_session", static_cast<int>(each));
  std::printf("%zu bytes for an idle session, test's own part included\n", each);
  EXPECT_LE(each, 2048u);
}

TEST_F(C2sStreamTest, FreesItsPlaceWhenTheClientIsGone) {
  Start();
  {
    TestClient client(port()), half(port());
    client.LogIn();
    half.OpenStream();
    half.ReadTo("</stream:features>");
    EXPECT_EQ(admission_->connections(), 2u);
    EXPECT_TRUE(Becomes([&] { return admission_->handshakes() == 1; }));
  }
  EXPECT_TRUE(Becomes([&] { return loop_->streams() == 0 && links_->clients.empty(); }));
  EXPECT_EQ(admission_->connections(), 0u);
  EXPECT_EQ(admission_->handshakes(), 0u);
  for (const auto& phases : loop_->counters().connections) {
    for (const LoopCounter& gauge : phases) EXPECT_EQ(gauge.value(), 0u);
  }
}

// `domain add` and `domain del` of an operator.
TEST_F(C2sStreamTest, ServesWhatBusinessTellsOfAndEndsWhatIsGone) {
  Start();
  OnLoop([&] { links_->tell_domains({"example.test", "added.test"}); });
  TestClient stays(port()), goes(port());
  stays.LogIn();
  goes.Send(
      "<stream:stream to='added.test' version='1.0' xmlns='jabber:client' "
      "xmlns:stream='http://etherx.jabber.org/streams'>");
  goes.ReadTo("</stream:features>");
  OnLoop([&] {
    EXPECT_EQ(links_->opened.back().domain(), "added.test");
    links_->tell_domains({"example.test"});
  });
  const std::string words = goes.ReadToEnd();
  EXPECT_THAT(words, HasSubstr("<host-gone xmlns="));
  EXPECT_THAT(words, EndsWith("</stream:stream>"));
  TestClient late(port());
  late.Send(
      "<stream:stream to='added.test' version='1.0' xmlns='jabber:client' "
      "xmlns:stream='http://etherx.jabber.org/streams'>");
  EXPECT_THAT(late.ReadToEnd(), HasSubstr("<host-unknown xmlns="));
  // Those of the configuration are served whatever is told.
  OnLoop([&] { links_->tell_domains({}); });
  stays.Send("<message/>");
  EXPECT_TRUE(Becomes([&] { return links_->submitted.size() == 1; }));
}

}  // namespace
}  // namespace connmgr
